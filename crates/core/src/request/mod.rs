//! Sessions of one request: the tokens it carries, the verified session, and the token effects of
//! its response.

mod candidate;
mod effects;
pub(crate) mod establish;
mod established;
mod establishing;
mod options;
mod refresh;
mod reply;
mod routes;
mod verify;

use std::sync::{Arc, OnceLock, Weak};

pub(crate) use candidate::{AtOnce, Candidate};
pub(crate) use establish::AntiCsrfCheck;
pub use establishing::Establishing;
pub use options::{Guard, Strictness, VerifyOptions};
pub use routes::Route;
pub use verify::{PendingVerification, Verification};

use effects::Effects;
use established::Established;

use crate::clock::UnixMillis;
use crate::config::Config;
use crate::doctor::{self, Finding};
use crate::error::{Fault, SessionError};
use crate::http::{RequestView, ResponseHead};
use crate::ids::UserId;
use crate::session::{Attachment, Session, SharedTokens, Way};
use crate::sessions::{CreateSession, Sessions};
use crate::store::Device;
use crate::telemetry;
use crate::transfer::{AntiCsrf, Presented, Transport};

/// The session state of a request. An adapter's layer creates it; its guards and extractors use it.
///
/// The request is not inspected until [`read`](Self::read) is called, which guards and extractors
/// do first. Cheap to clone; all clones refer to the same request.
#[derive(Clone)]
pub struct RequestSessions {
    inner: Arc<Inner>,
}

struct Inner {
    sessions: Sessions,
    route: Option<Route>,
    presented: OnceLock<Presented>,
    /// The doctor's findings about the request, if it is a request to the doctor's route.
    findings: OnceLock<Vec<Finding>>,
    /// The session established for this request.
    established: OnceLock<Established>,
    /// The tokens of the session that was established first.
    tokens: SharedTokens,
    effects: Effects,
}

/// A weak reference to [`RequestSessions`], for a session that the request may keep. It avoids a
/// reference cycle.
#[derive(Clone, Debug)]
pub(crate) struct WeakRequest(Weak<Inner>);

impl WeakRequest {
    pub(crate) fn upgrade(&self) -> Option<RequestSessions> {
        self.0.upgrade().map(|inner| RequestSessions { inner })
    }
}

impl RequestSessions {
    pub(crate) fn new(sessions: Sessions, method: &str, path: &str, route: Option<Route>) -> Self {
        sessions.sightings().note(method, path);
        if route == Some(Route::Refresh) {
            sessions.sightings().note_refresh();
        }
        Self {
            inner: Arc::new(Inner {
                sessions,
                route,
                presented: OnceLock::new(),
                findings: OnceLock::new(),
                established: OnceLock::new(),
                tokens: SharedTokens::default(),
                effects: Effects::default(),
            }),
        }
    }

    /// Returns the [`Sessions`], for operations that need no request.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// Reads the request. Later calls do nothing.
    pub fn read(&self, view: &dyn RequestView) {
        self.inner.presented.get_or_init(|| {
            Presented::read(view, self.config(), |token| self.sessions().seen(token))
        });
        if self.route() == Some(Route::Doctor) {
            self.inner
                .findings
                .get_or_init(|| doctor::request::findings(self.config(), view));
        }
    }

