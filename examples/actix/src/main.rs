//! The demo: `cargo run -p demo-actix`, then open the address that it prints.
//! [`Settings`] lists the environment variables that it reads. `examples/shared` has the parts that do
//! not depend on the framework.

mod api;
mod cors;
mod error;
mod page;
mod timeout;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use demo_shared::{ROLE, Settings, announce, start_logging, stop_signal, warn_of_theft};
use supersession_actix::SessionMiddleware;
use supersession_actix::core::{Hooks, Sessions};
use supersession_sqlite::SqliteStore;

#[actix_web::main]
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
        stop_signal().await;
        handle.stop(true).await;
    });
    // Every acknowledged write is on disk, so there is nothing to flush after the last answer.
    server.await?;
    Ok(())
}
