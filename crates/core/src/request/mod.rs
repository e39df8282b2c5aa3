//! Sessions of one request: the tokens it carries, the verified session, and the token effects of
//! its response.

mod bare;
mod candidate;
mod checks;
mod create;
mod in_place;
mod options;
mod pages;
mod refresh;
mod reply;
mod routes;
mod verify;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use bare::AntiCsrfInput;
pub use create::CreateSession;
pub use options::{Guard, VerifyOptions};
pub use routes::Route;

use candidate::Candidate;
use pages::Page;

use crate::clock::UnixMillis;
use crate::config::{Config, Strictness};
use crate::doctor::{self, Finding};
use crate::error::{Fault, SessionError};
use crate::http::{RequestView, ResponseHead};
use crate::ids::UserId;
use crate::session::{ResponseLink, Session};
use crate::sessions::Sessions;
use crate::store::Device;
use crate::telemetry;
use crate::transfer::{Effects, Presented};
use crate::transport::{AntiCsrf, Transport};

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
    /// The page of the request, if pages are configured.
    page: Option<Page>,
    /// The doctor's findings about the request, if it is a request to the doctor's route.
    findings: OnceLock<Vec<Finding>>,
    current: Mutex<Option<CurrentSession>>,
    effects: Arc<Effects>,
}

/// The session of a request that has passed the checks of a guard, or was refreshed.
#[derive(Clone, Debug)]
struct CurrentSession {
    session: Session,
    /// The strictness to which revocation was checked.
    strictness: Strictness,
}

impl Sessions {
    /// Creates the session state of a request. An adapter calls this for each request that passes
    /// its layer. The cost is negligible until the state is used.
    ///
    /// `path` is the path that the client sent. Behind nested routers, an adapter later sees a
    /// shorter one.
    #[must_use]
    pub fn for_request(&self, method: &str, path: &str) -> RequestSessions {
        let route = Route::of(self.config(), method, path);
        RequestSessions::new(self.clone(), method, path, route)
    }

    /// Equivalent to [`Self::for_request`], for a service that has only the built-in routes. The
    /// path may lack the base path, as behind a router that strips the path at which it is mounted.
    #[must_use]
    pub fn for_built_in_request(&self, method: &str, path: &str) -> RequestSessions {
        let config = self.config();
        let route = Route::of(config, method, path)
            .or_else(|| Route::below_base(config, method, path.strip_suffix('/').unwrap_or(path)));
        RequestSessions::new(self.clone(), method, path, route)
    }
}

impl RequestSessions {
    fn new(sessions: Sessions, method: &str, path: &str, route: Option<Route>) -> Self {
        sessions.sightings().note(method, path);
        if route == Some(Route::Refresh) {
            sessions.sightings().note_refresh();
        }
        Self {
            inner: Arc::new(Inner {
                page: Page::of(path, sessions.config()),
                sessions,
                route,
                presented: OnceLock::new(),
                findings: OnceLock::new(),
                current: Mutex::default(),
                effects: Arc::default(),
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
            Presented::read(view, self.config(), |token| {
                self.sessions().cached_token(token)
            })
        });
        if let Some(page) = &self.inner.page {
            page.read(view, self.config());
        }
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
        let response = self.response_link_for_creation()?;
        let session = session.attached(self.inner.sessions.clone(), response);
        session.check_deliverable(&session.tokens_out())?;
        session.send_tokens();
        Ok(session)
    }

    /// Writes all token changes to the head of the response. The adapter's layer must call this
    /// once for every response. Later changes of sessions are stored, but not sent with this
    /// response.
    pub fn finish(&self, head: &mut dyn ResponseHead) {
        self.effects().finish(self.config(), head);
    }

    fn effects(&self) -> &Effects {
        &self.inner.effects
    }

    pub(crate) fn config(&self) -> &Config {
        self.inner.sessions.config()
    }

    fn presented(&self) -> Result<&Presented, Fault> {
        self.inner.presented.get().ok_or_else(|| {
            Fault::misuse("the request has not been read. Fix: an adapter must call `RequestSessions::read` first")
        })
    }

    /// Returns the current session of this request, if any.
    fn current(&self) -> Option<CurrentSession> {
        self.lock_current().clone()
    }

    /// Makes a session the session of the rest of the request.
    fn set_current(&self, session: &Session, strictness: Strictness) {
        *self.lock_current() = Some(CurrentSession {
            session: session.clone(),
            strictness,
        });
    }

    fn lock_current(&self) -> std::sync::MutexGuard<'_, Option<CurrentSession>> {
        // Every critical section only reads or assigns a whole value, so a poisoned lock is sound.
        let current = self.inner.current.lock();
        current.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the link from a session to this request's response.
    fn response_link(&self, transport: Transport) -> Result<ResponseLink, Fault> {
        Ok(ResponseLink {
            effects: Arc::downgrade(&self.inner.effects),
            transport,
            site: self.presented()?.site()?,
        })
    }

    /// Returns the link of a session that is created here. Fails if no browser would keep its
    /// cookies (session specification, 3.10).
    fn response_link_for_creation(&self) -> Result<ResponseLink, Fault> {
        let response = self.response_link(self.presented()?.for_creation)?;
        let insecure = response.site.same_site == crate::SameSite::None
            && !self.config().cookies.secure
            && !response.site.is_local;
        if response.transport == Transport::Cookie && insecure {
            return Err(Fault::misuse(
                "cookies with SameSite=None need Secure. Fix: serve the API over https, set `api_domain` accordingly, and do not set `cookie_secure(false)`; or use header-based sessions",
            ));
        }
        Ok(response)
    }

    /// Returns `true` if a session that is created here gets an anti-CSRF token.
    fn uses_anti_csrf_tokens(&self, transport: Transport) -> Result<bool, Fault> {
        let by_cookie = transport == Transport::Cookie;
        Ok(by_cookie && self.presented()?.anti_csrf_mode(self.config())? == AntiCsrf::ViaToken)
    }

    /// Clears tokens that the request carries in the transport that the new session does not use
    /// (session specification, 3.6).
    fn clear_other_transport(&self, response: &ResponseLink) -> Result<(), Fault> {
        let other = response.transport.other();
        if self.presented()?.carries_access_token(other) {
            self.effects()
                .plan(|plan| plan.clear(other, response.site.same_site));
        }
        Ok(())
    }

    /// Returns the device of a session that is created here, if device tracking is enabled.
    fn device(&self, now: UnixMillis) -> Option<Device> {
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
