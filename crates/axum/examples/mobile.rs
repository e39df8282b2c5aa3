//! An API for a mobile client that stores its tokens itself: headers instead of cookies.
//! `cargo run -p supersession-axum --example mobile`
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

use std::error::Error;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use axum::routing::{get, post};
use supersession_axum::core::store::MemoryStore;
use supersession_axum::core::{Sessions, TokenTransferMethod, wire};
use supersession_axum::{RequestSessions, Session, SessionLayer, SessionRejection};
use tower::ServiceExt as _;

async fn login(sessions: RequestSessions) -> Result<&'static str, SessionRejection> {
    sessions.create("alice").await?;
    Ok("welcome")
}

/// The tokens of the client, in the system's key store.
#[derive(Default)]
struct Client {
    access: String,
    refresh: String,
}

impl Client {
    async fn send(
        &mut self,
        app: &Router,
        method: &str,
        path: &str,
        token: &str,
    ) -> Result<(), Box<dyn Error>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(wire::AUTHORIZATION_HEADER, format!("Bearer {token}"))
            .body(Body::empty())?;
        let response = app.clone().oneshot(request).await?;
        let status = response.status();
        self.keep_tokens(response.headers())?;
        let body = to_bytes(response.into_body(), 10_000).await?;
        println!(
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        Ok(())
    }

    /// Stores new tokens, which any response may carry. An empty token deletes the old one.
    fn keep_tokens(&mut self, headers: &HeaderMap) -> Result<(), Box<dyn Error>> {
        if let Some(access) = headers.get(wire::ACCESS_TOKEN_HEADER) {
            access.to_str()?.clone_into(&mut self.access);
        }
        if let Some(refresh) = headers.get(wire::REFRESH_TOKEN_HEADER) {
            refresh.to_str()?.clone_into(&mut self.refresh);
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("https://api.example.com")
        .website_domain("https://example.com")
        // Uses headers only and ignores cookies in requests.
        .token_transfer_method(|_request, _purpose| TokenTransferMethod::Header)
        .build()
        .await?;
    let app: Router = Router::new()
        .route("/login", post(login))
        .route(
            "/me",
            get(|session: Session| async move { session.user_id().to_string() }),
        )
        .layer(SessionLayer::new(sessions));

    let mut client = Client::default();
    client.send(&app, "POST", "/login", "").await?;
    client
        .send(&app, "GET", "/me", &client.access.clone())
        .await?;
    // After a 401 whose body says "try refresh token":
    client
        .send(
            &app,
            "POST",
            "/auth/session/refresh",
            &client.refresh.clone(),
        )
        .await?;
    client
        .send(&app, "GET", "/me", &client.access.clone())
        .await?;
    client
        .send(&app, "POST", "/auth/signout", &client.access.clone())
        .await?;
    println!("tokens left: {:?}", (client.access, client.refresh));
    Ok(())
}
