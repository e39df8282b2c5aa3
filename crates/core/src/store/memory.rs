//! The reference implementation of the contract, for tests and for programs that need no
//! durability.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    DocumentWrite, InsertOutcome, KeyKind, Lineage, RevocationFeed, RevocationSender,
    RotateOutcome, Rotation, SessionDocument, SessionKey, SessionRecord, SessionUse, Store,
    StoreError, StoredKey, TenantRecord, TenantStore, UserSessions, WriteOutcome,
};
use crate::clock::UnixMillis;
use crate::ids::{AppId, SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::secret::SecretText;

/// An in-memory store behind one lock. Its contents are lost when the process ends, and are not
/// shared between processes. A clone is the same store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    publishes_revocations: bool,
}

#[derive(Default)]
struct Tables {
    /// Keys and values are on the heap, because a hash table has up to twice as many slots as
    /// entries. The key is shared by all three tables.
    sessions: HashMap<Arc<SessionKey>, Box<SessionRecord>>,
    /// The sessions of each user. Updated together with `sessions`.
    by_user: HashMap<(AppId, UserId), Vec<Arc<SessionKey>>>,
    /// All sessions, ordered by expiry. Updated together with `sessions`.
    by_expiry: BTreeSet<Expiry>,
    metadata: HashMap<(AppId, UserId), JsonObject>,
    keys: HashMap<AppId, Vec<StoredKey>>,
    refresh_token_keys: HashMap<AppId, SecretText>,
    tenants: BTreeMap<(AppId, TenantId), TenantRecord>,
    listeners: Vec<RevocationSender>,
}

/// The expiry of a session. Sessions that expire in the same millisecond are distinguished by the
/// address of their key, which is unique and avoids comparing keys.
#[derive(Debug)]
struct Expiry {
    at: UnixMillis,
    key: Arc<SessionKey>,
}

impl Expiry {
    fn rank(&self) -> (UnixMillis, *const SessionKey) {
        (self.at, Arc::as_ptr(&self.key))
    }
}

impl Ord for Expiry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Expiry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Expiry {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Expiry {}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an empty store with a revocation feed, as stores that several nodes share have.
    #[must_use]
    pub fn with_revocation_feed() -> Self {
        Self {
            publishes_revocations: true,
            ..Self::default()
        }
    }

    /// Closes all revocation feeds, as the loss of a connection does.
    pub fn lose_revocation_feed(&self) {
        self.tables().listeners.clear();
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Every critical section below leaves the tables consistent at each step, so a poisoned
        // lock is still sound.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore")
            .field("sessions", &self.tables().sessions.len())
            .finish_non_exhaustive()
    }
}

impl Tables {
    fn live(&mut self, key: &SessionKey, now: UnixMillis) -> Option<&mut SessionRecord> {
        let session = self.sessions.get_mut(key)?;
        (now < session.expires_at).then_some(session)
    }

    fn insert(&mut self, session: SessionRecord) {
        let key = Arc::new(session.key.clone());
        let user = (key.app.clone(), session.user_id.clone());
        let of_user = self.by_user.entry(user).or_default();
        of_user.push(Arc::clone(&key));
        self.by_expiry.insert(Expiry {
            at: session.expires_at,
            key: Arc::clone(&key),
        });
        self.sessions.insert(key, Box::new(session));
    }

    fn reorder(&mut self, key: &SessionKey, before: UnixMillis, after: UnixMillis) {
        if before == after {
            return;
        }
        if let Some((key, _)) = self.sessions.get_key_value(key) {
            let key = Arc::clone(key);
            let mut expiry = Expiry { at: before, key };
            self.by_expiry.remove(&expiry);
            expiry.at = after;
            self.by_expiry.insert(expiry);
        }
    }

    /// Revokes a session and notifies the feeds.
    fn remove(&mut self, key: &SessionKey) -> bool {
        let was_there = self.forget(key);
        if was_there {
            self.listeners.retain(|listener| listener.tell(key.clone()));
        }
        was_there
    }

    fn forget(&mut self, key: &SessionKey) -> bool {
        let Some((key, session)) = self.sessions.remove_entry(key) else {
            return false;
        };
        self.by_expiry.remove(&Expiry {
            at: session.expires_at,
            key: Arc::clone(&key),
        });
        let user = (session.key.app, session.user_id);
        if let Some(keys) = self.by_user.get_mut(&user) {
            keys.retain(|own| *own != key);
            if keys.is_empty() {
                self.by_user.remove(&user);
            }
        }
        true
    }

