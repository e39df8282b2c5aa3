//! Verification of a request's session (session specification, 5.2 and 5.3).
//!
//! [`RequestSessions::verify`] is the whole path of an access token, from the request to the
//! session of the handler. Guards and extractors of every adapter call it.

use tracing::Instrument as _;

use super::checks::{self, AntiCsrfCheck};
use super::{Candidate, RequestSessions, Route, VerifyOptions};
use crate::config::Strictness;
use crate::error::SessionError;
use crate::session::Session;
use crate::transfer::{DuplicateCookies, Presented, RequestMethod, SelectedToken};
use crate::transport::{AntiCsrf, Transport};

impl RequestSessions {
    /// Returns the session of this request, if it meets the options. Returns `None` if the session
    /// is optional and missing, and for OPTIONS and TRACE, which carry none. The result is kept: a
    /// second guard only checks what the first one did not.
    ///
    /// On the refresh path, if the built-in route is disabled, this refreshes.
    ///
    /// # Errors
    /// [`SessionError`]: either the client must act, or the server failed. Pass it to
    /// [`Self::answer`].
    #[doc(alias = "getSession")]
    pub async fn verify(&self, options: &VerifyOptions) -> Result<Option<Session>, SessionError> {
        let span = tracing::debug_span!(target: "supersession", "verify_session");
        self.verify_steps(options).instrument(span).await
    }

    async fn verify_steps(&self, options: &VerifyOptions) -> Result<Option<Session>, SessionError> {
        let presented = self.presented()?;
        let current = self.current();
        if presented.method == RequestMethod::Sessionless {
            return Ok(None);
        }
        if self.inner.route == Some(Route::Refresh) {
            return match current {
                Some(current) => Ok(Some(current.session)),
                // On the heap, because the future of a refresh is large.
                None => Box::pin(self.refresh()).await.map(Some),
            };
        }

        // 1. Select the token, and check what other sites cannot send with it.
        let selected = self.select_access_token(presented)?;
        let transport = selected.as_ref().map(|selected| selected.transport);
        let anti_csrf = self.check_anti_csrf(presented, transport, options)?;
        let refresh_token = self.refresh_token_in_place(presented, transport);

        // 2. Verify the token, unless an earlier guard did. For a page, refresh where it has none.
        let verified = match (current, selected) {
            (Some(current), selected) if selected.is_some() || refresh_token.is_some() => {
                Some((current.session, Some(current.strictness)))
            }
            (_, Some(SelectedToken { token, transport })) => {
                let response = self.response_link(transport)?;
                match token.verify(self.sessions()).await {
                    Ok(token) => {
                        let sessions = self.sessions().clone();
                        Some((Session::verified(sessions, token, Some(response)), None))
                    }
                    Err(SessionError::TryRefreshToken(_)) if refresh_token.is_some() => None,
                    Err(error) => return Err(error),
                }
            }
            (_, None) => None,
        };
        let (session, checked) = match (verified, refresh_token) {
            (Some(verified), _) => verified,
            (None, Some(token)) => match Box::pin(self.refresh_in_place(token, options)).await? {
                Some(session) => (session, Some(Strictness::Database)),
                None => return Ok(None),
            },
            (None, None) if options.is_optional() => return Ok(None),
            // Nothing is cleared: a response that is still in flight may carry a new session.
            (None, None) => {
                return Err(SessionError::unauthorised_keeping_tokens(
                    "the request carries no access token",
                ));
            }
        };

        // 3. Check the anti-CSRF token, revocation and claims. New access tokens stay in the
        //    session until all checks have passed.
        checks::anti_csrf(&session, anti_csrf)?;
        let strictness = checks::revocation(&session, checked, options).await?;
        checks::claims(&session, options).await?;

        // 4. Keep the session for the rest of the request, and send what is new.
        self.set_current(&session, strictness);
        session.send_tokens();
        if checked.is_none() {
            self.note_use(&session);
        }
        Ok(Some(session))
    }

    /// Equivalent to [`Self::verify`], but a session is required, regardless of the options.
    ///
    /// # Errors
    /// Those of [`Self::verify`]; also [`SessionError::Unauthorised`] if there is no session.
    pub async fn require(&self, options: &VerifyOptions) -> Result<Session, SessionError> {
        self.verify(options).await?.ok_or_else(|| {
            SessionError::unauthorised_keeping_tokens("the request carries no session")
        })
    }

    /// Returns the session that a guard has verified. Without a guard, verifies with
    /// [`VerifyOptions::new`]. For extractors: they do not repeat a guard's decisions, such as
    /// skipping a check.
    ///
    /// # Errors
    /// Those of [`Self::require`].
    pub async fn session(&self) -> Result<Session, SessionError> {
        match self.current() {
            Some(current) => Ok(current.session),
            None => self.require(&VerifyOptions::new()).await,
        }
    }

    /// Equivalent to [`Self::session`], but returns `None` if the request carries no session.
    ///
    /// # Errors
    /// Those of [`Self::verify`].
    pub async fn optional_session(&self) -> Result<Option<Session>, SessionError> {
        match self.current() {
            Some(current) => Ok(Some(current.session)),
            None => self.verify(&VerifyOptions::new().optional()).await,
        }
    }

    /// Selects the access token to verify (session specification, 3.4).
    fn select_access_token<'a>(
        &self,
        presented: &'a Presented,
    ) -> Result<Option<SelectedToken<Candidate<'a>>>, SessionError> {
        if presented.is_of_legacy_session(self.config()) {
            return Err(SessionError::try_refresh(
                "the request carries the cookie of a legacy session",
            ));
        }
        match presented.access_token(|carried| Candidate::of(self.sessions(), carried).ok()) {
            Ok(selected) => Ok(selected),
            // The client must refresh, and the cookie of an older path is cleared.
            Err(DuplicateCookies) => {
                if self.config().cookies.older_access_path.is_some() {
                    let same_site = presented.site()?.same_site;
                    self.effects()
                        .plan(|plan| plan.clear_older_access_path(same_site));
                }
                Err(SessionError::try_refresh(
                    "the request carries several access token cookies",
                ))
            }
        }
    }

    /// Checks the part of the anti-CSRF protection that depends only on the request, and returns
    /// the part that depends on the token (session specification, 5.3 step 3).
    fn check_anti_csrf<'a>(
        &self,
        presented: &'a Presented,
        transport: Option<Transport>,
        options: &VerifyOptions,
    ) -> Result<AntiCsrfCheck<'a>, SessionError> {
        if !options.checks_anti_csrf(presented.method != RequestMethod::Get) {
            return Ok(AntiCsrfCheck::Passed);
        }
        // By its origin, a request is judged even if it carries no session, such as a sign-in.
        if presented.is_foreign && transport != Some(Transport::Header) {
            return Err(SessionError::ForeignOrigin);
        }
        if transport != Some(Transport::Cookie) {
            return Ok(AntiCsrfCheck::Passed);
        }
        match presented.anti_csrf_mode(self.config())? {
            AntiCsrf::None | AntiCsrf::ViaOrigin => Ok(AntiCsrfCheck::Passed),
            AntiCsrf::ViaCustomHeader if presented.has_rid => Ok(AntiCsrfCheck::Passed),
            AntiCsrf::ViaCustomHeader => Err(SessionError::try_refresh(
                "anti-csrf check failed: the request has no `rid` header",
            )),
            AntiCsrf::ViaToken => Ok(AntiCsrfCheck::Token(presented.anti_csrf.as_ref())),
        }
    }
}
