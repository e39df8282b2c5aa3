//! The demo: `cargo run -p demo-axum`, then open the address that it prints.
//! [`Settings`] lists the environment variables that it reads. `examples/shared` has the parts that do
//! not depend on the framework.

mod api;
mod cors;
mod error;
mod page;
mod serve;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use demo_shared::{ROLE, Settings, announce, start_logging, stop_signal, warn_of_theft};
use supersession_axum::SessionLayer;
use supersession_axum::core::{Hooks, Sessions};
use supersession_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

use crate::serve::Limits;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    start_logging();
    let settings = Settings::from_environment()?;
    let store = SqliteStore::open(&settings.database).await?;
    let sessions = settings
        .apply(Sessions::builder(store))
        // One point read per request, so that a revoked session is rejected immediately.
        .check_database(true)
        .claim(ROLE.clone())
        .hooks(Hooks::new().on_theft(warn_of_theft))
        .build()
        .await?;

    let app = Router::new()
        .merge(page::routes())
        .merge(api::routes())
        .layer(SessionLayer::new(sessions))
        // The time limit includes the time to receive the body.
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            settings.request_timeout,
        ))
        .layer(cors::layer(&settings.website_domain)?);
    let port = settings.port;
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .with_context(|| {
            format!("cannot listen on port {port}; choose another one with PORT=...")
        })?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    announce(&settings);

    let stop = CancellationToken::new();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            stop_signal().await;
            stop.cancel();
        }
    });
    let limits = Limits {
        head: settings.header_timeout,
        drain: settings.drain,
    };
    // Every acknowledged write is on disk, so there is nothing to flush after the last answer.
    if !serve::serve(listener, app, limits, &stop).await {
        tracing::warn!("some requests in flight were cut off; DRAIN_SECONDS gives them longer");
    }
    Ok(())
}
