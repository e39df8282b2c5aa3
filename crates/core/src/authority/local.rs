//! The authority in this process: an engine over a store.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Authority, CheckOutcome, CreateOutcome, DeviceUse, JwtOutcome, JwtRequest, NewSession,
    PresentedToken, RefreshOutcome, RefreshRequest, ReissueOutcome, SessionInformation,
    SessionSelection,
};
use crate::clock::UnixMillis;
use crate::engine::{Engine, Protocol, RefreshRules};
use crate::error::Fault;
use crate::ids::{SessionHandle, UserId};
use crate::json::JsonObject;
use crate::keys::{JwkSet, VerifyingKey};
use crate::store::{
    DocumentWrite, KeyKind, RevocationFeed, SessionDocument, SessionKey, SessionUse, UserSessions,
    WriteOutcome,
};

/// The embedded engine.
pub(crate) struct Local {
    engine: Engine,
    rules: RefreshRules,
}

impl Local {
    pub(crate) fn new(engine: Engine, rules: RefreshRules) -> Self {
        Self { engine, rules }
    }

    fn protocol(&self) -> Protocol {
        Protocol::of_application(self.rules)
    }

    fn key(&self, handle: &SessionHandle) -> SessionKey {
        SessionKey::new(&self.engine.app, handle.clone())
    }

    fn user_sessions(&self, selection: &SessionSelection) -> UserSessions {
        UserSessions {
            app: self.engine.app.clone(),
            user_id: selection.user_id.clone(),
            tenant: selection.tenant.clone(),
            except: selection.except.clone(),
        }
    }
}

#[async_trait]
impl Authority for Local {
    async fn check_ready(&self) -> Result<(), Fault> {
        Ok(self.engine.store.check_ready().await?)
    }

    fn known_key(&self, kid: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        self.engine.keys.known_verifier(kid, now)
    }

    fn known_by_header(&self, header: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        self.engine.keys.known_by_header(header, now)
    }

    fn key_generation(&self, _: UnixMillis) -> u64 {
        self.engine.keys.generation()
    }

    async fn find_key(
        &self,
        kid: &str,
        now: UnixMillis,
    ) -> Result<Option<Arc<VerifyingKey>>, Fault> {
        Ok(self.engine.keys.verifier(kid, now).await?)
    }

    async fn jwks(&self, now: UnixMillis) -> Result<JwkSet, Fault> {
        Ok(self.engine.keys.jwks(now).await?)
    }

    async fn newest_key_made_at(&self) -> Result<Option<UnixMillis>, Fault> {
        let keys = self.engine.store.signing_keys(&self.engine.app).await?;
        Ok(keys.iter().map(|key| key.created_at).max())
    }

    async fn create_jwt(&self, request: JwtRequest, now: UnixMillis) -> Result<JwtOutcome, Fault> {
        self.engine.create_jwt(request, now).await
    }

    async fn create(&self, new: NewSession, now: UnixMillis) -> Result<CreateOutcome, Fault> {
        self.engine.create(new, self.protocol(), now).await
    }

    async fn refresh(&self, request: RefreshRequest) -> Result<RefreshOutcome, Fault> {
        let outcome = self.engine.refresh(&request, self.protocol()).await?;
        match outcome {
            // Under LEGACY rules the SDK revokes the session (core specification, 3.2, row C). Here
            // the application is the SDK.
            RefreshOutcome::Reused { theft, .. } if self.rules == RefreshRules::Legacy => {
                self.engine
                    .revoke_reused(&self.key(&theft.handle), theft)
                    .await
            }
            outcome => Ok(outcome),
        }
    }

    /// Under ROTATION rules, the refresh itself has already changed the stored session.
    fn confirms_refreshes(&self) -> bool {
        self.rules == RefreshRules::Legacy
    }

    async fn check(
        &self,
        presented: PresentedToken<'_>,
        check_database: bool,
        now: UnixMillis,
    ) -> Result<CheckOutcome, Fault> {
        self.engine
            .check(presented.claims, check_database, self.rules, now)
            .await
    }