    /// Returns `true` if nothing in this request has used sessions yet. Its response then needs no
    /// token changes.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.inner.presented.get().is_none()
    }

    /// Compares these sessions with those of an outer layer, and logs a finding if the two
    /// conflict. For adapters, which can detect nested layers.
    pub fn check_nesting(&self, outer: &Self) {
        let (inner, outer) = (self.sessions(), outer.sessions());
        if inner.is_same(outer) {
            return;
        }
        let finding = inner
            .sightings()
            .note_nesting(inner.config(), outer.config());
        if let Some(finding) = finding {
            telemetry::found(&finding);
        }
    }

    /// Creates a session whose tokens are sent with this response.
    ///
    /// The session is always new. A session that the request carries is not reused, which prevents
    /// session fixation.
    #[doc(alias = "createNewSession")]
    pub fn create(&self, user_id: impl Into<UserId>) -> CreateSession {
        CreateSession::new(
            self.inner.sessions.clone(),
            Some(self.clone()),
            user_id.into(),
        )
    }

    /// Attaches a session that was created without a request to this one. Its tokens are sent with
    /// this response.
    ///
    /// # Errors
    /// A [`Fault`] if the request has not been read, if its origin cannot be determined, or if the
    /// access token is too long for the transport that the client requests.
    #[doc(alias = "attachToRequestResponse")]
    pub fn attach(&self, session: &Session) -> Result<Session, SessionError> {
        let attachment = self.attachment_for_creation()?;
        let session = session.attached(self.inner.sessions.clone(), attachment);
        session.check_deliverable(&session.tokens_out())?;
        session.give_to_client();
        Ok(session)
    }

    /// Writes all token changes to the head of the response. The adapter's layer must call this
    /// once for every response. Later changes of sessions are stored, but not sent with this
    /// response.
    pub fn finish(&self, head: &mut dyn ResponseHead) {
        self.effects().finish(self.config(), head);
    }

    pub(crate) fn effects(&self) -> &Effects {
        &self.inner.effects
    }

    /// Returns the tokens of the session that was established first.
    pub(crate) fn tokens(&self) -> &SharedTokens {
        &self.inner.tokens
    }

    pub(crate) fn downgrade(&self) -> WeakRequest {
        WeakRequest(Arc::downgrade(&self.inner))
    }

    pub(crate) fn config(&self) -> &Config {
        self.inner.sessions.config()
    }

    fn presented(&self) -> Result<&Presented, Fault> {
        self.inner.presented.get().ok_or_else(|| {
            Fault::misuse("the request has not been read. Fix: an adapter must call `RequestSessions::read` first")
        })
    }

    fn way_by(&self, transport: Transport) -> Result<Way, Fault> {
        let site = self.presented()?.site()?;
        Ok(Way { transport, site })
    }

    fn attachment(&self, way: Way) -> Attachment {
        let request = self.downgrade();
        Attachment { request, way }
    }

    /// Returns the transport of a session that is created here. Fails if no browser would keep its
    /// cookies (session specification, 3.10).
    pub(crate) fn attachment_for_creation(&self) -> Result<Attachment, Fault> {
        let way = self.way_by(self.presented()?.for_creation)?;
        let site = way.site;
        let insecure = site.same_site == crate::SameSite::None
            && !self.config().cookies.secure
            && !site.is_local;
        if way.transport == Transport::Cookie && insecure {
            return Err(Fault::misuse(
                "cookies with SameSite=None need Secure. Fix: serve the API over https, set `api_domain` accordingly, and do not set `cookie_secure(false)`; or use header-based sessions",
            ));
        }
        Ok(self.attachment(way))
    }

    /// Returns `true` if a session that is created or refreshed here gets an anti-CSRF token.
    pub(crate) fn uses_anti_csrf_tokens(
        &self,
        attachment: Option<&Attachment>,
    ) -> Result<bool, Fault> {
        let by_cookie =
            attachment.is_some_and(|attachment| attachment.way.transport == Transport::Cookie);
        Ok(by_cookie && self.presented()?.anti_csrf_mode(self.config())? == AntiCsrf::ViaToken)
    }

    /// Clears tokens that the request carries in the transport that the new session does not use
    /// (session specification, 3.6).
    pub(crate) fn clear_other_transport_at_creation(
        &self,
        attachment: &Attachment,
    ) -> Result<(), Fault> {
        let Way { transport, site } = attachment.way;
        let other = transport.other();
        if self.presented()?.carries_access_token(other) {
            self.effects()
                .plan(|plan| plan.clear(other, site.same_site));
        }
        Ok(())
    }

    /// Returns the device of a session that is created here, if device tracking is enabled.
    pub(crate) fn device(&self, now: UnixMillis) -> Option<Device> {
        let client = self.inner.presented.get()?.client.as_ref()?;
        Some(client.device(now))
    }

    /// Notes that the session was used.
    fn note_use(&self, session: &Session) {
        let sessions = self.sessions();
        let client = self
            .inner
            .presented
            .get()
            .and_then(|read| read.client.as_ref());
        if let (Some(devices), Some(client)) = (sessions.devices(), client) {
            devices.seen(session.handle(), client, sessions.now());
        }
    }
}

impl std::fmt::Debug for RequestSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestSessions")
            .field("route", &self.inner.route)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}
