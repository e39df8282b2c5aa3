//! The layer: serves the built-in routes and applies token effects to every response.

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

/// Adds sessions to an application. Apply it once, around all routes.
///
/// * Serves the built-in routes below the API's base path: refresh, sign-out, key set, OpenID
///   discovery.
/// * Makes the sessions available to guards and extractors. The cost for other requests is
///   negligible.
/// * Applies token effects to every response, errors included, and renders session errors.
///
/// The layer must see all requests, with the paths that the client sent. Apply it last, and to the
/// outermost router, not to a nested one: axum does not wrap fallbacks and routes that are added
/// after [`Router::layer`], so a later `fallback_service` hides the built-in routes. If that is not
/// possible, also mount [`routes`](crate::routes). [`doctor`](crate::doctor) finds unreachable
/// routes.
///
/// [`Router::layer`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
///
/// Layers inside this one can change the body type. Services can fail: their errors are returned
/// unchanged and carry no tokens. To add token effects to such a response, put a `HandleErrorLayer`
/// inside this layer.
///
/// Put only a CORS layer around this layer. A CORS layer replaces `Access-Control-Expose-Headers`,
/// so it must expose [`wire::CORS_EXPOSE_HEADERS`](supersession::wire::CORS_EXPOSE_HEADERS).
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is applied"]
pub struct SessionLayer {
    sessions: Sessions,
}

impl SessionLayer {
    /// Creates a layer for these sessions.
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

/// The service created by [`SessionLayer`].
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

/// Answers a request for a built-in route, and passes other requests to `application`.
pub(crate) fn serve<B, F>(
    sessions: RequestSessions,
    request: Request<B>,
    application: impl FnOnce(&RequestSessions, Request<B>) -> F,
) -> ResponseFuture<F> {
    let answer = match sessions.route() {
        Some(route) => {
            let (parts, _) = request.into_parts();
            sessions.read(&View(&parts));
            let sessions = sessions.clone();
            Answer::BuiltIn {
                reply: Box::pin(async move { sessions.serve(route).await }),
                without_body: parts.method == Method::HEAD,
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
                // `Body::new` returns a body that already is axum's unchanged.
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
