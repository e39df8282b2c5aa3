//! The implementation of core's `Authority`. Every operation runs on the runtime in which the
//! remote core was built.

use std::sync::Arc;

use async_trait::async_trait;
use supersession::authority::{
    Authority, CheckOutcome, CreateOutcome, DeviceUse, JwtOutcome, JwtRequest, NewSession,
    PresentedToken, RefreshOutcome, RefreshRequest, ReissueOutcome, SessionInformation,
    SessionSelection, VerifyingKey,
};
use supersession::store::{DocumentWrite, KeyKind, RevocationFeed, SessionDocument, WriteOutcome};
use supersession::{Fault, FaultKind, JsonObject, JwkSet, SessionHandle, UnixMillis, UserId};

use crate::remote_core::RemoteCore;

#[async_trait]
impl Authority for RemoteCore {
    async fn check_ready(&self) -> Result<(), Fault> {
        self.run(|core| async move { core.client.check_ready().await })
            .await
    }

    fn known_key(&self, kid: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        self.keys.cached(kid, now)
    }

    fn known_by_header(&self, header: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        self.keys.cached_by_header(header, now)
    }

    fn key_generation(&self, now: UnixMillis) -> u64 {
        self.keys.generation(now)
    }

    async fn find_key(
        &self,
        kid: &str,
        now: UnixMillis,
    ) -> Result<Option<Arc<VerifyingKey>>, Fault> {
        let kid = kid.to_owned();
        self.run(move |core| async move { core.keys.find(&kid, now).await })
            .await
    }

    async fn jwks(&self, now: UnixMillis) -> Result<JwkSet, Fault> {
        self.run(move |core| async move { core.keys.jwks(now).await })
            .await
    }

    async fn newest_key_made_at(&self) -> Result<Option<UnixMillis>, Fault> {
        self.run(|core| async move { core.keys.newest_key_made_at().await })
            .await
    }

    async fn create_jwt(&self, request: JwtRequest, _: UnixMillis) -> Result<JwtOutcome, Fault> {
        self.run(|core| async move { core.client.create_jwt(&request).await })
            .await
    }

    async fn create(&self, new: NewSession, _: UnixMillis) -> Result<CreateOutcome, Fault> {
        self.run(|core| async move { core.client.create(&new).await })
            .await
    }

    async fn refresh(&self, request: RefreshRequest) -> Result<RefreshOutcome, Fault> {
        self.run(|core| async move { core.client.refresh(&request).await })
            .await
    }

    /// Returns `true` until all hosts are known to rotate sessions at the refresh itself.
    fn confirms_refreshes(&self) -> bool {
        let mut hosts = self.client.hosts.iter();
        hosts.any(|host| {
            host.capabilities()
                .is_none_or(|capabilities| !capabilities.cdi.rotates)
        })
    }

    async fn check(
        &self,
        presented: PresentedToken<'_>,
        check_database: bool,
        _: UnixMillis,
    ) -> Result<CheckOutcome, Fault> {
        let token = supersession::AccessToken::new(presented.token);
        self.run(
            move |core| async move { core.client.verify(token.expose(), check_database).await },
        )
        .await
    }

    async fn reissue(
        &self,
        presented: PresentedToken<'_>,
        _: &JsonObject,
        _: KeyKind,
        _: UnixMillis,
    ) -> Result<ReissueOutcome, Fault> {
        let token = supersession::AccessToken::new(presented.token);
        self.run(|core| async move { core.client.regenerate(token.expose()).await })
            .await
    }

    async fn information(
        &self,
        handle: &SessionHandle,
        _: UnixMillis,
    ) -> Result<Option<SessionInformation>, Fault> {
        let handle = handle.clone();
        self.run(|core| async move { core.client.information(&handle).await })
            .await
    }

    async fn write_document(
        &self,
        handle: &SessionHandle,
        document: SessionDocument,
        write: DocumentWrite,
        _: UnixMillis,
    ) -> Result<WriteOutcome, Fault> {
        let handle = handle.clone();
        self.run(move |core| async move {
            core.documents
                .write_session_document(&handle, document, &write)
                .await
        })
        .await
    }

    /// Does nothing, because the interface does not support devices.
    async fn record_uses(&self, _: &[DeviceUse], _: UnixMillis) -> Result<(), Fault> {
        Ok(())
    }

    async fn set_device_label(
        &self,
        _: &SessionHandle,
        _: Option<&str>,
        _: UnixMillis,
    ) -> Result<bool, Fault> {
        Err(Fault::new(
            FaultKind::Misuse,
            "a core does not store device labels. Fix: store them in the session data, or use a store instead of the core",
        ))
    }

    async fn revoke(&self, handles: &[SessionHandle]) -> Result<Vec<SessionHandle>, Fault> {
        let handles = handles.to_vec();
        self.run(|core| async move { core.client.revoke(&handles).await })
            .await
    }

    async fn revoke_user(
        &self,
        selection: &SessionSelection,
        _: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault> {
        let selection = selection.clone();
        self.run(|core| async move { core.client.revoke_user(&selection).await })
            .await
    }

    async fn handles(
        &self,
        selection: &SessionSelection,
        _: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault> {
        let selection = selection.clone();
        self.run(|core| async move { core.client.handles(&selection).await })
            .await
    }

    async fn sessions(
        &self,
        selection: &SessionSelection,
        _: UnixMillis,
    ) -> Result<Vec<SessionInformation>, Fault> {
        let selection = selection.clone();
        self.run(|core| async move {
            let handles = core.client.unordered_handles(&selection).await?;
            core.client.information_of_all(handles).await
        })
        .await
    }

    async fn user_metadata(&self, user: &UserId) -> Result<JsonObject, Fault> {
        let user = user.clone();
        self.run(|core| async move { core.documents.user_metadata(&user).await })
            .await
    }

    async fn write_user_metadata(
        &self,
        user: &UserId,
        write: DocumentWrite,
    ) -> Result<WriteOutcome, Fault> {
        let user = user.clone();
        self.run(|core| async move { core.documents.write_user_metadata(&user, &write).await })
            .await
    }

    async fn clear_user_metadata(&self, user: &UserId) -> Result<(), Fault> {
        let user = user.clone();
        self.run(|core| async move { core.documents.clear_user_metadata(&user).await })
            .await
    }

    /// Returns `None`, because the interface has no revocation feed. Waiters for the end of a
    /// session poll every few seconds.
    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, Fault> {
        Ok(None)
    }

    /// Does nothing, because the core deletes expired sessions itself.
    async fn delete_expired(&self, _: u32, _: UnixMillis) -> Result<u64, Fault> {
        Ok(0)
    }

    /// Does nothing, because the core retires its keys itself.
    async fn retire_keys(&self, _: UnixMillis) -> Result<u64, Fault> {
        Ok(0)
    }
}
