//! Examines a complete application with requests as browsers send them.

use std::future::poll_fn;

use axum_core::body::Body;
use http::{Request, Response};
use supersession::Sessions;
use supersession::doctor::{Finding, Probe};
use tower_service::Service;

use supersession::http::ResponseHead as _;

use crate::convert::Head;

/// Returns the probable misconfigurations of an application: of its configuration, and of what is
/// around the session layer, such as CORS, nested routers and fallbacks.
///
/// Calls the application with [`Sessions::probes`], without a network. The probes change nothing.
/// Use this function in a test of the application, or at its start: findings are also logged.
///
/// # Errors
/// If the application's service fails, which axum's routers never do.
///
/// # Examples
/// ```
/// # use supersession_axum::core::{Sessions, store::MemoryStore};
/// # use supersession_axum::SessionLayer;
/// # pollster::block_on(async {
/// # let sessions = Sessions::builder(MemoryStore::new())
/// #     .api_domain("http://localhost:3000").website_domain("http://localhost:3000")
/// #     .build().await?;
/// let app: axum::Router = axum::Router::new().layer(SessionLayer::new(sessions.clone()));
///
/// let findings = supersession_axum::doctor(app, &sessions).await?;
/// assert!(findings.is_empty(), "{findings:#?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn doctor<S, B>(mut app: S, sessions: &Sessions) -> Result<Vec<Finding>, S::Error>
where
    S: Service<Request<Body>, Response = Response<B>>,
{
    let mut findings = sessions.doctor().await;
    for probe in sessions.probes() {
        poll_fn(|cx| app.poll_ready(cx)).await?;
        let mut response = app.call(request(&probe)).await?;
        let status = response.status().as_u16();
        findings.extend(probe.examine(status, &Head(response.headers_mut())));
    }
    Ok(findings)
}

fn request(probe: &Probe) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    if let (Ok(method), Ok(path)) = (probe.method().parse(), probe.path().parse()) {
        *request.method_mut() = method;
        *request.uri_mut() = path;
    }
    for (name, value) in probe.headers() {
        Head(request.headers_mut()).append_header(name, value, true);
    }
    request
}
