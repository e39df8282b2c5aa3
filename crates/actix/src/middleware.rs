//! The middleware: serves the built-in routes and applies token effects to every response.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready as await_ready};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage as _};
use pin_project_lite::pin_project;
use supersession::{RequestSessions, Sessions};

use crate::answer::{answer, answer_error};
use crate::convert::{View, for_request};
use crate::routes::serve;

/// Adds sessions to an application. Apply it once, with `App::wrap`, around all routes.
///
/// * Serves the built-in routes below the API's base path: refresh, sign-out, key set, OpenID
///   discovery.
/// * Makes the sessions available to guards and extractors. The cost for other requests is
///   negligible.
/// * Applies token effects to every response, errors included, and renders session errors.
///
/// If an inner middleware returns an error instead of a response, the client receives the response
/// that it would receive without this middleware, with the token effects of the request. Outer
/// middleware can get the error itself with [`original_error`](crate::original_error).
///
/// The last `wrap` runs first, so wrap this middleware after the guards. Put only CORS middleware
/// around it. CORS middleware replaces `Access-Control-Expose-Headers`, so it must expose
/// [`wire::CORS_EXPOSE_HEADERS`](supersession::wire::CORS_EXPOSE_HEADERS).
#[derive(Clone, Debug)]
#[must_use = "a middleware does nothing until it is applied"]
pub struct SessionMiddleware {
    sessions: Sessions,
}

impl SessionMiddleware {
    /// Creates a middleware for these sessions. Create the sessions once, outside of
    /// `HttpServer::new`, and clone them into each worker's application.
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }
}

impl<S, B> Transform<S, ServiceRequest> for SessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = SessionService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SessionService {
            inner,
            sessions: self.sessions.clone(),
        }))
    }
}

/// The service created by [`SessionMiddleware`].
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    sessions: Sessions,
}

impl<S, B> Service<ServiceRequest> for SessionService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = ResponseFuture<S::Future>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let sessions = for_request(&self.sessions, request.head());
        let answer = match sessions.route() {
            Some(route) => {
                sessions.read(&View(request.head()));
                let sessions = sessions.clone();
                Answer::BuiltIn {
                    response: Box::pin(async move {
                        let response = serve(&sessions, route).await;
                        request.into_response(response)
                    }),
                }
            }
            None => {
                let outer = request.extensions_mut().insert(sessions.clone());
                if let Some(outer) = outer {
                    sessions.check_nesting(&outer);
                }
                Answer::Application {
                    response: self.inner.call(request),
                }
            }
        };
        ResponseFuture { sessions, answer }
    }
}

pin_project! {
    /// The future of [`SessionService`].
    pub struct ResponseFuture<F> {
        sessions: RequestSessions,
        #[pin]
        answer: Answer<F>,
    }
}

pin_project! {
    #[project = AnswerProjection]
    enum Answer<F> {
        BuiltIn { response: Pin<Box<dyn Future<Output = ServiceResponse>>> },
        Application { #[pin] response: F },
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.answer.project() {
            AnswerProjection::BuiltIn { response } => Poll::Ready(Ok(await_ready!(
                response.as_mut().poll(cx)
            )
            .map_into_right_body())),
            AnswerProjection::Application { response } => {
                let outcome = await_ready!(response.poll(cx));
                let outcome = outcome.map(|response| answer(this.sessions, response));
                Poll::Ready(outcome.map_err(|error| answer_error(this.sessions, error)))
            }
        }
    }
}

impl<F> std::fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
