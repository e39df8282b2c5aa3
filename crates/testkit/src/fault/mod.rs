//! A store that fails on demand and records its calls.

mod verb;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use supersession::store::{
    DocumentWrite, InsertOutcome, Lineage, RevocationFeed, RotateOutcome, Rotation,
    SessionDocument, SessionKey, SessionRecord, SessionStatus, SessionUse, StoreError,
    StoreErrorKind, StoredKey, TenantRecord, TenantStore, UserSessions, WriteOutcome,
};
use supersession::{
    AppId, JsonObject, SecretText, SessionHandle, Store, TenantId, UnixMillis, UserId,
};

pub use verb::Verb;

/// Wraps a store. Calls are forwarded to it, except those that match a [`PlannedFault`].
///
/// Clones share the store, the plans and the log, so a test can keep one and hand out another.
///
/// # Examples
/// ```
/// use supersession::store::{MemoryStore, StoreErrorKind};
/// use supersession_testkit::{FaultStore, FaultTiming, PlannedFault, Verb};
///
/// let store = FaultStore::new(MemoryStore::new());
/// // The next two rotations are executed, but their callers receive an error.
/// store.plan(
///     PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Rotate).times(2).at(FaultTiming::After),
/// );
/// // After that, the next call of any method fails before it is executed.
/// store.plan(PlannedFault::new(StoreErrorKind::Internal));
/// ```
pub struct FaultStore<S: ?Sized> {
    inner: Arc<S>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    plans: Vec<PlannedFault>,
    calls: Vec<Verb>,
    tenant_reads: usize,
}

/// A planned failure.
#[derive(Clone, Copy, Debug)]
#[must_use = "a fault does nothing until it is given to `FaultStore::plan`"]
pub struct PlannedFault {
    kind: StoreErrorKind,
    verb: Option<Verb>,
    remaining: u32,
    moment: FaultTiming,
}

/// The time at which a planned fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultTiming {
    /// Instead of the call: the wrapped store is not called.
    Before,
    /// After the call: the wrapped store has executed it, and the answer is lost.
    After,
}

impl PlannedFault {
    /// Creates a fault that fails the next call of any method once, before it is executed.
    pub fn new(kind: StoreErrorKind) -> Self {
        Self {
            kind,
            verb: None,
            remaining: 1,
            moment: FaultTiming::Before,
        }
    }

    /// Restricts the fault to this method.
    pub fn on(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self
    }

    /// Makes the fault strike `calls` times.
    pub fn times(mut self, calls: u32) -> Self {
        self.remaining = calls;
        self
    }

    /// Sets if the fault strikes before or after the call.
    pub fn at(mut self, moment: FaultTiming) -> Self {
        self.moment = moment;
        self
    }

    fn is_for(&self, verb: Verb) -> bool {
        self.remaining > 0 && self.verb.is_none_or(|planned| planned == verb)
    }
}

impl<S> FaultStore<S> {
    /// Wraps `inner`. No faults are planned.
    pub fn new(inner: S) -> Self {
        Self {
            inner: Arc::new(inner),
            state: Arc::default(),
        }
    }
}

impl<S: ?Sized> FaultStore<S> {
    /// Wraps a shared store or a trait object. No faults are planned.
    pub fn over(inner: Arc<S>) -> Self {
        Self {
            inner,
            state: Arc::default(),
        }
    }

    /// Returns the wrapped store. Direct calls of it neither fail nor are logged.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Plans a fault. If several faults match a call, the one that was planned first strikes.
    pub fn plan(&self, fault: PlannedFault) {
        self.state().plans.push(fault);
    }

    /// Removes all planned faults.
    pub fn heal(&self) {
        self.state().plans.clear();
    }

    /// Returns the called methods in order, including failed calls.
    #[must_use]
    pub fn calls(&self) -> Vec<Verb> {
        self.state().calls.clone()
    }

    /// Returns the number of calls of a method.
    #[must_use]
    pub fn count(&self, verb: Verb) -> usize {
        self.state()
            .calls
            .iter()
            .filter(|called| **called == verb)
            .count()
    }

    /// Clears the log of calls.
    pub fn clear_calls(&self) {
        self.state().calls.clear();
    }

    /// Number of times that the tenants were read.
    #[must_use]
    pub fn tenant_reads(&self) -> usize {
        self.state().tenant_reads
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs the call and takes the fault that is planned for it.
    fn strike(&self, verb: Verb) -> Option<PlannedFault> {
        let mut state = self.state();
        state.calls.push(verb);
        let plan = state.plans.iter_mut().find(|plan| plan.is_for(verb))?;
        plan.remaining -= 1;
        Some(*plan)
    }

    async fn call<T>(
        &self,
        verb: Verb,
        inner: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Some(PlannedFault { kind, moment, .. }) = self.strike(verb) else {
            return inner.await;
        };
        if moment == FaultTiming::After {
            let _ = inner.await;
        }
        Err(StoreError::new(verb.name(), kind).with_source("planned by the test"))
    }
}

impl<S: ?Sized> Clone for FaultStore<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            state: Arc::clone(&self.state),
        }
    }
}

impl<S: ?Sized> fmt::Debug for FaultStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultStore")
            .field("state", &*self.state())
            .finish_non_exhaustive()
    }
}

