//! The guard: a layer that admits only requests with a session that meets its options.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum_core::BoxError;
use axum_core::body::Body;
use axum_core::response::IntoResponse as _;
use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use supersession::claims::ClaimValidator;
use supersession::{Session, SessionError, Strictness, Verification, VerifyOptions};
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
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: HttpBody<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = GuardFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let verification = match sessions_of(&request) {
            Ok(sessions) => sessions.begin_verification(&self.options),
            Err(error) => Verification::Done(Err(error)),
        };
        let state = match verification {
            Verification::Done(Ok(session)) => {
                insert(request.extensions_mut(), session);
                State::Inner {
                    response: self.inner.call(request),
                }
            }
            Verification::Done(Err(error)) => State::Rejected { error: Some(error) },
            Verification::Pending(pending) => {
                // The instance that was polled ready must be the one that is called. A new clone
                // may not be ready.
                let next = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, next);
                let options = Arc::clone(&self.options);
                State::Verifying {
                    verdict: Box::pin(async move { pending.finish(&options).await }),
                    then: Some((inner, request)),
                }
            }
        };
        GuardFuture { state }
    }
}

fn insert(extensions: &mut Extensions, session: Option<Session>) {
    if let Some(session) = session {
        extensions.insert(session);
    }
}

type Verdict = Pin<Box<dyn Future<Output = Result<Option<Session>, SessionError>> + Send>>;

pin_project! {
    /// The future of [`VerifySessionService`]. Allocates only if the guard has to wait.
    pub struct GuardFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Verifying {
            verdict: Verdict,
            then: Option<(S, Request<ReqBody>)>,
        },
        Inner { #[pin] response: S::Future },
        Rejected { error: Option<SessionError> },
    }
}

impl<S, ReqBody, ResBody> Future for GuardFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: HttpBody<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { response } => {
                    return response.poll(cx).map_ok(|response| response.map(Body::new));
                }
                StateProjection::Rejected { error } => match error.take() {
                    Some(error) => {
                        let rejection = SessionRejection::from(error);
                        return Poll::Ready(Ok(rejection.into_response()));
                    }
                    // The future was polled after completion.
                    None => return Poll::Pending,
                },
                StateProjection::Verifying { verdict, then } => {
                    match (ready!(verdict.as_mut().poll(cx)), then.take()) {
                        (Ok(session), Some((mut inner, mut request))) => {
                            insert(request.extensions_mut(), session);
                            State::Inner {
                                response: inner.call(request),
                            }
                        }
                        (Ok(_), None) => return Poll::Pending,
                        (Err(error), _) => State::Rejected { error: Some(error) },
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody> std::fmt::Debug for GuardFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}
