//! Extractors. Each is a newtype over core's value, because a foreign type cannot implement a
//! foreign trait.

use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use supersession::{Guard, SessionError};

use crate::convert::View;
use crate::reject::SessionRejection;

/// The verified session of the request; dereferences to [`supersession::Session`].
///
/// Behind a guard, it is the guard's session. Without one, it demands a session by itself, with the
/// default options. `Option<Session>` is `None` only where the request carries no session; an
/// expired one is still answered with 401, so that the client refreshes.
#[derive(Clone, Debug)]
pub struct Session(pub supersession::Session);

/// The verified session of the request, as an extractor: [`Session`] under the name of the guard
/// [`verify_session()`](crate::verify_session()).
///
/// A function and a type can share a name, so one `use` imports both.
///
/// # Examples
/// ```
/// use axum::{Router, routing::get};
/// use supersession_axum::verify_session;
///
/// async fn profile(session: verify_session) -> String {
///     session.user_id().to_string()
/// }
///
/// async fn feed(session: Option<verify_session>) -> &'static str {
///     if session.is_some() { "news for you" } else { "news for all" }
/// }
///
/// let app: Router = Router::new()
///     .route("/profile", get(profile))
///     .route("/feed", get(feed))
///     .route("/reports", get(|| async { "..." }).route_layer(verify_session()));
/// ```
#[expect(
    non_camel_case_types,
    reason = "the name that SuperTokens documents for both uses"
)]
#[doc(alias = "verifySession")]
pub type verify_session = Session;

/// The session of a request that meets the guard `G`; dereferences to [`supersession::Session`].
///
/// The same as [`verify_session()`](crate::verify_session()) with `G`'s options, but in the handler's
/// signature, where it survives refactoring of the routes.
#[derive(Debug)]
pub struct Require<G> {
    session: supersession::Session,
    guard: PhantomData<fn() -> G>,
}

/// Sessions inside this request: creates one whose tokens go out with the response. Dereferences to
/// [`supersession::RequestSessions`].
#[derive(Clone, Debug)]
pub struct RequestSessions(pub supersession::RequestSessions);

impl<G> Require<G> {
    /// An extractor's value with this session, for tests of handlers.
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

    /// The session as the plain extractor gives it.
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

impl<S: Sync> FromRequestParts<S> for RequestSessions {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(sessions_of(&*parts)?.clone()))
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(sessions_of(&*parts)?.session().await?))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        let sessions = sessions_of(&*parts)?;
        Ok(sessions.optional_session().await?.map(Self))
    }
}

impl<S: Sync, G: Guard> FromRequestParts<S> for Require<G> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let session = sessions_of(&*parts)?.require(&G::options()).await?;
        Ok(Self::unchecked(session))
    }
}

/// What the layer has put into the request, with the request read.
pub(crate) fn sessions_of<'a>(
    request: impl Into<View<'a>>,
) -> Result<&'a supersession::RequestSessions, SessionError> {
    let view = request.into();
    let sessions = view
        .extensions
        .get::<supersession::RequestSessions>()
        .ok_or_else(|| {
            SessionError::missing_layer(
                "supersession_axum::SessionLayer",
                "add `.layer(SessionLayer::new(sessions))` to the outermost router",
            )
        })?;
    sessions.read(&view);
    Ok(sessions)
}