/// Forwards to the wrapped store. These calls never fail, and only reads are counted.
#[async_trait]
impl<S: TenantStore + ?Sized> TenantStore for FaultStore<S> {
    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError> {
        self.state().tenant_reads += 1;
        self.inner.tenants().await
    }

    async fn put_tenant(&self, tenant: &TenantRecord, now: UnixMillis) -> Result<bool, StoreError> {
        self.inner.put_tenant(tenant, now).await
    }

    async fn delete_tenant(&self, app: &AppId, tenant: &TenantId) -> Result<bool, StoreError> {
        self.inner.delete_tenant(app, tenant).await
    }

    async fn delete_app(&self, app: &AppId) -> Result<bool, StoreError> {
        self.inner.delete_app(app).await
    }

    async fn count_active_users(
        &self,
        app: &AppId,
        since: UnixMillis,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        self.inner.count_active_users(app, since, now).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for FaultStore<S> {
    async fn check_ready(&self) -> Result<(), StoreError> {
        self.call(Verb::CheckReady, self.inner.check_ready()).await
    }

    async fn insert_session(&self, session: &SessionRecord) -> Result<InsertOutcome, StoreError> {
        self.call(Verb::InsertSession, self.inner.insert_session(session))
            .await
    }

    async fn session(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionRecord>, StoreError> {
        self.call(Verb::Session, self.inner.session(key, now)).await
    }

    async fn session_status(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionStatus>, StoreError> {
        self.call(Verb::Session, self.inner.session_status(key, now))
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
        let inner = self
            .inner
            .rotate(key, expected, expected_payload, next, now);
        self.call(Verb::Rotate, inner).await
    }

    async fn write_document(
        &self,
        key: &SessionKey,
        document: SessionDocument,
        write: &DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError> {
        let inner = self.inner.write_document(key, document, write, now);
        self.call(Verb::WriteDocument, inner).await
    }

    async fn delete_sessions(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        self.call(Verb::DeleteSessions, self.inner.delete_sessions(keys))
            .await
    }

    async fn delete_user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let inner = self.inner.delete_user_sessions(selection, now);
        self.call(Verb::DeleteUserSessions, inner).await
    }

    async fn user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        self.call(Verb::UserSessions, self.inner.user_sessions(selection, now))
            .await
    }

    async fn user_session_handles(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let inner = self.inner.user_session_handles(selection, now);
        self.call(Verb::UserSessionHandles, inner).await
    }

    async fn record_uses(&self, uses: &[SessionUse], now: UnixMillis) -> Result<(), StoreError> {
        self.call(Verb::RecordUses, self.inner.record_uses(uses, now))
            .await
    }

    async fn set_device_label(
        &self,
        key: &SessionKey,
        label: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let inner = self.inner.set_device_label(key, label, now);
        self.call(Verb::SetDeviceLabel, inner).await
    }

    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, StoreError> {
        self.call(Verb::RevocationFeed, self.inner.revocation_feed())
            .await
    }

    async fn delete_expired_sessions(
        &self,
        now: UnixMillis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let inner = self.inner.delete_expired_sessions(now, limit);
        self.call(Verb::DeleteExpiredSessions, inner).await
    }

    async fn user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
    ) -> Result<Option<JsonObject>, StoreError> {
        self.call(Verb::UserMetadata, self.inner.user_metadata(app, user))
            .await
    }

    async fn write_user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
        write: &DocumentWrite,
    ) -> Result<WriteOutcome, StoreError> {
        let inner = self.inner.write_user_metadata(app, user, write);
        self.call(Verb::WriteUserMetadata, inner).await
    }

    async fn delete_user_metadata(&self, app: &AppId, user: &UserId) -> Result<bool, StoreError> {
        self.call(
            Verb::DeleteUserMetadata,
            self.inner.delete_user_metadata(app, user),
        )
        .await
    }

    async fn signing_keys(&self, app: &AppId) -> Result<Vec<StoredKey>, StoreError> {
        self.call(Verb::SigningKeys, self.inner.signing_keys(app))
            .await
    }

    async fn add_dynamic_key(
        &self,
        app: &AppId,
        candidate: &StoredKey,
        not_if_since: UnixMillis,
    ) -> Result<bool, StoreError> {
        let inner = self.inner.add_dynamic_key(app, candidate, not_if_since);
        self.call(Verb::AddDynamicKey, inner).await
    }

    async fn add_static_key(&self, app: &AppId, candidate: &StoredKey) -> Result<bool, StoreError> {
        self.call(
            Verb::AddStaticKey,
            self.inner.add_static_key(app, candidate),
        )
        .await
    }

    async fn delete_dynamic_keys(
        &self,
        app: &AppId,
        created_before: UnixMillis,
    ) -> Result<u64, StoreError> {
        let inner = self.inner.delete_dynamic_keys(app, created_before);
        self.call(Verb::DeleteDynamicKeys, inner).await
    }

    async fn refresh_token_key(
        &self,
        app: &AppId,
        candidate: &SecretText,
        now: UnixMillis,
    ) -> Result<SecretText, StoreError> {
        let inner = self.inner.refresh_token_key(app, candidate, now);
        self.call(Verb::RefreshTokenKey, inner).await
    }
}

#[cfg(test)]
mod tests;
