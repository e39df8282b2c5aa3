//! The guard: a layer that admits only requests with a session that meets its options.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_core::BoxError;
use axum_core::body::Body;
use axum_core::response::IntoResponse as _;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use supersession::claims::ClaimValidator;
use supersession::{Session, Strictness, VerifyOptions};
use tower_layer::Layer;
use tower_service::Service;

use crate::extract::sessions_of;
use crate::reject::SessionRejection;

/// Creates a guard for `.layer(..)` and `.route_layer(..)`. By default, it requires a session. It
/// runs before extractors read the body.
///
/// The guard inserts the session into the request's extensions, as [`supersession::Session`]. The
/// [`Session`](crate::Session) extractor reads it from there.
#[doc(alias = "verifySession")]
pub fn verify_session() -> VerifySession {
    VerifyOptions::new().into()
}

/// The guard created by [`verify_session()`]. Its setters are those of [`VerifyOptions`].
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

/// The service created by [`VerifySession`].
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
    ResBody: HttpBody<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The instance that was polled ready must be the one that is called. A new clone may not be
        // ready.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let options = Arc::clone(&self.options);
        let (mut parts, body) = request.into_parts();
        Box::pin(async move {
            let verified = async { sessions_of(&parts)?.verify(&options).await };
            match verified.await {
                Ok(session) => {
                    if let Some(session) = session {
                        parts.extensions.insert(session);
                    }
                    let response = inner.call(Request::from_parts(parts, body)).await?;
                    Ok(response.map(Body::new))
                }
                Err(error) => Ok(SessionRejection::from(error).into_response()),
            }
        })
    }
}
