//! Examines a complete application with requests as browsers send them.

use actix_http::Request;
use actix_web::Error;
use actix_web::dev::{Service, ServiceResponse};
use supersession::Sessions;
use supersession::doctor::{Finding, Probe};
use supersession::http::ResponseHead as _;

use crate::convert::Head;

/// Returns the probable misconfigurations of an application: of its configuration, and of what is
/// around the session middleware, such as CORS and scopes.
///
/// Calls the application with [`Sessions::probes`], without a network. The probes change nothing.
/// Use this function in a test of the application. Findings are also logged.
///
/// # Errors
/// If a middleware returns an error instead of a response.
///
/// # Examples
/// ```
/// # use actix_web::{App, test};
/// # use supersession_actix::SessionMiddleware;
/// # use supersession_actix::core::{Sessions, store::MemoryStore};
/// # actix_web::rt::System::new().block_on(async {
/// # let sessions = Sessions::builder(MemoryStore::new())
/// #     .api_domain("http://localhost:3000").website_domain("http://localhost:3000")
/// #     .build().await?;
/// let app = App::new().wrap(SessionMiddleware::new(sessions.clone()));
///
/// let findings = supersession_actix::doctor(&test::init_service(app).await, &sessions).await?;
/// assert!(findings.is_empty(), "{findings:#?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn doctor<S, B>(app: &S, sessions: &Sessions) -> Result<Vec<Finding>, Error>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
{
    let mut findings = sessions.doctor().await;
    for probe in sessions.probes() {
        let mut response = app.call(request(&probe)).await?;
        let status = response.status().as_u16();
        findings.extend(probe.examine(status, &Head(response.headers_mut())));
    }
    Ok(findings)
}

fn request(probe: &Probe) -> Request {
    let mut request = Request::new();
    let head = request.head_mut();
    if let (Ok(method), Ok(path)) = (probe.method().parse(), probe.path().parse()) {
        head.method = method;
        head.uri = path;
    }
    for (name, value) in probe.headers() {
        Head(&mut head.headers).append_header(name, value, true);
    }
    request
}
