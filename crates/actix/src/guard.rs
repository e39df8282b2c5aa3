//! The guard: a middleware that admits only requests with a session that meets its options.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage as _};
use pin_project_lite::pin_project;
use supersession::claims::ClaimValidator;
use supersession::{Session, SessionError, Strictness, Verification, VerifyOptions};

use crate::extract::sessions_of;
use crate::reject::SessionRejection;

/// Creates a guard for the `wrap` of a route, a resource, a scope or the application. By default,
/// it requires a session. It runs before extractors read the body.
///
/// The guard inserts the session into the request's extensions, as [`supersession::Session`]. The
/// [`Session`](crate::Session) extractor reads it from there. On a route, call `wrap` after `to`.
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

impl<S, B> Transform<S, ServiceRequest> for VerifySession
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = VerifySessionService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(VerifySessionService {
            inner: Rc::new(inner),
            options: Rc::new(self.0.clone()),
        }))
    }
}

/// The service created by [`VerifySession`].
#[derive(Clone, Debug)]
pub struct VerifySessionService<S> {
    inner: Rc<S>,
    options: Rc<VerifyOptions>,
}

impl<S, B> Service<ServiceRequest> for VerifySessionService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = GuardFuture<S>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let verification = match sessions_of(request.request()) {
            Ok(sessions) => sessions.begin_verification(&self.options),
            Err(error) => Verification::Done(Err(error)),
        };
        let state = match verification {
            Verification::Done(verdict) => decided(&*self.inner, request, verdict),
            Verification::Pending(pending) => {
                let options = Rc::clone(&self.options);
                State::Verifying {
                    verdict: Box::pin(async move { pending.finish(&options).await }),
                    then: Some((Rc::clone(&self.inner), request)),
                }
            }
        };
        GuardFuture { state }
    }
}

fn decided<S>(
    inner: &S,
    request: ServiceRequest,
    verdict: Result<Option<Session>, SessionError>,
) -> State<S>
where
    S: Service<ServiceRequest>,
{
    match verdict {
        Ok(session) => {
            if let Some(session) = session {
                request.extensions_mut().insert(session);
            }
            State::Inner {
                response: inner.call(request),
            }
        }
        Err(error) => State::Rejected {
            response: Some(request.error_response(SessionRejection::from(error))),
        },
    }
}

type Verdict = Pin<Box<dyn Future<Output = Result<Option<Session>, SessionError>>>>;

pin_project! {
    /// The future of [`VerifySessionService`]. Allocates only if the guard has to wait.
    pub struct GuardFuture<S>
    where
        S: Service<ServiceRequest>,
    {
        #[pin]
        state: State<S>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S>
    where
        S: Service<ServiceRequest>,
    {
        Verifying {
            verdict: Verdict,
            then: Option<(Rc<S>, ServiceRequest)>,
        },
        Inner { #[pin] response: S::Future },
        Rejected { response: Option<ServiceResponse> },
    }
}

impl<S, B> Future for GuardFuture<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { response } => {
                    let response = ready!(response.poll(cx))?;
                    return Poll::Ready(Ok(response.map_into_left_body()));
                }
                StateProjection::Rejected { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response.map_into_right_body())),
                    // The future was polled after completion.
                    None => return Poll::Pending,
                },
                StateProjection::Verifying { verdict, then } => {
                    let verdict = ready!(verdict.as_mut().poll(cx));
                    match then.take() {
                        Some((inner, request)) => decided(&*inner, request, verdict),
                        None => return Poll::Pending,
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S> std::fmt::Debug for GuardFuture<S>
where
    S: Service<ServiceRequest>,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}