    fn delete_tenant_sessions(&mut self, app: &AppId, tenant: Option<&TenantId>) {
        let doomed = self
            .sessions
            .keys()
            .filter(|key| key.app == *app && tenant.is_none_or(|tenant| *tenant == key.tenant));
        for key in doomed.map(Arc::clone).collect::<Vec<_>>() {
            self.remove(&key);
        }
    }

    fn selected(&self, selection: &UserSessions, now: UnixMillis) -> Vec<&SessionRecord> {
        let user = (selection.app.clone(), selection.user_id.clone());
        let keys = self.by_user.get(&user).into_iter().flatten();
        let mut selected: Vec<_> = keys
            .filter_map(|key| self.sessions.get(key).map(Box::as_ref))
            .filter(|session| {
                let tenant = selection.tenant.as_ref();
                let except = selection.except.as_ref();
                tenant.is_none_or(|tenant| *tenant == session.key.tenant)
                    && except.is_none_or(|handle| *handle != session.key.handle)
                    && now < session.expires_at
            })
            .collect();
        selected.sort_by(|a, b| (a.created_at, &a.key.handle).cmp(&(b.created_at, &b.key.handle)));
        selected
    }
}

fn written(stored: &mut JsonObject, write: &DocumentWrite) -> WriteOutcome {
    match write.apply_to(stored) {
        Ok(document) => {
            stored.clone_from(&document);
            WriteOutcome::Written(document)
        }
        Err(_) => WriteOutcome::Conflict(stored.clone()),
    }
}

#[async_trait]
impl TenantStore for MemoryStore {
    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError> {
        Ok(self.tables().tenants.values().cloned().collect())
    }

