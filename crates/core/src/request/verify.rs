//! Verifying the session of a request (session specification, 5.2 and 5.3).

use tracing::Instrument as _;

use super::establish::{self, AntiCsrfCheck};
use super::{RequestSessions, Route, VerifyOptions};
use crate::error::SessionError;
use crate::secret::AccessToken;
use crate::session::Session;
use crate::transfer::{
    AntiCsrf, DuplicateCookies, Presented, RequestMethod, SelectedToken, Transport,
};

impl RequestSessions {
    /// The session of this request, if the options are met. `None` where the session is optional
    /// and there is none, and for OPTIONS and TRACE, which carry none. The result is kept: a second
    /// guard pays only for what it asks beyond the first.
    ///
    /// On the refresh path, when the built-in route is turned off, this refreshes.
    ///
    /// # Errors
    /// [`SessionError`]: what the client must do, or that we are broken. Give it to [`Self::answer`].
    #[doc(alias = "getSession")]
    pub async fn verify(&self, options: &VerifyOptions) -> Result<Option<Session>, SessionError> {
        let span = tracing::debug_span!(target: "supersession", "verify_session");
        self.verify_now(options).instrument(span).await
    }

    /// As [`Self::verify`], for callers that cannot go on without a session, whatever the options
    /// say.
    ///
    /// # Errors
    /// As [`Self::verify`]; also [`SessionError::Unauthorised`] where there is no session.
    pub async fn require(&self, options: &VerifyOptions) -> Result<Session, SessionError> {
        let session = self.verify(options).await?;
        session.ok_or_else(|| {
            SessionError::unauthorised_keeping_tokens("the request carries no session")
        })
    }

    /// The session that a guard has established; without a guard, the one that
    /// [`VerifyOptions::new`] demands. For extractors: what a guard has decided, such as to skip a
    /// check, they do not decide again.
    ///
    /// # Errors
    /// As [`Self::require`].
    pub async fn session(&self) -> Result<Session, SessionError> {
        match self.verified() {
            Some(verified) => Ok(verified.session),
            None => self.require(&VerifyOptions::new()).await,
        }
    }

    /// As [`Self::session`], with none where the request carries none.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn optional_session(&self) -> Result<Option<Session>, SessionError> {
        match self.verified() {
            Some(verified) => Ok(Some(verified.session)),
            None => self.verify(&VerifyOptions::new().optional()).await,
        }
    }

    async fn verify_now(&self, options: &VerifyOptions) -> Result<Option<Session>, SessionError> {
        let presented = self.presented()?;
        if presented.method == RequestMethod::Sessionless {
            return Ok(None);
        }
        if self.inner.route == Some(Route::Refresh) {
            return match self.verified() {
                Some(verified) => Ok(Some(verified.session)),
                None => self.refresh().await.map(Some),
            };
        }
        if presented.has_legacy_cookie {
            return Err(SessionError::try_refresh(
                "the request carries the cookie of a legacy session",
            ));
        }
        let selected = match presented.access_token() {
            Ok(selected) => selected,
            Err(DuplicateCookies) => return Err(self.heal_duplicates(presented)?),
        };
        let anti_csrf = self.anti_csrf_check(presented, selected.as_ref(), options)?;
        let Some(selected) = selected else {
            return if options.is_optional() {
                Ok(None)
            } else {
                // Without clearing: a response on its way may just be establishing the session.
                Err(SessionError::unauthorised_keeping_tokens(
                    "the request carries no access token",
                ))
            };
        };
        if let Some(verified) = self.verified() {
            self.check_further(&verified, anti_csrf, options).await?;
            return Ok(Some(verified.session));
        }
        let attachment = Some(self.attachment(selected.transport)?);
        let established = establish::session(
            self.sessions(),
            selected.token,
            anti_csrf,
            attachment,
            options,
        )
        .await?;
        Ok(established.map(|(session, strictness)| {
            session.live().deliver();
            self.note_use(&session);
            self.remember(&session, strictness);
            session
        }))
    }

    /// Two cookies of one name: the client is to refresh, and loses the one for an older path.
    fn heal_duplicates(&self, presented: &Presented) -> Result<SessionError, SessionError> {
        if self.config().cookies.older_access_path.is_some() {
            let same_site = presented.site()?.same_site;
            self.inner
                .effects
                .plan(|plan| plan.clear_older_access_path(same_site));
        }
        Ok(SessionError::try_refresh(
            "the request carries several access token cookies",
        ))
    }

    /// What a second guard asks beyond the first.
    async fn check_further(
        &self,
        verified: &super::Verified,
        anti_csrf: AntiCsrfCheck<'_>,
        options: &VerifyOptions,
    ) -> Result<(), SessionError> {
        let session = &verified.session;
        establish::check_anti_csrf(&session.live().claims(), anti_csrf)?;
        let demanded = options.demanded_strictness(self.config());
        if verified.strictness < demanded || options.session_age_limit().is_some() {
            let strictness = establish::check_live(session, demanded, options).await?;
            self.remember(session, strictness);
        }
        session
            .check_claims(&options.validators(self.config(), session))
            .await?;
        session.live().deliver();
        Ok(())
    }

    /// The part of the anti-CSRF check that needs the request (session specification, 5.3 step 3).
    fn anti_csrf_check<'a>(
        &self,
        presented: &'a Presented,
        selected: Option<&SelectedToken<&AccessToken>>,
        options: &VerifyOptions,
    ) -> Result<AntiCsrfCheck<'a>, SessionError> {
        let by_cookie = selected.is_some_and(|selected| selected.transport == Transport::Cookie);
        let due = options.checks_anti_csrf(presented.method != RequestMethod::Get);
        if !by_cookie || !due {
            return Ok(AntiCsrfCheck::Passed);
        }
        match presented.anti_csrf_mode(self.config())? {
            AntiCsrf::None => Ok(AntiCsrfCheck::Passed),
            AntiCsrf::ViaCustomHeader if presented.has_rid => Ok(AntiCsrfCheck::Passed),
            AntiCsrf::ViaCustomHeader => Err(SessionError::try_refresh(
                "anti-csrf check failed: the request has no `rid` header",
            )),
            AntiCsrf::ViaToken => Ok(AntiCsrfCheck::Token(presented.anti_csrf.as_ref())),
        }
    }
}
