//! Extractors. Each is a newtype over core's type, because a foreign trait cannot be implemented
//! for a foreign type.

use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use supersession::{Guard, SessionError};

use crate::convert::View;
use crate::reject::SessionRejection;

/// The verified session of the request. Dereferences to [`supersession::Session`].
///
/// Behind a guard, this is the guard's session. Without a guard, the extractor requires a session
/// with the default options. `Option<Session>` is `None` only if the request carries no session. An
/// expired session is still rejected with 401, so that the client refreshes.
///
/// Exhaustive, so that handlers can destructure it in their parameters.
#[derive(Clone, Debug)]
pub struct Session(pub supersession::Session);

/// The verified session of the request, as an extractor: an alias of [`Session`] with the name of
/// the guard [`verify_session()`](crate::verify_session()).
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

/// The session of a request that meets the guard `G`. Dereferences to [`supersession::Session`].
///
/// Equivalent to [`verify_session()`](crate::verify_session()) with the options of `G`. The
/// requirement is part of the handler's signature, so changes of the routes do not remove it.
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
        Ok(Self(sessions_of(parts)?.clone()))
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(sessions_of(parts)?.session().await?))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        let sessions = sessions_of(parts)?;
        Ok(sessions.optional_session().await?.map(Self))
    }
}

impl<S: Sync, G: Guard> FromRequestParts<S> for Require<G> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let session = sessions_of(parts)?.require(&G::options()).await?;
        Ok(Self::unchecked(session))
    }
}

/// Returns the sessions that the layer has inserted into the request, after they have read the
/// request.
pub(crate) fn sessions_of(parts: &Parts) -> Result<&supersession::RequestSessions, SessionError> {
    let sessions = parts
        .extensions
        .get::<supersession::RequestSessions>()
        .ok_or_else(|| {
            SessionError::missing_layer(
                "supersession_axum::SessionLayer",
                "add `.layer(SessionLayer::new(sessions))` to the outermost router",
            )
        })?;
    sessions.read(&View(parts));
    Ok(sessions)
}
