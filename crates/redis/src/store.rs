//! The Redis store. Runs each verb of the contract in the runtime in which the store was opened.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use supersession::store::{
    DocumentWrite, InsertOutcome, Lineage, RevocationFeed, RotateOutcome, Rotation,
    SessionDocument, SessionKey, SessionRecord, SessionStatus, SessionUse, StoreError, StoredKey,
    TenantRecord, TenantStore, UserSessions, WriteOutcome,
};
use supersession::{
    AppId, JsonObject, SecretText, SessionHandle, Store, TenantId, UnixMillis, UserId,
};
use tokio::runtime::Handle;

use crate::context::Context;
use crate::fault::Fault;
use crate::feed;
use crate::verbs::{
    devices, documents, expiry, metadata, ready, sessions, signing_keys, tenants, user_sessions,
};

/// Store for sessions, metadata and keys in Redis or Valkey. See the [crate documentation](crate).
///
/// Clones share one connection, or one for each node of a cluster.
#[derive(Clone)]
pub struct RedisStore {
    context: Arc<Context>,
    runtime: Handle,
}

impl RedisStore {
    pub(crate) fn new(context: Context, runtime: Handle) -> Self {
        Self {
            context: Arc::new(context),
            runtime,
        }
    }

    fn context(&self) -> Arc<Context> {
        Arc::clone(&self.context)
    }

    /// Runs the work in the store's own runtime, to completion. The caller may be anywhere, and may
    /// stop waiting at any time.
    async fn run<T: Send + 'static>(
        &self,
        verb: &'static str,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let answer = match self.runtime.spawn(work).await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => Err(Fault::Panicked),
            Err(_) => Err(Fault::RuntimeEnded),
        };
        answer.map_err(|fault| fault.into_store_error(verb))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("server", &self.context.server)
            .finish_non_exhaustive()
    }
}

/// Implements a store trait by a table: the method, and the function that runs it. `&name: Type` is
/// an argument of type `&Type`. The methods after the table are not mere forwarding.
///
/// Copying the arguments for a task is cheap: ids and documents are shared, and rotations contain a
/// few short texts.
macro_rules! verbs {
    (
        $trait:ident {
            $(
                $verb:ident(
                    $($(&$reference:ident)? $($value:ident)?: $type:ty),*
                ) -> $answer:ty = $function:path;
            )*
        }
        $($other:tt)*
    ) => {
        #[async_trait]
        impl $trait for RedisStore {
            $(
                async fn $verb(
                    &self,
                    $($($reference: &$type)? $($value: $type)?),*
                ) -> Result<$answer, StoreError> {
                    $($(let $reference = $reference.to_owned();)?)*
                    let context = self.context();
                    self.run(stringify!($verb), async move {
                        $function(&context, $($(&$reference)? $($value)?),*).await
                    })
                    .await
                }
            )*

            $($other)*
        }
    };
}

verbs! {
    Store {
        check_ready() -> () = ready::check;
        insert_session(&session: SessionRecord) -> InsertOutcome = sessions::insert;
        session(&key: SessionKey, now: UnixMillis) -> Option<SessionRecord> = sessions::find;
        session_status(&key: SessionKey, now: UnixMillis) -> Option<SessionStatus>
            = sessions::find_status;
        rotate(
            &key: SessionKey, &expected: Lineage, &expected_payload: JsonObject, &next: Rotation, now: UnixMillis
        ) -> RotateOutcome = sessions::rotate;
        write_document(
            &key: SessionKey, document: SessionDocument, &write: DocumentWrite, now: UnixMillis
        ) -> WriteOutcome = documents::write;
        delete_sessions(&keys: [SessionKey]) -> Vec<SessionKey> = sessions::delete;
        delete_user_sessions(&selection: UserSessions, now: UnixMillis) -> Vec<SessionHandle>
            = user_sessions::delete;
        user_sessions(&selection: UserSessions, now: UnixMillis) -> Vec<SessionRecord>
            = user_sessions::records;
        user_session_handles(&selection: UserSessions, now: UnixMillis) -> Vec<SessionHandle>
            = user_sessions::handles;
        record_uses(&uses: [SessionUse], now: UnixMillis) -> () = devices::record_uses;
        delete_expired_sessions(now: UnixMillis, limit: u32) -> u64 = expiry::delete_expired;
        user_metadata(&app: AppId, &user: UserId) -> Option<JsonObject> = metadata::find;
        write_user_metadata(&app: AppId, &user: UserId, &write: DocumentWrite) -> WriteOutcome
            = metadata::write;
        delete_user_metadata(&app: AppId, &user: UserId) -> bool = metadata::delete;
        signing_keys(&app: AppId) -> Vec<StoredKey> = signing_keys::all;
        add_dynamic_key(&app: AppId, &candidate: StoredKey, not_if_since: UnixMillis) -> bool
            = signing_keys::add_dynamic;
        add_static_key(&app: AppId, &candidate: StoredKey) -> bool = signing_keys::add_static;
        delete_dynamic_keys(&app: AppId, created_before: UnixMillis) -> u64
            = signing_keys::delete_dynamic;
        refresh_token_key(&app: AppId, &candidate: SecretText, now: UnixMillis) -> SecretText
            = signing_keys::refresh_token_key;
    }

    async fn set_device_label(
        &self,
        key: &SessionKey,
        label: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let (key, label) = (key.clone(), label.map(str::to_owned));
        let store = self.context();
        self.run("set_device_label", async move {
            devices::set_label(&store, &key, label.as_deref(), now).await
        })
        .await
    }

    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, StoreError> {
        let store = self.context();
        self.run("revocation_feed", async move {
            feed::open(store).await.map(Some)
        })
        .await
    }
}

verbs! {
    TenantStore {
        tenants() -> Vec<TenantRecord> = tenants::all;
        put_tenant(&tenant: TenantRecord, now: UnixMillis) -> bool = tenants::put;
        delete_tenant(&app: AppId, &tenant: TenantId) -> bool = tenants::delete;
        delete_app(&app: AppId) -> bool = tenants::delete_app;
        count_active_users(&app: AppId, since: UnixMillis, now: UnixMillis) -> u64
            = tenants::count_active_users;
    }
}
