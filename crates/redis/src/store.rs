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

// Cloning the arguments of a job is cheap: ids and documents are shared, and rotations contain a
// few short texts.
#[async_trait]
impl Store for RedisStore {
    async fn check_ready(&self) -> Result<(), StoreError> {
        let store = self.context();
        self.run("check_ready", async move { ready::check(&store).await })
            .await
    }

    async fn insert_session(&self, session: &SessionRecord) -> Result<InsertOutcome, StoreError> {
        let session = session.clone();
        let store = self.context();
        self.run("insert_session", async move {
            sessions::insert(&store, &session).await
        })
        .await
    }

    async fn session(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let key = key.clone();
        let store = self.context();
        self.run(
            "session",
            async move { sessions::find(&store, &key, now).await },
        )
        .await
    }

    async fn session_status(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionStatus>, StoreError> {
        let key = key.clone();
        let store = self.context();
        self.run("session_status", async move {
            sessions::find_standing(&store, &key, now).await
        })
        .await
    }

    async fn rotate(
        &self,
        key: &SessionKey,
        expected: &Lineage,
        expected_payload: &JsonObject,
        next: &Rotation,
        now: UnixMillis,
    ) -> Result<RotateOutcome, StoreError> {
        let (key, expected) = (key.clone(), expected.clone());
        let (expected_payload, next) = (expected_payload.clone(), next.clone());
        let store = self.context();
        self.run("rotate", async move {
            sessions::rotate(&store, &key, &expected, &expected_payload, &next, now).await
        })
        .await
    }

    async fn write_document(
        &self,
        key: &SessionKey,
        document: SessionDocument,
        write: &DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError> {
        let (key, write) = (key.clone(), write.clone());
        let store = self.context();
        self.run("write_document", async move {
            documents::write(&store, &key, document, &write, now).await
        })
        .await
    }

    async fn delete_sessions(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        let keys = keys.to_vec();
        let store = self.context();
        self.run("delete_sessions", async move {
            sessions::delete(&store, &keys).await
        })
        .await
    }

    async fn delete_user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let selection = selection.clone();
        let store = self.context();
        self.run("delete_user_sessions", async move {
            user_sessions::delete(&store, &selection, now).await
        })
        .await
    }

    async fn user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let selection = selection.clone();
        let store = self.context();
        self.run("user_sessions", async move {
            user_sessions::records(&store, &selection, now).await
        })
        .await
    }

    async fn user_session_handles(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let selection = selection.clone();
        let store = self.context();
        self.run("user_session_handles", async move {
            user_sessions::handles(&store, &selection, now).await
        })
        .await
    }

    async fn record_uses(&self, uses: &[SessionUse], now: UnixMillis) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        let store = self.context();
        self.run("record_uses", async move {
            devices::record_uses(&store, &uses, now).await
        })
        .await
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

    async fn delete_expired_sessions(
        &self,
        now: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let store = self.context();
        self.run("delete_expired_sessions", async move {
            expiry::delete_expired(&store, now, limit).await
        })
        .await
    }

    async fn user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
    ) -> Result<Option<JsonObject>, StoreError> {
        let (app, user) = (app.clone(), user.clone());
        let store = self.context();
        self.run("user_metadata", async move {
            metadata::find(&store, &app, &user).await
        })
        .await
    }

    async fn write_user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
        write: &DocumentWrite,
    ) -> Result<WriteOutcome, StoreError> {
        let (app, user, write) = (app.clone(), user.clone(), write.clone());
        let store = self.context();
        self.run("write_user_metadata", async move {
            metadata::write(&store, &app, &user, &write).await
        })
        .await
    }

    async fn delete_user_metadata(&self, app: &AppId, user: &UserId) -> Result<bool, StoreError> {
        let (app, user) = (app.clone(), user.clone());
        let store = self.context();
        self.run("delete_user_metadata", async move {
            metadata::delete(&store, &app, &user).await
        })
        .await
    }

    async fn signing_keys(&self, app: &AppId) -> Result<Vec<StoredKey>, StoreError> {
        let app = app.clone();
        let store = self.context();
        self.run("signing_keys", async move {
            signing_keys::all(&store, &app).await
        })
        .await
    }

    async fn add_dynamic_key(
        &self,
        app: &AppId,
        candidate: &StoredKey,
        not_if_since: UnixMillis,
    ) -> Result<bool, StoreError> {
        let (app, candidate) = (app.clone(), candidate.clone());
        let store = self.context();
        self.run("add_dynamic_key", async move {
            signing_keys::add_dynamic(&store, &app, &candidate, not_if_since).await
        })
        .await
    }

    async fn add_static_key(&self, app: &AppId, candidate: &StoredKey) -> Result<bool, StoreError> {
        let (app, candidate) = (app.clone(), candidate.clone());
        let store = self.context();
        self.run("add_static_key", async move {
            signing_keys::add_static(&store, &app, &candidate).await
        })
        .await
    }

    async fn delete_dynamic_keys(
        &self,
        app: &AppId,
        created_before: UnixMillis,
    ) -> Result<u64, StoreError> {
        let app = app.clone();
        let store = self.context();
        self.run("delete_dynamic_keys", async move {
            signing_keys::delete_dynamic(&store, &app, created_before).await
        })
        .await
    }

    async fn refresh_token_key(
        &self,
        app: &AppId,
        candidate: &SecretText,
        _now: UnixMillis,
    ) -> Result<SecretText, StoreError> {
        let (app, candidate) = (app.clone(), candidate.clone());
        let store = self.context();
        self.run("refresh_token_key", async move {
            signing_keys::refresh_token_key(&store, &app, &candidate).await
        })
        .await
    }
}

#[async_trait]
impl TenantStore for RedisStore {
    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError> {
        let store = self.context();
        self.run("tenants", async move { tenants::all(&store).await })
            .await
    }

    async fn put_tenant(&self, tenant: &TenantRecord, _: UnixMillis) -> Result<bool, StoreError> {
        let tenant = tenant.clone();
        let store = self.context();
        self.run(
            "put_tenant",
            async move { tenants::put(&store, &tenant).await },
        )
        .await
    }

    async fn delete_tenant(&self, app: &AppId, tenant: &TenantId) -> Result<bool, StoreError> {
        let (app, tenant) = (app.clone(), tenant.clone());
        let store = self.context();
        self.run("delete_tenant", async move {
            tenants::delete(&store, &app, &tenant).await
        })
        .await
    }

    async fn count_active_users(
        &self,
        app: &AppId,
        since: UnixMillis,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let app = app.clone();
        let store = self.context();
        self.run("count_active_users", async move {
            tenants::count_active_users(&store, &app, since, now).await
        })
        .await
    }

    async fn delete_app(&self, app: &AppId) -> Result<bool, StoreError> {
        let app = app.clone();
        let store = self.context();
        self.run("delete_app", async move {
            tenants::delete_app(&store, &app).await
        })
        .await
    }
}
