//! Verification and refresh of bare tokens, for callers that transport them themselves.

use super::checks::{self, AntiCsrfCheck};
use super::{Candidate, VerifyOptions};
use crate::authority::{IssuedSession, RefreshOutcome, RefreshRequest};
use crate::error::{Fault, SessionError};
use crate::hooks::SessionEvent;
use crate::secret::{AccessToken, AntiCsrfToken, RefreshToken};
use crate::session::Session;
use crate::sessions::Sessions;
use crate::telemetry;
use crate::transport::{AntiCsrf, Transport};

impl Sessions {
    /// Verifies an access token that the caller received outside of an adapter's request. Returns
    /// `None` if the session is optional and the token was not issued by this application. Nothing
    /// is sent to the client: if
    /// [`access_and_front_token_updated`](crate::SessionTokens::access_and_front_token_updated) is
    /// `true`, the caller must send the new tokens.
    ///
    /// # Errors
    /// Those of a guard with the same options. If the anti-CSRF mode is a custom header, the check
    /// must be disabled, because the header is not available here.
    #[doc(alias = "getSessionWithoutRequestResponse")]
    pub async fn verify_access_token(
        &self,
        access_token: &AccessToken,
        anti_csrf: Option<&AntiCsrfToken>,
        options: &VerifyOptions,
    ) -> Result<Option<Session>, SessionError> {
        let anti_csrf = self.anti_csrf_check(anti_csrf, options)?;
        let candidate = match Candidate::of_text(self, access_token.expose()) {
            Ok(candidate) => candidate,
            Err(_) if options.is_optional() => return Ok(None),
            Err(foreign) => {
                return Err(SessionError::unauthorised_keeping_tokens(
                    foreign.to_string(),
                ));
            }
        };
        let token = candidate.verify(self).await?;
        let session = Session::verified(self.clone(), token, None);
        checks::anti_csrf(&session, anti_csrf)?;
        checks::revocation(&session, None, options).await?;
        checks::claims(&session, options).await?;
        Ok(Some(session))
    }

    /// Returns the part of the anti-CSRF check that applies to a bare token.
    fn anti_csrf_check<'a>(
        &self,
        sent: Option<&'a AntiCsrfToken>,
        options: &VerifyOptions,
    ) -> Result<AntiCsrfCheck<'a>, SessionError> {
        if !options.checks_anti_csrf(true) {
            return Ok(AntiCsrfCheck::Passed);
        }
        match self.config().anti_csrf {
            Some(AntiCsrf::ViaCustomHeader) => Err(Fault::misuse(
                "anti-CSRF by custom header cannot be checked without a request. Fix: turn the check off with `.anti_csrf_check(false)`, after making sure that the request carries a `rid` header",
            )
            .into()),
            Some(AntiCsrf::ViaOrigin) => Err(Fault::misuse(
                "the origin of a request cannot be checked without the request. Fix: turn the check off with `.anti_csrf_check(false)`, after making sure that no page of another site made the request",
            )
            .into()),
            Some(AntiCsrf::ViaToken) => Ok(AntiCsrfCheck::Token(sent)),
            Some(AntiCsrf::None) | None => Ok(AntiCsrfCheck::Passed),
        }
    }

    /// Exchanges a refresh token that the caller received outside of an adapter's request. The
    /// caller sends the new tokens to the client.
    ///
    /// # Errors
    /// [`SessionError::Unauthorised`] if the token is invalid, if its session was revoked or has
    /// expired, or if `anti_csrf` does not match. [`SessionError::TokenTheftDetected`] if the token
    /// was used before. A [`Fault`] if the store fails or the keys are unavailable.
    #[doc(alias = "refreshSessionWithoutRequestResponse")]
    pub async fn refresh_session(
        &self,
        refresh_token: &RefreshToken,
        anti_csrf: AntiCsrfInput<'_>,
    ) -> Result<Session, SessionError> {
        let (anti_csrf, disabled) = match anti_csrf {
            AntiCsrfInput::Token(token) => (token.cloned(), false),
            AntiCsrfInput::Disabled => (None, true),
        };
        let by_request = matches!(
            self.config().anti_csrf,
            Some(AntiCsrf::ViaCustomHeader | AntiCsrf::ViaOrigin)
        );
        if !disabled && by_request {
            return Err(Fault::misuse(
                "anti-CSRF by custom header or by origin cannot be checked without a request. Fix: pass `AntiCsrfInput::Disabled`, after making sure that no page of another site made the request",
            )
            .into());
        }
        let use_anti_csrf = !disabled && self.config().anti_csrf == Some(AntiCsrf::ViaToken);
        let request = RefreshRequest {
            token: refresh_token.clone(),
            anti_csrf,
            use_anti_csrf,
            key_kind: Some(self.config().key_kind),
            access_token_validity: None,
            // The caller sends the tokens, most likely in a header.
            longest_access_token: Some(self.config().longest_access_token(Transport::Header)),
        };
        let issued = self.exchange(request).await?;
        Ok(Session::issued(self.clone(), issued, None))
    }

    /// Performs the exchange and all consequences of its outcome, except changes to a response.
    pub(crate) async fn exchange(
        &self,
        request: RefreshRequest,
    ) -> Result<IssuedSession, SessionError> {
        match self.authority().refresh(request).await? {
            RefreshOutcome::Refreshed(issued) => {
                telemetry::session_refreshed(&issued.access.claims);
                let session = Session::issued(self.clone(), IssuedSession::clone(&issued), None);
                let event = SessionEvent::of(&session);
                let outcome = self.config().hooks.refreshed(event).await;
                let judged = self.judged(&session, outcome).await;
                // The client's tokens name a session that has been revoked.
                judged.map_err(SessionError::clearing)?;
                Ok(*issued)
            }
            RefreshOutcome::Unauthorised(reason) => Err(SessionError::unauthorised(reason)),
            RefreshOutcome::Reused {
                theft,
                report_as_theft,
            } => {
                self.notify_revoked(std::slice::from_ref(&theft.handle));
                let is_first = self.thefts().is_first(&theft.handle);
                if is_first {
                    telemetry::session_stolen(&theft);
                }
                if !report_as_theft {
                    return Err(SessionError::unauthorised("refresh token reuse detected"));
                }
                if is_first {
                    self.config().hooks.theft(theft.clone()).await;
                }
                Err(SessionError::TokenTheftDetected(theft))
            }
        }
    }

    /// Applies the outcome of a hook to a session whose tokens have not been returned yet. Revokes
    /// the session if the hook refused, and fails if the hook has revoked it.
    pub(super) async fn judged(
        &self,
        session: &Session,
        outcome: Result<bool, SessionError>,
    ) -> Result<(), SessionError> {
        match outcome {
            Ok(false) => Ok(()),
            Ok(true) => match self.information(session.handle()).await? {
                Some(_) => Ok(()),
                None => Err(SessionError::unauthorised_keeping_tokens(
                    "a hook revoked the session",
                )),
            },
            Err(fault @ SessionError::Fault(_)) => Err(fault),
            Err(refusal) => {
                self.revoke(session.handle()).await?;
                Err(refusal)
            }
        }
    }
}

/// The anti-CSRF input of a refresh without a request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AntiCsrfInput<'a> {
    /// The token that the client sent, if any.
    Token(Option<&'a AntiCsrfToken>),
    /// The session travels in a way that other sites cannot use, such as a header.
    Disabled,
}

impl SessionEvent {
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            handle: session.handle().clone(),
            user_id: session.user_id().clone(),
            recipe_user_id: session.recipe_user_id().clone(),
            tenant_id: session.tenant_id().clone(),
        }
    }
}
