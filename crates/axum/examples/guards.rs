//! A guard for each route, and its response to a guest, a user, an administrator, and an
//! administrator whose session was revoked. `cargo run -p supersession-axum --example guards`
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

use std::convert::Infallible;
use std::error::Error;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use supersession_axum::core::claims::{ClaimContext, PrimitiveArrayClaim};
use supersession_axum::core::store::MemoryStore;
use supersession_axum::core::{Session, Sessions, wire};
use supersession_axum::{SessionLayer, verify_session};
use tower::ServiceExt as _;

async fn answer() -> &'static str {
    "passed"
}

fn routes(sessions: Sessions, role: &PrimitiveArrayClaim<String>) -> Router {
    // One guard for all routes of a nested router. A route inside may have further requirements.
    let admin = Router::new()
        .route("/users", get(answer))
        .route(
            "/purge",
            get(answer).route_layer(verify_session().check_database(true)),
        )
        .route_layer(verify_session().require(role.includes("admin")));
    Router::new()
        .route("/public", get(answer))
        // A guest is accepted. A client with a session that must be refreshed is not.
        .route(
            "/feed",
            get(answer).route_layer(verify_session().optional()),
        )
        // Checks the token only, without the store. The token is valid until it expires.
        .route("/me", get(answer).route_layer(verify_session()))
        // Checks the store: a revoked session is rejected immediately.
        .route(
            "/account",
            get(answer).route_layer(verify_session().check_database(true)),
        )
        .nest("/admin", admin)
        .layer(SessionLayer::new(sessions))
}

/// Requests `path` with this session, if given.
async fn ask(
    app: &Router,
    path: &str,
    session: Option<&Session>,
) -> Result<StatusCode, Box<dyn Error>> {
    let mut request = Request::get(path);
    if let Some(session) = session {
        let tokens = session.all_session_tokens_dangerously();
        let bearer = format!("Bearer {}", tokens.access_token.expose());
        request = request.header(wire::AUTHORIZATION_HEADER, bearer);
    }
    let response = app.clone().oneshot(request.body(Body::empty())?).await?;
    Ok(response.status())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Represents a query of the application's table.
    let role = PrimitiveArrayClaim::new("role", |user: ClaimContext| async move {
        let is_admin = user.user_id == "ada";
        Ok::<_, Infallible>(Some(if is_admin {
            vec!["admin".to_owned()]
        } else {
            Vec::new()
        }))
    });
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .claim(role.clone())
        .build()
        .await?;
    let app = routes(sessions.clone(), &role);

    let user = sessions.create("alice").await?;
    let admin = sessions.create("ada").await?;
    let revoked = sessions.create("ada").await?;
    sessions.revoke(revoked.handle()).await?;

    for path in [
        "/public",
        "/feed",
        "/me",
        "/account",
        "/admin/users",
        "/admin/purge",
    ] {
        println!(
            "{path}: guest {}, user {}, admin {}, revoked {}",
            ask(&app, path, None).await?.as_u16(),
            ask(&app, path, Some(&user)).await?.as_u16(),
            ask(&app, path, Some(&admin)).await?.as_u16(),
            ask(&app, path, Some(&revoked)).await?.as_u16(),
        );
    }
    Ok(())
}
