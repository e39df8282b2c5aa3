//! The guard: a layer that lets only requests with a fitting session through.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use supersession::claims::ClaimValidator;
use supersession::{Session, Strictness, VerifyOptions};
use tower_layer::Layer;
use tower_service::Service;

use crate::extract::sessions_of;
use crate::reject::SessionRejection;

/// A guard for `.layer(..)` and `.route_layer(..)`: by default demands a session. Runs before
/// extractors read the body.
///
/// The session is then in the request's extensions, as [`supersession::Session`], and the
/// [`Session`](crate::Session) extractor takes it from there.
#[doc(alias = "verifySession")]
pub fn verify_session() -> VerifySession {
    VerifyOptions::new().into()
}

/// The guard that [`verify_session`] makes. The setters are those of [`VerifyOptions`].
#[derive(Clone, Debug)]
#[must_use = "a guard does nothing until it is applied"]
pub struct VerifySession(VerifyOptions);

impl VerifySession {
    /// See [`VerifyOptions::optional`].
    pub fn optional(self) -> Self {
        Self(self.0.optional())
    }

    /// See [`VerifyOptions::anti_csrf_check`].
    pub fn anti_csrf_check(self, check: bool) -> Self {
        Self(self.0.anti_csrf_check(check))
    }

    /// See [`VerifyOptions::strictness`].
    pub fn strictness(self, strictness: Strictness) -> Self {
        Self(self.0.strictness(strictness))
    }

    /// See [`VerifyOptions::check_database`].
    pub fn check_database(self, check: bool) -> Self {
        Self(self.0.check_database(check))
    }

    /// See [`VerifyOptions::max_session_age`].
    pub fn max_session_age(self, age: Duration) -> Self {
        Self(self.0.max_session_age(age))
    }

    /// See [`VerifyOptions::require`].
    pub fn require(self, validator: impl Into<ClaimValidator>) -> Self {
        Self(self.0.require(validator))
    }

    /// See [`VerifyOptions::override_global_validators`].
    pub fn override_global_validators<F>(self, choose: F) -> Self
    where
        F: Fn(&[ClaimValidator], &Session) -> Vec<ClaimValidator> + Send + Sync + 'static,
    {
        Self(self.0.override_global_validators(choose))
    }
}

impl From<VerifyOptions> for VerifySession {
    fn from(options: VerifyOptions) -> Self {
        Self(options)
    }
}

impl<S> Layer<S> for VerifySession {
    type Service = VerifySessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifySessionService {
            inner,
            options: Arc::new(self.0.clone()),
        }
    }
}

/// The service that [`VerifySession`] makes.
#[derive(Clone, Debug)]
pub struct VerifySessionService<S> {
    inner: S,
    options: Arc<VerifyOptions>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for VerifySessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: From<Vec<u8>>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The service that was polled ready must be the one that is called; a fresh clone need not
        // be.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let options = Arc::clone(&self.options);
        let (mut parts, body) = request.into_parts();
        let sessions = sessions_of(&parts);
        Box::pin(async move {
            let verified = match sessions {
                Ok(sessions) => sessions.verify(&options).await,
                Err(error) => Err(error),
            };
            match verified {
                Ok(session) => {
                    if let Some(session) = session {
                        parts.extensions.insert(session);
                    }
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(error) => Ok(SessionRejection::from(error).into_response_with()),
            }
        })
    }
}
