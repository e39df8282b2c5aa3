//! The built-in routes without the layer.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum_core::body::Body;
use http::{Request, Response, StatusCode};
use supersession::Sessions;
use tower_service::Service;

use crate::layer::{ResponseFuture, serve};

/// Creates a service with the built-in routes: refresh, sign-out, key set, OpenID discovery. Other
/// requests are answered with 404.
///
/// Use it if [`SessionLayer`](crate::SessionLayer) does not see all requests: because it wraps only
/// some routers, because there are several kinds of sessions, or because a fallback is set after
/// it. The built-in routes are then reachable in any case. Applications that are completely wrapped
/// in the layer do not need it.
///
/// # Examples
/// ```
/// # use supersession_axum::core::{Sessions, store::MemoryStore};
/// # pollster::block_on(async {
/// # let sessions = Sessions::builder(MemoryStore::new())
/// #     .api_domain("http://localhost:3000").website_domain("http://localhost:3000")
/// #     .build().await?;
/// // With `api_base_path("/auth")`, which is the default.
/// let app: axum::Router = axum::Router::new()
///     .route_service("/auth/{*path}", supersession_axum::routes(sessions.clone()));
///
/// let findings = supersession_axum::doctor(app, &sessions).await?;
/// assert!(findings.is_empty(), "{findings:#?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn routes(sessions: Sessions) -> Routes {
    Routes { sessions }
}

/// The service created by [`routes`]. Mount it with `route_service`, `nest_service` or
/// `fallback_service`.
#[derive(Clone, Debug)]
#[must_use = "routes do nothing until they are mounted"]
pub struct Routes {
    sessions: Sessions,
}

impl<B> Service<Request<B>> for Routes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture<Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (method, path) = (request.method().as_str(), request.uri().path());
        let sessions = self.sessions.for_built_in_request(method, path);
        serve(sessions, request, |_, _| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            ready(Ok(response))
        })
    }
}
