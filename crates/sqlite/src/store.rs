//! The SQLite store. Passes each verb of the contract to the thread that executes it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use supersession::store::{
    DocumentWrite, InsertOutcome, Lineage, RevocationFeed, RotateOutcome, Rotation,
    SessionDocument, SessionKey, SessionRecord, SessionStatus, SessionUse, StoreError, StoredKey,
    TenantRecord, TenantStore, UserSessions, WriteOutcome,
};
use supersession::{
    AppId, JsonObject, SecretText, SessionHandle, Store, TenantId, UnixMillis, UserId,
};

use crate::change::{Change, Document};
use crate::fault::{Access, Fault};
use crate::health::Health;
use crate::job::Workers;
use crate::readers::Readers;
use crate::schema;
use crate::sql::{devices, keys, metadata, sessions, tenants, user_sessions};
use crate::writer::Entry;

/// Store for sessions, metadata and keys in a SQLite database. See the [crate
/// documentation](crate).
///
/// Clones share one database. It is closed when the last clone is dropped.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) path: Option<PathBuf>,
    /// `None` for a database in memory, which belongs to the writer's connection.
    pub(crate) readers: Option<Readers>,
    // Invariant: dropped after the readers. Its connection must close last, because a read-only
    // connection cannot empty the log.
    pub(crate) writer: Workers<Entry>,
    pub(crate) health: Arc<Health>,
}

impl Inner {
    fn fault(&self, fault: Fault, verb: &'static str, access: Access) -> StoreError {
        self.health.learn(&fault);
        fault.into_store_error(verb, access)
    }
}

impl SqliteStore {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Reads one or two rows.
    pub(crate) async fn read<T, F>(&self, verb: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let answer = match (self.inner.health.before_read(), &self.inner.readers) {
            (Err(trouble), _) => Err(trouble.into()),
            (Ok(()), Some(readers)) => readers.point(work).await,
            (Ok(()), None) => self.inner.writer.queue().run(work).await,
        };
        answer.map_err(|fault| self.inner.fault(fault, verb, Access::Read))
    }

    /// Reads all rows of a user or an app.
    async fn list<T, F>(&self, verb: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let answer = match (self.inner.health.before_read(), &self.inner.readers) {
            (Err(trouble), _) => Err(trouble.into()),
            (Ok(()), Some(readers)) => readers.list(work).await,
            (Ok(()), None) => self.inner.writer.queue().run(work).await,
        };
        answer.map_err(|fault| self.inner.fault(fault, verb, Access::Read))
    }

    pub(crate) async fn write<T, F>(&self, verb: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let answer = self.inner.writer.queue().run(work).await;
        answer.map_err(|fault| self.inner.fault(fault, verb, Access::Write))
    }

