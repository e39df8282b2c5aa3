//! Stores that forward to another store: shared stores, and wrappers that change some of the calls.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    DocumentWrite, InsertOutcome, Lineage, RevocationFeed, RotateOutcome, Rotation,
    SessionDocument, SessionKey, SessionRecord, SessionStatus, SessionUse, Store, StoreError,
    StoredKey, TenantRecord, TenantStore, UserSessions, WriteOutcome,
};
use crate::clock::UnixMillis;
use crate::ids::{AppId, SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::secret::SecretText;

/// A call of a store method.
pub type StoreCall<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Declares [`StoreWrapper`] and implements the store traits by forwarding. The methods with a
/// default body are forwarded too, because the inner store can override them.
macro_rules! forward {
    (
        $(#[$attribute:meta])*
        trait StoreWrapper { $($hooks:tt)* }
        Store { $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* }
        TenantStore { $(fn $tenant_name:ident($($tenant_argument:ident: $tenant_type:ty),*) -> $tenant_answer:ty;)* }
    ) => {
        $(#[$attribute])*
        #[async_trait]
        pub trait StoreWrapper: Send + Sync + 'static {
            $($hooks)*

            $(
                #[doc = concat!("Forwards [`Store::", stringify!($name), "`].")]
                async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                    let call = self.inner().$name($($argument),*);
                    self.around(stringify!($name), call).await
                }
            )*
        }

        #[async_trait]
        impl<W: StoreWrapper> Store for W {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                StoreWrapper::$name(self, $($argument),*).await
            })*
        }

        #[async_trait]
        impl<W: StoreWrapper<Inner: TenantStore>> TenantStore for W {
            $(async fn $tenant_name(&self, $($tenant_argument: $tenant_type),*) -> Result<$tenant_answer, StoreError> {
                let call = self.inner().$tenant_name($($tenant_argument),*);
                self.around(stringify!($tenant_name), call).await
            })*
        }

        #[async_trait]
        impl<S: Store + ?Sized> Store for Arc<S> {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                (**self).$name($($argument),*).await
            })*
        }

        #[async_trait]
        impl<S: TenantStore + ?Sized> TenantStore for Arc<S> {
            $(async fn $tenant_name(&self, $($tenant_argument: $tenant_type),*) -> Result<$tenant_answer, StoreError> {
                (**self).$tenant_name($($tenant_argument),*).await
            })*
        }
    };
}

forward! {
    /// A store that wraps another store, for example to measure, to cache or to test. Every method
    /// forwards to the inner store by default. A type that implements this trait implements
    /// [`Store`], and also [`TenantStore`] if the inner store does.
    ///
    /// The methods have the names of `Store`'s methods. Where both traits are in scope, and in an
    /// implementation of this one, call a store as in `Store::session(self.inner(), key, now)`.
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use supersession::Store;
    /// use supersession::store::{MemoryStore, StoreCall, StoreError, StoreWrapper};
    ///
    /// /// Counts the failed calls of a store.
    /// struct Counted<S> {
    ///     inner: S,
    ///     failed: AtomicU64,
    /// }
    ///
    /// impl<S: Store> StoreWrapper for Counted<S> {
    ///     type Inner = S;
    ///
    ///     fn inner(&self) -> &S {
    ///         &self.inner
    ///     }
    ///
    ///     fn around<'a, T: Send + 'a>(
    ///         &'a self,
    ///         _method: &'static str,
    ///         call: StoreCall<'a, T>,
    ///     ) -> StoreCall<'a, T> {
    ///         Box::pin(async move {
    ///             call.await.inspect_err(|_| {
    ///                 self.failed.fetch_add(1, Ordering::Relaxed);
    ///             })
    ///         })
    ///     }
    /// }
    ///
    /// fn is_store(_: impl Store) {}
    /// is_store(Counted { inner: MemoryStore::new(), failed: AtomicU64::new(0) });
    /// ```
    trait StoreWrapper {
        /// The inner store.
        type Inner: Store + ?Sized;

        /// Returns the inner store.
        fn inner(&self) -> &Self::Inner;

        /// Runs a call of the inner store. An implementation can act before and after the call, or
        /// drop it. `method` is the name of the method, such as `"rotate"`.
        ///
        /// The default returns the call unchanged.
        fn around<'a, T: Send + 'a>(
            &'a self,
            method: &'static str,
            call: StoreCall<'a, T>,
        ) -> StoreCall<'a, T> {
            let _ = method;
            call
        }
    }
    Store {
    fn check_ready() -> ();
        fn insert_session(session: &SessionRecord) -> InsertOutcome;
        fn session(key: &SessionKey, now: UnixMillis) -> Option<SessionRecord>;
        fn session_status(key: &SessionKey, now: UnixMillis) -> Option<SessionStatus>;
        fn rotate(key: &SessionKey, expected: &Lineage, expected_payload: &JsonObject, next: &Rotation, now: UnixMillis) -> RotateOutcome;
        fn write_document(key: &SessionKey, document: SessionDocument, write: &DocumentWrite, now: UnixMillis) -> WriteOutcome;
        fn delete_sessions(keys: &[SessionKey]) -> Vec<SessionKey>;
        fn delete_user_sessions(selection: &UserSessions, now: UnixMillis) -> Vec<SessionHandle>;
        fn user_sessions(selection: &UserSessions, now: UnixMillis) -> Vec<SessionRecord>;
        fn user_session_handles(selection: &UserSessions, now: UnixMillis) -> Vec<SessionHandle>;
        fn record_uses(uses: &[SessionUse], now: UnixMillis) -> ();
        fn set_device_label(key: &SessionKey, label: Option<&str>, now: UnixMillis) -> bool;
        fn revocation_feed() -> Option<RevocationFeed>;
        fn delete_expired_sessions(now: UnixMillis, limit: u32) -> u64;
        fn user_metadata(app: &AppId, user: &UserId) -> Option<JsonObject>;
        fn write_user_metadata(app: &AppId, user: &UserId, write: &DocumentWrite) -> WriteOutcome;
        fn delete_user_metadata(app: &AppId, user: &UserId) -> bool;
        fn signing_keys(app: &AppId) -> Vec<StoredKey>;
        fn add_dynamic_key(app: &AppId, candidate: &StoredKey, not_if_since: UnixMillis) -> bool;
        fn add_static_key(app: &AppId, candidate: &StoredKey) -> bool;
        fn delete_dynamic_keys(app: &AppId, created_before: UnixMillis) -> u64;
        fn refresh_token_key(app: &AppId, candidate: &SecretText, now: UnixMillis) -> SecretText;
    }
    TenantStore {
    fn tenants() -> Vec<TenantRecord>;
        fn put_tenant(tenant: &TenantRecord, now: UnixMillis) -> bool;
        fn delete_tenant(app: &AppId, tenant: &TenantId) -> bool;
        fn delete_app(app: &AppId) -> bool;
        fn count_active_users(app: &AppId, since: UnixMillis, now: UnixMillis) -> u64;
    }
}
