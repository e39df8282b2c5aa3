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

/// Implements a store trait by a table: the access, the method, and the function that runs it on a
/// connection. `read` is for one or two rows, `list` for any number. `&name: Type` is an argument of
/// type `&Type`. The methods after the table are not mere forwarding.
///
/// Copying the arguments for another thread is cheap: ids and documents are shared, and rotations
/// contain a few short texts.
macro_rules! verbs {
    (
        $trait:ident {
            $(
                $access:ident $verb:ident(
                    $($(&$reference:ident)? $($value:ident)?: $type:ty),*
                ) -> $answer:ty = $function:path;
            )*
        }
        $($other:tt)*
    ) => {
        #[async_trait]
        impl $trait for SqliteStore {
            $(
                async fn $verb(
                    &self,
                    $($($reference: &$type)? $($value: $type)?),*
                ) -> Result<$answer, StoreError> {
                    $($(let $reference = $reference.to_owned();)?)*
                    let work = move |db: &Connection| $function(db, $($(&$reference)? $($value)?),*);
                    self.$access(stringify!($verb), work).await
                }
            )*

            $($other)*
        }
    };
}

verbs! {
    Store {
        write check_ready() -> () = schema::check_ready;
        write insert_session(&session: SessionRecord) -> InsertOutcome = sessions::insert;
        read session(&key: SessionKey, now: UnixMillis) -> Option<SessionRecord> = sessions::find;
        read session_status(&key: SessionKey, now: UnixMillis) -> Option<SessionStatus>
            = sessions::find_status;
        write rotate(
            &key: SessionKey, &expected: Lineage, &expected_payload: JsonObject, &next: Rotation, now: UnixMillis
        ) -> RotateOutcome = sessions::rotate;
        write delete_sessions(&keys: [SessionKey]) -> Vec<SessionKey> = sessions::delete;
        write delete_user_sessions(&selection: UserSessions, now: UnixMillis) -> Vec<SessionHandle>
            = user_sessions::delete;
        list user_sessions(&selection: UserSessions, now: UnixMillis) -> Vec<SessionRecord>
            = user_sessions::records;
        list user_session_handles(&selection: UserSessions, now: UnixMillis) -> Vec<SessionHandle>
            = user_sessions::handles;
        write record_uses(&uses: [SessionUse], now: UnixMillis) -> () = devices::record_uses;
        write delete_expired_sessions(now: UnixMillis, limit: u32) -> u64
            = sessions::delete_expired;
        read user_metadata(&app: AppId, &user: UserId) -> Option<JsonObject> = metadata::find;
        write delete_user_metadata(&app: AppId, &user: UserId) -> bool = metadata::delete;
        list signing_keys(&app: AppId) -> Vec<StoredKey> = keys::all;
        write add_dynamic_key(&app: AppId, &candidate: StoredKey, not_if_since: UnixMillis) -> bool
            = keys::add_dynamic;
        write add_static_key(&app: AppId, &candidate: StoredKey) -> bool = keys::add_static;
        write delete_dynamic_keys(&app: AppId, created_before: UnixMillis) -> u64
            = keys::delete_dynamic;
        write refresh_token_key(&app: AppId, &candidate: SecretText, now: UnixMillis) -> SecretText
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
        self.change("write_document", document, write, now).await
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
}

verbs! {
    TenantStore {
        read tenants() -> Vec<TenantRecord> = tenants::all;
        write put_tenant(&tenant: TenantRecord, now: UnixMillis) -> bool = tenants::put;
        write delete_tenant(&app: AppId, &tenant: TenantId) -> bool = tenants::delete;
        write delete_app(&app: AppId) -> bool = tenants::delete_app;
        read count_active_users(&app: AppId, since: UnixMillis, now: UnixMillis) -> u64
            = tenants::count_active_users;
    }
}
