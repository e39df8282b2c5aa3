//! Verification of a request's session (session specification, 5.2 and 5.3).

use tracing::Instrument as _;

use super::establish::{self, AntiCsrfCheck};
use super::established::Verified;
use super::{AtOnce, Candidate, Establishing, RequestSessions, Route, Strictness, VerifyOptions};
use crate::error::SessionError;
use crate::session::{Access, Session, SharedTokens, Way};
use crate::transfer::{
    AntiCsrf, DuplicateCookies, Presented, RequestMethod, SelectedToken, Transport,
};

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
        match self.begin_verification(options) {
            Verification::Done(result) => result,
            // On the heap, so that the futures of guards and handlers stay small.
            Verification::Pending(pending) => Box::pin(pending.finish(options)).await,
        }
    }

    /// Runs [`Self::verify`] up to the point where it has to wait. A cached token, or one whose key
    /// is known, needs no waiting unless the store must be asked or claims must be checked. For
    /// adapters, which can avoid a future in that case.
    pub fn begin_verification(&self, options: &VerifyOptions) -> Verification {
        let _span = tracing::debug_span!(target: "supersession", "verify_session").entered();
        match self.begin(options) {
            Ok(Begun::Done(session)) => Verification::Done(Ok(session)),
            Ok(Begun::Waits(next)) => Verification::Pending(PendingVerification {
                sessions: self.clone(),
                next,
            }),
            Err(error) => Verification::Done(Err(error)),
        }
    }

    /// Equivalent to [`Self::verify`], but a session is required, regardless of the options.
    ///
    /// # Errors
    /// Those of [`Self::verify`]; also [`SessionError::Unauthorised`] if there is no session.
    pub fn require(&self, options: &VerifyOptions) -> Establishing<Session> {
        Establishing::of(self.begin_verification(options), options, required)
    }

    /// Returns the session established by a guard. Without a guard, verifies with
    /// [`VerifyOptions::new`]. For extractors: they do not repeat a guard's decisions, such as
    /// skipping a check.
    ///
    /// # Errors
    /// Those of [`Self::require`].
    pub fn session(&self) -> Establishing<Session> {
        match self.verified() {
            Some(verified) => Establishing::ready(Ok(verified.session)),
            None => self.require(&VerifyOptions::new()),
        }
    }

    /// Equivalent to [`Self::session`], but returns `None` if the request carries no session.
    ///
    /// # Errors
    /// Those of [`Self::verify`].
    pub fn optional_session(&self) -> Establishing<Option<Session>> {
        match self.verified() {
            Some(verified) => Establishing::ready(Ok(Some(verified.session))),
            None => {
                let options = VerifyOptions::new().optional();
                Establishing::of(self.begin_verification(&options), &options, Ok)
            }
        }
    }

    fn begin(&self, options: &VerifyOptions) -> Result<Begun, SessionError> {
        let selected = match self.select(options)? {
            Selection::None => return Ok(Begun::Done(None)),
            Selection::Refresh => {
                return Ok(match self.verified() {
                    Some(verified) => Begun::Done(Some(verified.session)),
                    None => Begun::Waits(Next::Everything),
                });
            }
            Selection::Token(selected) => selected,
        };
        if let Some(verified) = self.verified() {
            return self.begin_further(verified, selected.anti_csrf, options);
        }
        let way = self.way_by(selected.transport)?;
        let AtOnce::Verified(proof) = selected.candidate.verify_at_once(self.sessions())? else {
            return Ok(Begun::Waits(Next::Everything));
        };
        establish::check_anti_csrf(proof.anti_csrf(), selected.anti_csrf)?;
        let access = Access::Verified(proof);
        let tokens = SharedTokens::default();
        Ok(
            match establish::settled(self.sessions(), &access, options) {
                Some(strictness) => {
                    Begun::Done(Some(self.established(access, tokens, way, strictness)))
                }
                None => Begun::Waits(Next::Checks(self.not_yet_established(access, way), way)),
            },
        )
    }

    /// Starts the checks that a second guard requires beyond the first.
    fn begin_further(
        &self,
        verified: Verified,
        anti_csrf: AntiCsrfCheck<'_>,
        options: &VerifyOptions,
    ) -> Result<Begun, SessionError> {
        let session = &verified.session;
        session.read_access(|access| establish::check_anti_csrf(access.anti_csrf(), anti_csrf))?;
        let asks_store = verified.strictness < options.demanded_strictness(self.config())
            || options.session_age_limit().is_some();
        if asks_store || options.demands_claims(self.config()) {
            return Ok(Begun::Waits(Next::Further {
                verified,
                asks_store,
            }));
        }
        session.give_to_client();
        Ok(Begun::Done(Some(verified.session)))
    }

    /// Selects the access token to verify, and the remaining part of its anti-CSRF check.
    fn select(&self, options: &VerifyOptions) -> Result<Selection<'_>, SessionError> {
        let presented = self.presented()?;
        if presented.method == RequestMethod::Sessionless {
            return Ok(Selection::None);
        }
        if self.inner.route == Some(Route::Refresh) {
            return Ok(Selection::Refresh);
        }
        if presented.is_of_legacy_session(self.config()) {
            return Err(SessionError::try_refresh(
                "the request carries the cookie of a legacy session",
            ));
        }
        let find = |carried| Candidate::of(self.sessions(), carried).ok();
        let selected = match presented.access_token(find) {
            Ok(selected) => selected,
            Err(DuplicateCookies) => return Err(self.heal_duplicates(presented)?),
        };
        let transport = selected.as_ref().map(|selected| selected.transport);
        let anti_csrf = self.anti_csrf_check(presented, transport, options)?;
        match selected {
            Some(SelectedToken { token, transport }) => Ok(Selection::Token(Selected {
                candidate: token,
                transport,
                anti_csrf,
            })),
            None if options.is_optional() => Ok(Selection::None),
            // Nothing is cleared: a response that is still in flight may carry a new session.
            None => Err(SessionError::unauthorised_keeping_tokens(
                "the request carries no access token",
            )),
        }
    }

    /// Establishes the verified session for the rest of the request.
    fn established(
        &self,
        access: Access,
        tokens: SharedTokens,
        way: Way,
        strictness: Strictness,
    ) -> Session {
        let session = self.establish(access, tokens, way, strictness);
        session.give_to_client();
        self.note_use(&session);
        session
    }

    /// Creates the session of a valid token that is still to be checked further.
    fn not_yet_established(&self, access: Access, way: Way) -> Session {
        let attachment = Some(self.attachment(way));
        Session::verified(self.sessions().clone(), access, attachment)
    }

    /// Handles two cookies of one name: the client must refresh, and the cookie of an older path is
    /// cleared.
    fn heal_duplicates(&self, presented: &Presented) -> Result<SessionError, SessionError> {
        if self.config().cookies.older_access_path.is_some() {
            let same_site = presented.site()?.same_site;
            self.effects()
                .plan(|plan| plan.clear_older_access_path(same_site));
        }
        Ok(SessionError::try_refresh(
            "the request carries several access token cookies",
        ))
    }

    /// Runs the part of the anti-CSRF check that needs the request (session specification, 5.3 step
    /// 3).
    fn anti_csrf_check<'a>(
        &self,
        presented: &'a Presented,
        transport: Option<Transport>,
        options: &VerifyOptions,
    ) -> Result<AntiCsrfCheck<'a>, SessionError> {
        let by_cookie = transport == Some(Transport::Cookie);
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

