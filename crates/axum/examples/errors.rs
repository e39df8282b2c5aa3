//! Application-defined error bodies: problem details (RFC 9457) for all session errors.
//! `cargo run -p supersession-axum --example errors`
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

use std::error::Error;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::routing::get;
use supersession_axum::core::http::Reply;
use supersession_axum::core::store::MemoryStore;
use supersession_axum::core::{SessionError, Sessions};
use supersession_axum::{Session, SessionLayer};
use tower::ServiceExt as _;

/// Keeps the status, which the browser SDKs depend on, and replaces the body. If the error requires
/// it, tokens are cleared regardless of the returned reply.
fn problem(error: &SessionError, mut reply: Reply) -> Reply {
    let title = match error {
        SessionError::Unauthorised(_) => "Please sign in",
        SessionError::TryRefreshToken(_) => "Your session must be renewed",
        SessionError::TokenTheftDetected(_) => "Your session was ended for safety",
        SessionError::InvalidClaims(_) => "You may not do that",
        SessionError::Fault(_) => "We are in trouble, and working on it",
        _ => "That did not work",
    };
    let status = reply.status;
    reply.body = format!(r#"{{"type":"about:blank","title":"{title}","status":{status}}}"#);
    reply.headers = vec![("content-type", "application/problem+json".to_owned())];
    reply
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .render_errors(problem)
        .build()
        .await?;
    let app: Router = Router::new()
        .route(
            "/me",
            get(|session: Session| async move { session.user_id().to_string() }),
        )
        .layer(SessionLayer::new(sessions));

    let response = app
        .oneshot(Request::get("/me").body(Body::empty())?)
        .await?;
    let kind = response.headers().get("content-type").cloned();
    let body = to_bytes(response.into_body(), 10_000).await?;
    println!("{kind:?}");
    println!("{}", String::from_utf8_lossy(&body));
    Ok(())
}
