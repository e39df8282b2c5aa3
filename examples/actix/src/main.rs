//! The demo: `cargo run -p demo-actix`, then open the address that it prints.
//!
//! | variable | default | meaning |
//! | --- | --- | --- |
//! | `PORT` | 3000 | the port on the loopback interface |
//! | `DATABASE` | `demo.db` | the SQLite file |
//! | `ACCESS_TOKEN_VALIDITY_SECONDS` | 3600 | validity of access tokens, after which the page refreshes |
//! | `ROTATION_GRACE_PERIOD_SECONDS` | 30 | grace period for reusing a rotated refresh token |
//! | `API_DOMAIN` | `http://localhost:PORT` | the origin at which browsers see this server |
//! | `WEBSITE_DOMAIN` | the API's | the origin whose pages may call this server |
//! | `ANTI_CSRF` | derived from the domains | `NONE`, `VIA_CUSTOM_HEADER` or `VIA_TOKEN` |
//! | `COOKIE_DOMAIN` | none | the `Domain` of the cookies |
//! | `OLDER_COOKIE_DOMAIN` | none | the previous `Domain` of the cookies; empty for none |
//! | `COOKIE_PREFIX` | `off` | cookie name prefixes that browsers enforce: `off`, `accept`, `prefer` or `require` |
//! | `COOKIE_PARTITIONED` | `false` | if `true`, separate cookies for each site that embeds this one |
//! | `HEADER_TIMEOUT_SECONDS` | 10 | maximum time to receive a request head |
//! | `REQUEST_TIMEOUT_SECONDS` | 30 | maximum time to receive and answer a request; then 408 |
//! | `DRAIN_SECONDS` | 10 | maximum time that requests in flight may take after SIGTERM or SIGINT |
//! | `RUST_LOG` | `info` | the log filter |

mod api;
mod cors;
mod error;
mod page;
mod settings;
mod timeout;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use supersession_actix::SessionMiddleware;
use supersession_actix::core::{Hooks, Sessions, TokenTheft};
use supersession_sqlite::SqliteStore;

use crate::settings::Settings;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();

    let settings = Settings::from_environment()?;
    let store = SqliteStore::open(&settings.database).await?;
    let sessions = settings
        .apply(Sessions::builder(store))
        // One point read per request, so that a revoked session is rejected immediately.
        .check_database(true)
        .claim(api::ROLE.clone())
        .hooks(Hooks::new().on_theft(warn_of_theft))
        .build()
        .await?;

    let (port, website) = (settings.port, settings.website_domain.clone());
    let request_timeout = settings.request_timeout;
    let server = HttpServer::new(move || {
        App::new()
            .configure(page::routes)
            .configure(api::routes)
            .wrap(SessionMiddleware::new(sessions.clone()))
            // The time limit includes the time to receive the body.
            .wrap(from_fn(move |request, next| {
                timeout::within(request_timeout, request, next)
            }))
            .wrap(cors::middleware(&website))
    })
    .client_request_timeout(settings.header_timeout)
    .shutdown_timeout(settings.drain.as_secs())
    // actix-web's own handler aborts requests in flight at SIGINT.
    .disable_signals()
    .bind(("127.0.0.1", port))
    .with_context(|| format!("cannot listen on port {port}; choose another one with PORT=..."))?;
    for address in server.addrs() {
        tracing::info!(%address, "listening");
    }
    announce(&settings);

    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        stopped().await;
        tracing::info!("stopping: requests in flight are answered first");
        handle.stop(true).await;
    });
    // Every acknowledged write is on disk, so there is nothing to flush after the last answer.
    server.await?;
    Ok(())
}

/// A real application notifies the user by mail, or at the next sign-in.
async fn warn_of_theft(theft: TokenTheft) {
    tracing::warn!(handle = %theft.handle, "a refresh token was stolen: its session is revoked");
}

#[expect(
    clippy::print_stdout,
    reason = "this is what a person at the terminal waits for"
)]
fn announce(settings: &Settings) {
    let Settings {
        api_domain,
        database,
        ..
    } = settings;
    println!("Supersession demo: {api_domain}  (sessions in {database}; sign in with any name)");
}

/// Resolves when the process receives a signal to stop.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}
