//! Extractors. Each is a newtype over core's type, because a foreign trait cannot be implemented
//! for a foreign type.

use std::future::{self, Future, Ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use supersession::{Guard, SessionError};

use crate::convert::View;
use crate::reject::SessionRejection;

/// The verified session of the request. Dereferences to [`supersession::Session`]. It may be moved
/// to tasks on other threads.
///
/// Behind a guard, this is the guard's session. Without a guard, the extractor requires a session
/// with the default options.
///
/// **Never use `Option<Session>`**: actix-web turns every error into `None`, so that a client with
/// an expired token would be treated as a guest, also during a store failure. Extractors cannot
/// prevent this, because actix-web implements `Option` for all of them. Use [`OptionalSession`].
///
/// Exhaustive, so that handlers can destructure it in their parameters.
#[derive(Clone, Debug)]
pub struct Session(pub supersession::Session);

/// The verified session of the request, as an extractor: an alias of [`Session`] with the name of
/// the guard [`verify_session()`](crate::verify_session()).
///
/// A function and a type can share a name, so one `use` imports both. For an optional session, use
/// [`OptionalSession`].
///
/// # Examples
/// ```
/// use actix_web::web::{self, ServiceConfig};
/// use supersession_actix::verify_session;
///
/// async fn profile(session: verify_session) -> String {
///     session.user_id().to_string()
/// }
///
/// fn routes(config: &mut ServiceConfig) {
///     config
///         .route("/profile", web::get().to(profile))
///         .route("/reports", web::get().to(|| async { "..." }).wrap(verify_session()));
/// }
/// ```
#[expect(
    non_camel_case_types,
    reason = "the name that SuperTokens documents for both uses"
)]
#[doc(alias = "verifySession")]
pub type verify_session = Session;

/// The session of the request, if it carries one. Dereferences to `Option<Session>`.
///
/// It is `None` only if the request carries no session. An expired session is still rejected with
/// 401, so that the client refreshes, and a store failure is answered with 503.
///
/// Exhaustive, so that handlers can destructure it in their parameters.
#[derive(Clone, Debug)]
pub struct OptionalSession(pub Option<Session>);

/// The session of a request that meets the guard `G`. Dereferences to [`supersession::Session`].
///
/// Equivalent to [`verify_session()`](crate::verify_session()) with the options of `G`. The
/// requirement is part of the handler's signature, so changes of the routes do not remove it. Never
/// wrap this type in an `Option`, for the same reason as [`Session`].
#[derive(Debug)]
pub struct Require<G> {
    session: supersession::Session,
    guard: PhantomData<fn() -> G>,
}

/// The [`supersession::RequestSessions`] of this request, to which it dereferences. Creates
/// sessions whose tokens are sent with the response.
///
/// Exhaustive, so that handlers can destructure it in their parameters.
#[derive(Clone, Debug)]
pub struct RequestSessions(pub supersession::RequestSessions);

impl OptionalSession {
    /// Returns the session as the plain extractor, if there is one.
    #[must_use]
    pub fn into_session(self) -> Option<Session> {
        self.0
    }
}

impl<G> Require<G> {
    /// Wraps a session without a check, for tests of handlers.
    ///
    /// # Security
    /// The options of `G` are not checked. To check them, use
    /// [`RequestSessions::require`](supersession::RequestSessions::require).
    #[must_use]
    pub fn unchecked(session: supersession::Session) -> Self {
        Self {
            session,
            guard: PhantomData,
        }
    }

    /// Converts the value to the plain extractor.
    #[must_use]
    pub fn into_session(self) -> Session {
        Session(self.session)
    }
}

impl Deref for Session {
    type Target = supersession::Session;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Deref for OptionalSession {
    type Target = Option<Session>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<G> Deref for Require<G> {
    type Target = supersession::Session;

    fn deref(&self) -> &Self::Target {
        &self.session
    }
}

impl Deref for RequestSessions {
    type Target = supersession::RequestSessions;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromRequest for RequestSessions {
    type Error = SessionRejection;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        future::ready(sessions_of(request).map(Self).map_err(Into::into))
    }
}

impl FromRequest for Session {
    type Error = SessionRejection;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sessions = sessions_of(request);
        Box::pin(async { Ok(Self(sessions?.session().await?)) })
    }
}

impl FromRequest for OptionalSession {
    type Error = SessionRejection;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sessions = sessions_of(request);
        Box::pin(async { Ok(Self(sessions?.optional_session().await?.map(Session))) })
    }
}

impl<G: Guard> FromRequest for Require<G> {
    type Error = SessionRejection;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sessions = sessions_of(request);
        Box::pin(async { Ok(Self::unchecked(sessions?.require(&G::options()).await?)) })
    }
}

/// The future of the extractors that can wait.
type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, SessionRejection>>>>;

/// Returns the sessions that the middleware has inserted into the request, after they have read the
/// request.
pub(crate) fn sessions_of(
    request: &HttpRequest,
) -> Result<supersession::RequestSessions, SessionError> {
    let sessions = request
        .extensions()
        .get::<supersession::RequestSessions>()
        .cloned()
        .ok_or_else(|| {
            SessionError::missing_layer(
                "supersession_actix::SessionMiddleware",
                "add `.wrap(SessionMiddleware::new(sessions))` to the `App`, after all other `wrap`s of sessions",
            )
        })?;
    sessions.read(&View(request.head()));
    Ok(sessions)
}