    async fn put_tenant(&self, tenant: &TenantRecord, _: UnixMillis) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let app = &tenant.app;
        let root = TenantRecord::new(app.clone(), TenantId::default());
        let place = |record: &TenantRecord| (record.app.clone(), record.tenant.clone());
        let old = tables.tenants.insert(place(tenant), tenant.clone());
        tables.tenants.entry(place(&root)).or_insert(root);
        Ok(old.is_none())
    }

    async fn delete_tenant(&self, app: &AppId, tenant: &TenantId) -> Result<bool, StoreError> {
        if *tenant == TenantId::default() {
            return Ok(false);
        }
        let mut tables = self.tables();
        tables.delete_tenant_sessions(app, Some(tenant));
        let place = (app.clone(), tenant.clone());
        Ok(tables.tenants.remove(&place).is_some())
    }

    async fn count_active_users(
        &self,
        app: &AppId,
        since: UnixMillis,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let tables = self.tables();
        let users: HashSet<_> = tables
            .sessions
            .iter()
            .filter(|(key, record)| {
                key.app == *app && now < record.expires_at && record.last_used_at() >= since
            })
            .map(|(_, record)| &record.user_id)
            .collect();
        Ok(u64::try_from(users.len()).unwrap_or(u64::MAX))
    }

    async fn delete_app(&self, app: &AppId) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        tables.delete_tenant_sessions(app, None);
        tables.metadata.retain(|(owner, _), _| owner != app);
        tables.keys.remove(app);
        tables.refresh_token_keys.remove(app);
        let before = tables.tenants.len();
        tables.tenants.retain(|(owner, _), _| owner != app);
        Ok(tables.tenants.len() < before)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn check_ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn insert_session(&self, session: &SessionRecord) -> Result<InsertOutcome, StoreError> {
        let mut tables = self.tables();
        if tables.sessions.contains_key(&session.key) {
            return Ok(InsertOutcome::HandleTaken);
        }
        tables.insert(session.clone());
        Ok(InsertOutcome::Inserted)
    }

    async fn session(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.tables().live(key, now).cloned())
    }

    async fn rotate(
        &self,
        key: &SessionKey,
        expected: &Lineage,
        expected_payload: &JsonObject,
        next: &Rotation,
        now: UnixMillis,
    ) -> Result<RotateOutcome, StoreError> {
        let mut tables = self.tables();
        let Some(session) = tables.live(key, now) else {
            return Ok(RotateOutcome::Gone);
        };
        if session.lineage != *expected || session.payload != *expected_payload {
            return Ok(RotateOutcome::Changed);
        }
        session.lineage = next.lineage.clone();
        session.key_kind = next.key_kind;
        let before = std::mem::replace(&mut session.expires_at, next.expires_at);
        tables.reorder(key, before, next.expires_at);
        Ok(RotateOutcome::Rotated)
    }

    async fn write_document(
        &self,
        key: &SessionKey,
        document: SessionDocument,
        write: &DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError> {
        let mut tables = self.tables();
        let Some(session) = tables.live(key, now) else {
            return Ok(WriteOutcome::Gone);
        };
        let stored = match document {
            SessionDocument::SessionData => &mut session.session_data,
            SessionDocument::Payload => &mut session.payload,
        };
        Ok(written(stored, write))
    }

    async fn delete_sessions(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        let mut tables = self.tables();
        Ok(keys
            .iter()
            .filter(|key| tables.remove(key))
            .cloned()
            .collect())
    }

    async fn delete_user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let mut tables = self.tables();
        let keys: Vec<_> = tables
            .selected(selection, now)
            .into_iter()
            .map(|session| session.key.clone())
            .collect();
        for key in &keys {
            tables.remove(key);
        }
        Ok(keys.into_iter().map(|key| key.handle).collect())
    }

    async fn user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        Ok(self
            .tables()
            .selected(selection, now)
            .into_iter()
            .cloned()
            .collect())
    }

    async fn user_session_handles(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        Ok(self
            .tables()
            .selected(selection, now)
            .into_iter()
            .map(|session| session.key.handle.clone())
            .collect())
    }

    async fn record_uses(&self, uses: &[SessionUse], now: UnixMillis) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for used in uses {
            if let Some(session) = tables.live(&used.key, now) {
                session.device.note(used);
            }
        }
        Ok(())
    }

    async fn set_device_label(
        &self,
        key: &SessionKey,
        label: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let session = tables.live(key, now);
        let found = session.is_some();
        if let Some(session) = session {
            session.device.label = label.map(str::to_owned);
        }
        Ok(found)
    }

    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, StoreError> {
        if !self.publishes_revocations {
            return Ok(None);
        }
        let (sender, revocations) = RevocationFeed::channel();
        self.tables().listeners.push(sender);
        Ok(Some(revocations))
    }

    async fn delete_expired_sessions(
        &self,
        now: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let expired: Vec<_> = tables
            .by_expiry
            .iter()
            .take_while(|expiry| expiry.at <= now)
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(|expiry| Arc::clone(&expiry.key))
            .collect();
        for key in &expired {
            tables.forget(key);
        }
        Ok(expired.len() as u64)
    }

    async fn user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
    ) -> Result<Option<JsonObject>, StoreError> {
        Ok(self
            .tables()
            .metadata
            .get(&(app.clone(), user.clone()))
            .cloned())
    }

    async fn write_user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
        write: &DocumentWrite,
    ) -> Result<WriteOutcome, StoreError> {
        let mut tables = self.tables();
        let id = (app.clone(), user.clone());
        let mut document = tables.metadata.get(&id).cloned().unwrap_or_default();
        let outcome = written(&mut document, write);
        if matches!(outcome, WriteOutcome::Written(_)) {
            tables.metadata.insert(id, document);
        }
        Ok(outcome)
    }

    async fn delete_user_metadata(&self, app: &AppId, user: &UserId) -> Result<bool, StoreError> {
        Ok(self
            .tables()
            .metadata
            .remove(&(app.clone(), user.clone()))
            .is_some())
    }

    async fn signing_keys(&self, app: &AppId) -> Result<Vec<StoredKey>, StoreError> {
        let mut keys = self.tables().keys.get(app).cloned().unwrap_or_default();
        keys.sort_by(|a, b| (b.created_at, &b.kid).cmp(&(a.created_at, &a.kid)));
        Ok(keys)
    }

    async fn add_dynamic_key(
        &self,
        app: &AppId,
        candidate: &StoredKey,
        not_if_since: UnixMillis,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let keys = tables.keys.entry(app.clone()).or_default();
        let refused = keys.iter().any(|key| {
            key.kind == KeyKind::Dynamic
                && (key.created_at >= not_if_since || key.created_at == candidate.created_at)
        });
        if !refused {
            keys.push(candidate.clone());
        }
        Ok(!refused)
    }

    async fn add_static_key(&self, app: &AppId, candidate: &StoredKey) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let keys = tables.keys.entry(app.clone()).or_default();
        let refused = keys.iter().any(|key| key.kind == KeyKind::Static);
        if !refused {
            keys.push(candidate.clone());
        }
        Ok(!refused)
    }

    async fn delete_dynamic_keys(
        &self,
        app: &AppId,
        created_before: UnixMillis,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let keys = tables.keys.entry(app.clone()).or_default();
        let before = keys.len();
        keys.retain(|key| key.kind == KeyKind::Static || key.created_at >= created_before);
        Ok((before - keys.len()) as u64)
    }

    async fn refresh_token_key(
        &self,
        app: &AppId,
        candidate: &SecretText,
        _now: UnixMillis,
    ) -> Result<SecretText, StoreError> {
        let mut tables = self.tables();
        Ok(tables
            .refresh_token_keys
            .entry(app.clone())
            .or_insert_with(|| candidate.clone())
            .clone())
    }
}
