//! The guard: a middleware that admits only requests with a session that meets its options.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage as _};
use supersession::claims::ClaimValidator;
use supersession::{Session, Strictness, VerifyOptions};

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
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, options) = (Rc::clone(&self.inner), Rc::clone(&self.options));
        Box::pin(async move {
            let verified = async { sessions_of(request.request())?.verify(&options).await };
            match verified.await {
                Ok(session) => {
                    if let Some(session) = session {
                        request.extensions_mut().insert(session);
                    }
                    Ok(inner.call(request).await?.map_into_left_body())
                }
                Err(error) => {
                    let response = request.error_response(SessionRejection::from(error));
                    Ok(response.map_into_right_body())
                }
            }
        })
    }
}
