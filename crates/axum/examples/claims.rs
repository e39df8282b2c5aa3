//! An application-defined claim: roles from the application's table, and a route that requires one.
//! `cargo run -p supersession-axum --example claims`
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::Request;
use axum::routing::{get, post};
use supersession_axum::core::claims::{ClaimContext, PrimitiveArrayClaim};
use supersession_axum::core::store::MemoryStore;
use supersession_axum::core::{Sessions, wire};
use supersession_axum::{RequestSessions, Session, SessionLayer, SessionRejection, verify_session};
use tower::ServiceExt as _;

/// Represents the application's database.
#[derive(Clone, Default)]
struct RolesTable(Arc<RwLock<HashMap<String, Vec<String>>>>);

impl RolesTable {
    fn of(&self, user: &str) -> Vec<String> {
        let table = self.0.read().ok();
        table
            .and_then(|table| table.get(user).cloned())
            .unwrap_or_default()
    }

    fn grant(&self, user: &str, role: &str) {
        if let Ok(mut table) = self.0.write() {
            table
                .entry(user.to_owned())
                .or_default()
                .push(role.to_owned());
        }
    }
}

/// The claim contains its fetch function, so a guard that finds it too old can fetch it again.
fn role_claim(table: RolesTable) -> PrimitiveArrayClaim<String> {
    PrimitiveArrayClaim::new("role", move |user: ClaimContext| {
        let roles = table.of(&user.user_id);
        async move { Ok::<_, Infallible>(Some(roles)) }
    })
}

async fn login(sessions: RequestSessions) -> Result<(), SessionRejection> {
    sessions.create("alice").await?;
    Ok(())
}

/// Promotes a user, as an administrator would. Changes the table and this session's claim. Other
/// sessions get the new roles when their guards find the claim too old.
async fn promote(
    session: Session,
    State((table, role)): State<(RolesTable, PrimitiveArrayClaim<String>)>,
) -> Result<(), SessionRejection> {
    table.grant(session.user_id(), "analyst");
    session.fetch_and_set_claim(&role).await?;
    Ok(())
}

async fn reports(session: Session) -> String {
    format!("reports for {}\n", session.user_id())
}

async fn ask(
    app: &Router,
    method: &str,
    path: &str,
    token: &str,
) -> Result<String, Box<dyn Error>> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())?;
    let response = app.clone().oneshot(request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), 10_000).await?;
    println!(
        "{method} {path}: {status} {}",
        String::from_utf8_lossy(&body).trim_end()
    );
    // A change of a claim issues a new access token.
    let renewed = headers
        .get(wire::ACCESS_TOKEN_HEADER)
        .map(|value| value.to_str())
        .transpose()?;
    Ok(renewed.unwrap_or(token).to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let table = RolesTable::default();
    let role = role_claim(table.clone());
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        // Every new session gets its roles.
        .claim(role.clone())
        .build()
        .await?;
    let is_analyst = role.includes("analyst").max_age(Duration::from_secs(300));
    let app = Router::new()
        .route("/login", post(login))
        .route("/promote", post(promote))
        .route(
            "/reports",
            get(reports).route_layer(verify_session().require(is_analyst)),
        )
        .with_state((table, role))
        .layer(SessionLayer::new(sessions));

    let token = ask(&app, "POST", "/login", "").await?;
    ask(&app, "GET", "/reports", &token).await?;
    let token = ask(&app, "POST", "/promote", &token).await?;
    ask(&app, "GET", "/reports", &token).await?;
    Ok(())
}