    /// Changes a document. Concurrent changes may be written together.
    async fn change(
        &self,
        verb: &'static str,
        document: Document,
        write: &DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError> {
        let (change, answer) = Change::new(document, write.clone(), now);
        let queue = self.inner.writer.queue();
        let answer = queue.hand_in(Entry::Change(change), answer).await;
        answer.map_err(|fault| self.inner.fault(fault, verb, Access::Write))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

// Cloning the arguments of a job is cheap: ids and documents are shared, and rotations contain a
// few short texts.
#[async_trait]
impl Store for SqliteStore {
    async fn check_ready(&self) -> Result<(), StoreError> {
        self.write("check_ready", schema::check_ready).await
    }

    async fn insert_session(&self, session: &SessionRecord) -> Result<InsertOutcome, StoreError> {
        let session = session.clone();
        self.write("insert_session", move |db| sessions::insert(db, &session))
            .await
    }

    async fn session(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let key = key.clone();
        self.read("session", move |db| sessions::find(db, &key, now))
            .await
    }

    async fn session_status(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionStatus>, StoreError> {
        let key = key.clone();
        self.read("session_status", move |db| {
            sessions::find_standing(db, &key, now)
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
        self.write("rotate", move |db| {
            sessions::rotate(db, &key, &expected, &expected_payload, &next, now)
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
        self.change("write_document", document, write, now).await
    }

    async fn delete_sessions(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        let keys = keys.to_vec();
        self.write("delete_sessions", move |db| sessions::delete(db, &keys))
            .await
    }

    async fn delete_user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let selection = selection.clone();
        self.write("delete_user_sessions", move |db| {
            user_sessions::delete(db, &selection, now)
        })
        .await
    }

    async fn user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let selection = selection.clone();
        self.list("user_sessions", move |db| {
            user_sessions::records(db, &selection, now)
        })
        .await
    }

    async fn user_session_handles(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let selection = selection.clone();
        self.list("user_session_handles", move |db| {
            user_sessions::handles(db, &selection, now)
        })
        .await
    }

    async fn record_uses(&self, uses: &[SessionUse], now: UnixMillis) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        self.write("record_uses", move |db| {
            devices::record_uses(db, &uses, now)
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
        self.write("set_device_label", move |db| {
            devices::set_label(db, &key, label.as_deref(), now)
        })
        .await
    }

    // SQLite does not notify a process of another process's changes.
    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, StoreError> {
        Ok(None)
    }

    async fn delete_expired_sessions(
        &self,
        now: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.write("delete_expired_sessions", move |db| {
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
        self.read("user_metadata", move |db| metadata::find(db, &app, &user))
            .await
    }

    async fn write_user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
        write: &DocumentWrite,
    ) -> Result<WriteOutcome, StoreError> {
        let document = Document::Metadata(app.clone(), user.clone());
        // Metadata does not expire.
        let now = UnixMillis::default();
        self.change("write_user_metadata", document, write, now)
            .await
    }

    async fn delete_user_metadata(&self, app: &AppId, user: &UserId) -> Result<bool, StoreError> {
        let (app, user) = (app.clone(), user.clone());
        self.write("delete_user_metadata", move |db| {
            metadata::delete(db, &app, &user)
        })
        .await
    }

    async fn signing_keys(&self, app: &AppId) -> Result<Vec<StoredKey>, StoreError> {
        let app = app.clone();
        self.list("signing_keys", move |db| keys::all(db, &app))
            .await
    }

    async fn add_dynamic_key(
        &self,
        app: &AppId,
        candidate: &StoredKey,
        not_if_since: UnixMillis,
    ) -> Result<bool, StoreError> {
        let (app, candidate) = (app.clone(), candidate.clone());
        self.write("add_dynamic_key", move |db| {
            keys::add_dynamic(db, &app, &candidate, not_if_since)
        })
        .await
    }

    async fn add_static_key(&self, app: &AppId, candidate: &StoredKey) -> Result<bool, StoreError> {
        let (app, candidate) = (app.clone(), candidate.clone());
        self.write("add_static_key", move |db| {
            keys::add_static(db, &app, &candidate)
        })
        .await
    }

    async fn delete_dynamic_keys(
        &self,
        app: &AppId,
        created_before: UnixMillis,
    ) -> Result<u64, StoreError> {
        let app = app.clone();
        self.write("delete_dynamic_keys", move |db| {
            keys::delete_dynamic(db, &app, created_before)
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
        self.write("refresh_token_key", move |db| {
            keys::refresh_token_key(db, &app, &candidate, now)
        })
        .await
    }
}

#[async_trait]
impl TenantStore for SqliteStore {
    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError> {
        self.read("tenants", tenants::all).await
    }

    async fn put_tenant(&self, tenant: &TenantRecord, now: UnixMillis) -> Result<bool, StoreError> {
        let tenant = tenant.clone();
        self.write("put_tenant", move |db| tenants::put(db, &tenant, now))
            .await
    }

    async fn delete_tenant(&self, app: &AppId, tenant: &TenantId) -> Result<bool, StoreError> {
        let (app, tenant) = (app.clone(), tenant.clone());
        self.write("delete_tenant", move |db| {
            tenants::delete(db, &app, &tenant)
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
        self.read("count_active_users", move |db| {
            tenants::count_active_users(db, &app, since, now)
        })
        .await
    }

    async fn delete_app(&self, app: &AppId) -> Result<bool, StoreError> {
        let app = app.clone();
        self.write("delete_app", move |db| tenants::delete_app(db, &app))
            .await
    }
}
