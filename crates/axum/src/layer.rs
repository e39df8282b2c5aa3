//! The layer: built-in routes, and what every response must carry.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum_core::BoxError;
use axum_core::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use supersession::http::Reply;
use supersession::{RequestSessions, Sessions};
use tower_layer::Layer;
use tower_service::Service;

use crate::convert::{Head, View, head_of, response_of, write_reply};
use crate::reject::Rejected;

/// Brings sessions into an application: once, around all routes.
///
/// * Answers the built-in routes below the API's base path: refresh, sign-out, key set, OpenID
///   discovery.
/// * Lets guards and extractors find the sessions; costs next to nothing for requests that ask for
///   none.
/// * Applies token effects to every response, errors included, and renders session errors.
///
/// It must see all requests, with paths as the client sent them. Apply it to the outermost router,
/// not to a nested one, and last: axum does not wrap a fallback or a route that is added after
/// [`Router::layer`], so a `fallback_service` that comes later hides the built-in routes. Where it
/// cannot be so, mount [`routes`](crate::routes) too. [`doctor`](crate::doctor) finds routes that
/// cannot be reached.
///
/// [`Router::layer`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
///
/// Layers inside it can change the type of bodies, and services can fail: an error passes through
/// as it is, but carries no tokens. Put a `HandleErrorLayer` inside this layer, so that token
/// effects reach its response.
///
/// Only a CORS layer goes around it. Such a layer replaces `Access-Control-Expose-Headers`, so what
/// it exposes must hold [`wire::CORS_EXPOSE_HEADERS`](supersession::wire::CORS_EXPOSE_HEADERS).
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is applied"]
pub struct SessionLayer {
    sessions: Sessions,
}

impl SessionLayer {
    /// A layer over these sessions.
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService {
            inner,
            sessions: self.sessions.clone(),
        }
    }
}

/// The service that [`SessionLayer`] makes.
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    sessions: Sessions,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: HttpBody<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let sessions = self
            .sessions
            .for_request(request.method().as_str(), request.uri().path());
        serve(sessions, request, |sessions, mut request| {
            let outer = request.extensions_mut().insert(sessions.clone());
            if let Some(outer) = outer {
                sessions.check_nesting(&outer);
            }
            self.inner.call(request)
        })
    }
}

/// Answers a built-in route, and gives other requests to `application`.
pub(crate) fn serve<B, F>(
    sessions: RequestSessions,
    request: Request<B>,
    application: impl FnOnce(&RequestSessions, Request<B>) -> F,
) -> ResponseFuture<F> {
    let answer = match sessions.route() {
        Some(route) => {
            sessions.read(&View::from(&request));
            let sessions = sessions.clone();
            Answer::BuiltIn {
                reply: Box::pin(async move { sessions.serve(route).await }),
                without_body: request.method() == Method::HEAD,
            }
        }
        None => Answer::Application {
            response: application(&sessions, request),
        },
    };
    ResponseFuture { sessions, answer }
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
        BuiltIn {
            reply: Pin<Box<dyn Future<Output = Reply> + Send>>,
            without_body: bool,
        },
        Application { #[pin] response: F },
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: HttpBody<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match this.answer.project() {
            AnswerProjection::BuiltIn {
                reply,
                without_body,
            } => {
                let reply = ready!(reply.as_mut().poll(cx));
                if *without_body {
                    head_of(reply)
                } else {
                    response_of(reply)
                }
            }
            AnswerProjection::Application { response } => {
                // A body that is one of axum's already is taken as it is.
                let mut response = ready!(response.poll(cx))?.map(Body::new);
                if let Some(Rejected(error)) = response.extensions_mut().remove() {
                    write_reply(this.sessions.answer(&error), &mut response);
                }
                response
            }
        };
        this.sessions.finish(&mut Head(response.headers_mut()));
        Poll::Ready(Ok(response))
    }
}

impl<F> std::fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
