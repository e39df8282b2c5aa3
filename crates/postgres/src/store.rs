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

// Cloning the arguments of a job is cheap: ids and documents are shared, and rotations contain a
// few short texts.
#[async_trait]
impl Store for PostgresStore {
    async fn check_ready(&self) -> Result<(), StoreError> {
        self.inner
            .runner
            .run("check_ready", Verb::Repeatable, ready::check)
            .await
    }

    async fn insert_session(&self, session: &SessionRecord) -> Result<InsertOutcome, StoreError> {
        let session = session.clone();
        self.inner
            .runner
            .run("insert_session", Verb::Once, move |db| {
                sessions::insert(db, session.clone())
            })
            .await
    }

    async fn session(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let key = key.clone();
        self.inner
            .runner
            .run("session", Verb::Read, move |db| {
                sessions::find(db, key.clone(), now)
            })
            .await
    }

    async fn session_status(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionStatus>, StoreError> {
        let key = key.clone();
        self.inner
            .runner
            .run("session_status", Verb::Read, move |db| {
                sessions::find_standing(db, key.clone(), now)
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
        let (key, expected, expected_payload, next) = (
            key.clone(),
            expected.clone(),
            expected_payload.clone(),
            next.clone(),
        );
        self.inner
            .runner
            .run("rotate", Verb::Once, move |db| {
                sessions::rotate(
                    db,
                    key.clone(),
                    expected.clone(),
                    expected_payload.clone(),
                    next.clone(),
                    now,
                )
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
        let document = Document::OfSession(document, key.clone());
        let batcher = &self.inner.batcher;
        batcher.write(document, write.clone(), now).await
    }

    async fn delete_sessions(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        let keys = keys.to_vec();
        self.inner
            .runner
            .run("delete_sessions", Verb::Once, move |db| {
                sessions::delete(db, keys.clone())
            })
            .await
    }

    async fn delete_user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let selection = selection.clone();
        self.inner
            .runner
            .run("delete_user_sessions", Verb::Once, move |db| {
                user_sessions::delete(db, selection.clone(), now)
            })
            .await
    }

    async fn user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let selection = selection.clone();
        self.inner
            .runner
            .run("user_sessions", Verb::Read, move |db| {
                user_sessions::records(db, selection.clone(), now)
            })
            .await
    }

    async fn user_session_handles(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let selection = selection.clone();
        self.inner
            .runner
            .run("user_session_handles", Verb::Read, move |db| {
                user_sessions::handles(db, selection.clone(), now)
            })
            .await
    }

    async fn record_uses(&self, uses: &[SessionUse], now: UnixMillis) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        self.inner
            .runner
            .run("record_uses", Verb::Repeatable, move |db| {
                devices::record_uses(db, uses.clone(), now)
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

    async fn delete_expired_sessions(
        &self,
        now: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.inner
            .runner
            .run("delete_expired_sessions", Verb::Once, move |db| {
                sessions::delete_expired(db, now, limit)
            })
            .await
    }

    async fn user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
    ) -> Result<Option<JsonObject>, StoreError> {
        let (app, user) = (app.clone(), user.clone());
        self.inner
            .runner
            .run("user_metadata", Verb::Read, move |db| {
                metadata::find(db, app.clone(), user.clone())
            })
            .await
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

    async fn delete_user_metadata(&self, app: &AppId, user: &UserId) -> Result<bool, StoreError> {
        let (app, user) = (app.clone(), user.clone());
        self.inner
            .runner
            .run("delete_user_metadata", Verb::Once, move |db| {
                metadata::delete(db, app.clone(), user.clone())
            })
            .await
    }

    async fn signing_keys(&self, app: &AppId) -> Result<Vec<StoredKey>, StoreError> {
        let app = app.clone();
        self.inner
            .runner
            .run("signing_keys", Verb::Read, move |db| {
                keys::all(db, app.clone())
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
        self.inner
            .runner
            .run("add_dynamic_key", Verb::Once, move |db| {
                keys::add_dynamic(db, app.clone(), candidate.clone(), not_if_since)
            })
            .await
    }

    async fn add_static_key(&self, app: &AppId, candidate: &StoredKey) -> Result<bool, StoreError> {
        let (app, candidate) = (app.clone(), candidate.clone());
        self.inner
            .runner
            .run("add_static_key", Verb::Once, move |db| {
                keys::add_static(db, app.clone(), candidate.clone())
            })
            .await
    }

    async fn delete_dynamic_keys(
        &self,
        app: &AppId,
        created_before: UnixMillis,
    ) -> Result<u64, StoreError> {
        let app = app.clone();
        self.inner
            .runner
            .run("delete_dynamic_keys", Verb::Once, move |db| {
                keys::delete_dynamic(db, app.clone(), created_before)
            })
            .await
    }

    async fn refresh_token_key(
        &self,
        app: &AppId,
        candidate: &SecretText,
        now: UnixMillis,
    ) -> Result<SecretText, StoreError> {
        let (app, candidate) = (app.clone(), candidate.clone());
        self.inner
            .runner
            .run("refresh_token_key", Verb::Repeatable, move |db| {
                keys::refresh_token_key(db, app.clone(), candidate.clone(), now)
            })
            .await
    }
}

#[async_trait]
impl TenantStore for PostgresStore {
    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError> {
        self.inner
            .runner
            .run("tenants", Verb::Read, tenants::all)
            .await
    }

    async fn put_tenant(&self, tenant: &TenantRecord, now: UnixMillis) -> Result<bool, StoreError> {
        let tenant = tenant.clone();
        self.inner
            .runner
            .run("put_tenant", Verb::Once, move |db| {
                tenants::put(db, tenant.clone(), now)
            })
            .await
    }

    async fn delete_tenant(&self, app: &AppId, tenant: &TenantId) -> Result<bool, StoreError> {
        let (app, tenant) = (app.clone(), tenant.clone());
        self.inner
            .runner
            .run("delete_tenant", Verb::Once, move |db| {
                tenants::delete(db, app.clone(), tenant.clone())
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
        self.inner
            .runner
            .run("count_active_users", Verb::Read, move |db| {
                tenants::count_active_users(db, app.clone(), since, now)
            })
            .await
    }

    async fn delete_app(&self, app: &AppId) -> Result<bool, StoreError> {
        let app = app.clone();
        self.inner
            .runner
            .run("delete_app", Verb::Once, move |db| {
                tenants::delete_app(db, app.clone())
            })
            .await
    }
}