fn required(session: Option<Session>) -> Result<Session, SessionError> {
    session
        .ok_or_else(|| SessionError::unauthorised_keeping_tokens("the request carries no session"))
}

/// The result of a verification up to the point where it would wait.
#[derive(Debug)]
pub enum Verification {
    /// The verification is complete.
    Done(Result<Option<Session>, SessionError>),
    /// The store, the authority or a claim must be asked.
    Pending(PendingVerification),
}

/// The remaining part of a verification.
#[derive(Debug)]
#[must_use = "what is pending is not verified"]
pub struct PendingVerification {
    sessions: RequestSessions,
    next: Next,
}

impl PendingVerification {
    /// Completes the verification, with the options that it was started with.
    ///
    /// # Errors
    /// Those of [`RequestSessions::verify`].
    pub async fn finish(self, options: &VerifyOptions) -> Result<Option<Session>, SessionError> {
        let span = tracing::debug_span!(target: "supersession", "verify_session");
        self.finish_now(options).instrument(span).await
    }

    async fn finish_now(self, options: &VerifyOptions) -> Result<Option<Session>, SessionError> {
        let Self { sessions, next } = self;
        match next {
            Next::Everything => sessions.verify_waiting(options).await,
            Next::Checks(session, way) => {
                let strictness = establish::complete(&session, options).await?;
                let (access, tokens) = session.into_tokens();
                Ok(Some(sessions.established(access, tokens, way, strictness)))
            }
            Next::Further {
                verified,
                asks_store,
            } => {
                let session = verified.session;
                if asks_store {
                    let demanded = options.demanded_strictness(sessions.config());
                    let strictness = establish::check_live(&session, demanded, options).await?;
                    sessions.note_strictness(strictness);
                }
                session
                    .check_claims(&options.validators(sessions.config(), &session))
                    .await?;
                session.give_to_client();
                Ok(Some(session))
            }
        }
    }
}

impl RequestSessions {
    /// Runs the whole verification, for a refresh, and for a token whose key must be looked up.
    async fn verify_waiting(
        &self,
        options: &VerifyOptions,
    ) -> Result<Option<Session>, SessionError> {
        let selected = match self.select(options)? {
            Selection::None => return Ok(None),
            Selection::Refresh => return self.refresh().await.map(Some),
            Selection::Token(selected) => selected,
        };
        let way = self.way_by(selected.transport)?;
        let proof = selected.candidate.verify(self.sessions()).await?;
        establish::check_anti_csrf(proof.anti_csrf(), selected.anti_csrf)?;
        let session = self.not_yet_established(Access::Verified(proof), way);
        let strictness = establish::complete(&session, options).await?;
        let (access, tokens) = session.into_tokens();
        Ok(Some(self.established(access, tokens, way, strictness)))
    }
}

enum Begun {
    Done(Option<Session>),
    Waits(Next),
}

/// The next step of a verification.
#[derive(Debug)]
enum Next {
    Everything,
    Checks(Session, Way),
    Further {
        verified: Verified,
        asks_store: bool,
    },
}

enum Selection<'a> {
    /// The request carries no session, and needs none.
    None,
    /// The request is for the refresh path and gets its session by refreshing.
    Refresh,
    Token(Selected<'a>),
}

struct Selected<'a> {
    candidate: Candidate<'a>,
    transport: Transport,
    anti_csrf: AntiCsrfCheck<'a>,
}