    async fn reissue(
        &self,
        presented: PresentedToken<'_>,
        payload: &JsonObject,
        key_kind: KeyKind,
        now: UnixMillis,
    ) -> Result<ReissueOutcome, Fault> {
        self.engine
            .reissue(presented.claims, payload, key_kind, now)
            .await
    }

    async fn information(
        &self,
        handle: &SessionHandle,
        now: UnixMillis,
    ) -> Result<Option<SessionInformation>, Fault> {
        Ok(self
            .engine
            .store
            .session(&self.key(handle), now)
            .await?
            .map(SessionInformation::from))
    }

    async fn write_document(
        &self,
        handle: &SessionHandle,
        document: SessionDocument,
        write: DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, Fault> {
        Ok(self
            .engine
            .store
            .write_document(&self.key(handle), document, &write, now)
            .await?)
    }

    async fn record_uses(&self, uses: &[DeviceUse], now: UnixMillis) -> Result<(), Fault> {
        let uses: Vec<_> = uses
            .iter()
            .map(|used| SessionUse {
                key: self.key(&used.handle),
                at: used.at,
                user_agent: used.user_agent.clone(),
                ip: used.ip,
            })
            .collect();
        Ok(self.engine.store.record_uses(&uses, now).await?)
    }

    async fn set_device_label(
        &self,
        handle: &SessionHandle,
        label: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, Fault> {
        Ok(self
            .engine
            .store
            .set_device_label(&self.key(handle), label, now)
            .await?)
    }

    async fn revoke(&self, handles: &[SessionHandle]) -> Result<Vec<SessionHandle>, Fault> {
        let keys: Vec<_> = handles.iter().map(|handle| self.key(handle)).collect();
        let deleted = self.engine.store.delete_sessions(&keys).await?;
        Ok(deleted.into_iter().map(|key| key.handle).collect())
    }

    async fn revoke_user(
        &self,
        selection: &SessionSelection,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault> {
        Ok(self
            .engine
            .store
            .delete_user_sessions(&self.user_sessions(selection), now)
            .await?)
    }

    async fn handles(
        &self,
        selection: &SessionSelection,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault> {
        Ok(self
            .engine
            .store
            .user_session_handles(&self.user_sessions(selection), now)
            .await?)
    }

    async fn sessions(
        &self,
        selection: &SessionSelection,
        now: UnixMillis,
    ) -> Result<Vec<SessionInformation>, Fault> {
        let records = self
            .engine
            .store
            .user_sessions(&self.user_sessions(selection), now)
            .await?;
        Ok(records.into_iter().map(SessionInformation::from).collect())
    }

    async fn user_metadata(&self, user: &UserId) -> Result<JsonObject, Fault> {
        Ok(self
            .engine
            .store
            .user_metadata(&self.engine.app, user)
            .await?
            .unwrap_or_default())
    }

    async fn write_user_metadata(
        &self,
        user: &UserId,
        write: DocumentWrite,
    ) -> Result<WriteOutcome, Fault> {
        Ok(self
            .engine
            .store
            .write_user_metadata(&self.engine.app, user, &write)
            .await?)
    }

    async fn clear_user_metadata(&self, user: &UserId) -> Result<(), Fault> {
        self.engine
            .store
            .delete_user_metadata(&self.engine.app, user)
            .await?;
        Ok(())
    }

    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, Fault> {
        Ok(self.engine.store.revocation_feed().await?)
    }

    async fn delete_expired(&self, limit: u32, now: UnixMillis) -> Result<u64, Fault> {
        Ok(self
            .engine
            .store
            .delete_expired_sessions(now, limit)
            .await?)
    }

    async fn retire_keys(&self, now: UnixMillis) -> Result<u64, Fault> {
        Ok(self.engine.keys.retire(now).await?)
    }
}
