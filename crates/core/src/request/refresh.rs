//! Refresh of a request's session (session specification, 7.2).

use tracing::Instrument as _;

use super::{RequestSessions, Strictness, VerifyOptions};
use crate::authority::RefreshRequest;
use crate::error::SessionError;
use crate::hooks::SessionEvent;
use crate::session::Session;
use crate::telemetry;
use crate::transport::{AntiCsrf, SameSite, Transport};

impl RequestSessions {
    /// Exchanges the refresh token of this request. The new tokens are sent with this response, by
    /// the same transport as the old one.
    ///
    /// # Errors
    /// [`SessionError`]. The client's tokens are cleared only if the error is passed to
    /// [`Self::answer`].
    #[doc(alias = "refreshSession")]
    pub async fn refresh(&self) -> Result<Session, SessionError> {
        let span = tracing::debug_span!(target: "supersession", "refresh_session");
        self.refresh_now().instrument(span).await
    }

    async fn refresh_now(&self) -> Result<Session, SessionError> {
        let presented = self.presented()?;
        self.sessions().sightings().note_refresh();
        self.heal_duplicate_cookies()?;
        let Some(selected) = presented.refresh_token() else {
            return Err(SessionError::unauthorised(
                "the request carries no refresh token",
            ));
        };
        let by_cookie = selected.transport == Transport::Cookie;
        if by_cookie && presented.is_foreign {
            return Err(SessionError::ForeignOrigin);
        }
        let mode = presented.anti_csrf_mode(self.config())?;
        if by_cookie && mode == AntiCsrf::ViaCustomHeader && !presented.has_rid {
            return Err(SessionError::unauthorised(
                "anti-csrf check failed: the request has no `rid` header",
            ));
        }
        let request = RefreshRequest {
            token: selected.token,
            anti_csrf: presented.anti_csrf.clone(),
            use_anti_csrf: by_cookie && mode == AntiCsrf::ViaToken,
            key_kind: Some(self.config().key_kind),
            access_token_validity: None,
            longest_access_token: Some(self.config().longest_access_token(selected.transport)),
        };
        let response = self.response_link(selected.transport)?;
        let same_site = response.site.same_site;
        let issued = self.sessions().exchange(request).await?;
        let session = Session::issued(self.sessions().clone(), issued, Some(response));
        self.check_delivery(&session, same_site)?;
        let other = selected.transport.other();
        if presented.carries_refresh_token(other) {
            self.effects().plan(|plan| plan.clear(other, same_site));
        }
        session.send_tokens();
        if presented.has_legacy_cookie {
            self.effects()
                .plan(|plan| plan.clear_legacy_cookie(same_site));
        }
        self.note_use(&session);
        self.set_current(&session, Strictness::Database);
        Ok(session)
    }

    /// Checks that the tokens of a refreshed session can be delivered. If not, the refresh token is
    /// delivered alone, because a remote core has already rotated: without it, the client would
    /// present the old one again, which is theft after the grace period.
    pub(super) fn check_delivery(
        &self,
        session: &Session,
        same_site: SameSite,
    ) -> Result<(), SessionError> {
        let tokens = session.tokens_out();
        let Err(fault) = session.check_deliverable(&tokens) else {
            return Ok(());
        };
        if let (Some(refresh), Some(transport)) = (tokens.refresh, session.transport()) {
            self.effects()
                .plan(|plan| plan.attach_refresh_token(refresh, transport, same_site));
        }
        Err(fault.into())
    }

    /// Signs out: verifies the session like a guard without claim validators, revokes it, and
    /// clears its tokens at the client.
    ///
    /// # Errors
    /// [`SessionError`], as for a guard.
    pub async fn sign_out(&self) -> Result<(), SessionError> {
        let options = VerifyOptions::new()
            .check_database(false)
            .override_global_validators(|_, _| Vec::new());
        let session = self.require(&options).await?;
        session.revoke().await?;
        let event = SessionEvent::of(&session);
        telemetry::signed_out(&event);
        self.config().hooks.signed_out(event).await;
        Ok(())
    }

    /// Handles two cookies of one name, which result from a change of the cookie domain. The
    /// cookies of the older domain are cleared, and the client tries again (session specification,
    /// 3.11).
    fn heal_duplicate_cookies(&self) -> Result<(), SessionError> {
        let presented = self.presented()?;
        let access = presented.has_duplicate_access_cookie();
        let refresh = presented.has_duplicate_refresh_cookie();
        if !presented.allowed.allows(Transport::Cookie) || !(access || refresh) {
            return Ok(());
        }
        if self.config().cookies.older_domain.is_none() {
            return Err(SessionError::DuplicateSessionCookies);
        }
        let same_site = presented.site()?.same_site;
        self.effects()
            .plan(|plan| plan.clear_older_cookies(access, refresh, same_site));
        Err(SessionError::ClearDuplicateSessionCookies)
    }
}
