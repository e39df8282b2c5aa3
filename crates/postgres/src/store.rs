//! The PostgreSQL store. Passes each verb of the contract to the runner, with its retry class, and
//! changes of documents, which may share a commit, to the batcher.

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

use crate::batch::Batcher;
use crate::document::Document;
use crate::fault::{Access, Fault};
use crate::feed::Feed;
use crate::run::{Runner, Verb};
use crate::sql::{devices, keys, metadata, ready, sessions, tenants, user_sessions};

/// Store for sessions, metadata and keys in a PostgreSQL database. See the [crate
/// documentation](crate).
///
/// Clones share one pool of connections. The pool is closed when the last clone is dropped.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Database URL without the password. `None` if only a pool was given.
    pub(crate) database: Option<String>,
    pub(crate) runner: Arc<Runner>,
    pub(crate) batcher: Arc<Batcher>,
    pub(crate) feed: Option<Arc<Feed>>,
}

impl PostgresStore {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("database", &self.inner.database)
            .finish_non_exhaustive()
    }
}

/// Implements a store trait by a table: the [retry class](Verb), the method, and the function that
/// runs it on a connection. `&name: Type` is an argument of type `&Type`. The methods after the
/// table are not mere forwarding.
///
/// Copying the arguments for a task, and again for each attempt, is cheap: ids and documents are
/// shared, and rotations contain a few short texts.
macro_rules! verbs {
    (
        $trait:ident {
            $(
                $class:ident $verb:ident(
                    $($(&$reference:ident)? $($value:ident)?: $type:ty),*
                ) -> $answer:ty = $function:path;
            )*
        }
        $($other:tt)*
    ) => {
        #[async_trait]
        impl $trait for PostgresStore {
            $(
                async fn $verb(
                    &self,
                    $($($reference: &$type)? $($value: $type)?),*
                ) -> Result<$answer, StoreError> {
                    $($(let $reference = $reference.to_owned();)?)*
                    let job = move |db| $function(db, $($($reference.clone())? $($value)?),*);
                    self.inner.runner.run(stringify!($verb), Verb::$class, job).await
                }
            )*

            $($other)*
        }
    };
}

verbs! {
    Store {
        Repeatable check_ready() -> () = ready::check;
        Once insert_session(&session: SessionRecord) -> InsertOutcome = sessions::insert;
        Read session(&key: SessionKey, now: UnixMillis) -> Option<SessionRecord> = sessions::find;
        Read session_status(&key: SessionKey, now: UnixMillis) -> Option<SessionStatus>
            = sessions::find_status;
        Once rotate(
            &key: SessionKey, &expected: Lineage, &expected_payload: JsonObject, &next: Rotation, now: UnixMillis
        ) -> RotateOutcome = sessions::rotate;
        Once delete_sessions(&keys: [SessionKey]) -> Vec<SessionKey> = sessions::delete;
        Once delete_user_sessions(&selection: UserSessions, now: UnixMillis) -> Vec<SessionHandle>
            = user_sessions::delete;
        Read user_sessions(&selection: UserSessions, now: UnixMillis) -> Vec<SessionRecord>
            = user_sessions::records;
        Read user_session_handles(&selection: UserSessions, now: UnixMillis) -> Vec<SessionHandle>
            = user_sessions::handles;
        Repeatable record_uses(&uses: [SessionUse], now: UnixMillis) -> () = devices::record_uses;
        Once delete_expired_sessions(now: UnixMillis, limit: u32) -> u64 = sessions::delete_expired;
        Read user_metadata(&app: AppId, &user: UserId) -> Option<JsonObject> = metadata::find;
        Once delete_user_metadata(&app: AppId, &user: UserId) -> bool = metadata::delete;
        Read signing_keys(&app: AppId) -> Vec<StoredKey> = keys::all;
        Once add_dynamic_key(&app: AppId, &candidate: StoredKey, not_if_since: UnixMillis) -> bool
            = keys::add_dynamic;
        Once add_static_key(&app: AppId, &candidate: StoredKey) -> bool = keys::add_static;
        Once delete_dynamic_keys(&app: AppId, created_before: UnixMillis) -> u64
            = keys::delete_dynamic;
        Repeatable refresh_token_key(&app: AppId, &candidate: SecretText, now: UnixMillis) -> SecretText
            = keys::refresh_token_key;
    }

    async fn write_document(
        &self,
        key: &SessionKey,
        document: SessionDocument,
        write: &DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError> {
        let document = Document::OfSession(document, key.clone());
        let batcher = &self.inner.batcher;
        batcher.write(document, write.clone(), now).await
    }

    async fn write_user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
        write: &DocumentWrite,
    ) -> Result<WriteOutcome, StoreError> {
        let document = Document::Metadata(app.clone(), user.clone());
        let batcher = &self.inner.batcher;
        // Metadata does not expire.
        batcher
            .write(document, write.clone(), UnixMillis::default())
            .await
    }

    async fn set_device_label(
        &self,
        key: &SessionKey,
        label: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let (key, label) = (key.clone(), label.map(str::to_owned));
        self.inner
            .runner
            .run("set_device_label", Verb::Repeatable, move |db| {
                devices::set_label(db, key.clone(), label.clone(), now)
            })
            .await
    }

    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, StoreError> {
        let Some(feed) = self.inner.feed.clone() else {
            return Ok(None);
        };
        let runner = &self.inner.runner;
        let limit = runner.time_limit;
        let task = runner.runtime.spawn(async move {
            let subscribing = tokio::time::timeout(limit, feed.subscribe());
            subscribing.await.unwrap_or(Err(Fault::TimedOut))
        });
        let outcome = task.await.unwrap_or(Err(Fault::RuntimeEnded));
        outcome
            .map(Some)
            .map_err(|fault| fault.into_store_error("revocation_feed", Access::Read))
    }
}

verbs! {
    TenantStore {
        Read tenants() -> Vec<TenantRecord> = tenants::all;
        Once put_tenant(&tenant: TenantRecord, now: UnixMillis) -> bool = tenants::put;
        Once delete_tenant(&app: AppId, &tenant: TenantId) -> bool = tenants::delete;
        Once delete_app(&app: AppId) -> bool = tenants::delete_app;
        Read count_active_users(&app: AppId, since: UnixMillis, now: UnixMillis) -> u64
            = tenants::count_active_users;
    }
}
