//! The demo: `cargo run -p demo-actix`, then open the address that it prints.
//!
//! | variable | default | meaning |
//! | --- | --- | --- |
//! | `PORT` | 3000 | where it listens, on the loopback interface |
//! | `DATABASE` | `demo.db` | the SQLite file |
//! | `ACCESS_TOKEN_VALIDITY_SECONDS` | 3600 | how soon the page has to renew its session |
//! | `RUST_LOG` | `info` | what is logged |

mod api;
mod error;
mod page;

use std::str::FromStr;
use std::time::Duration;

use actix_web::{App, HttpServer};
use anyhow::Context as _;
use supersession_actix::SessionMiddleware;
use supersession_actix::core::Sessions;
use supersession_sqlite::SqliteStore;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();

    let port: u16 = variable("PORT", 3000)?;
    let database: String = variable("DATABASE", "demo.db".to_owned())?;
    let validity: u64 = variable("ACCESS_TOKEN_VALIDITY_SECONDS", 3600)?;

    let address = format!("http://localhost:{port}");
    let sessions = Sessions::builder(SqliteStore::open(&database).await?)
        .api_domain(&address)
        .website_domain(&address)
        .access_token_validity(Duration::from_secs(validity))
        // One point read a request, and a revoked session is out at once.
        .check_database(true)
        .claim(api::ROLE.clone())
        .build()
        .await?;

    let server = HttpServer::new(move || {
        App::new()
            .configure(page::routes)
            .configure(api::routes)
            .wrap(SessionMiddleware::new(sessions.clone()))
    })
    .disable_signals()
    .bind(("127.0.0.1", port))
    .with_context(|| format!("cannot listen on port {port}; choose another one with PORT=..."))?;
    announce(&address, &database);
    tokio::select! {
        served = server.run() => served?,
        // Whatever was answered is already on disk, so there is nothing to wait for.
        () = stopped() => {}
    }
    Ok(())
}

/// An environment variable, or its default.
fn variable<T>(name: &str, default: T) -> anyhow::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{name}={text} is not usable")),
        Err(_) => Ok(default),
    }
}

#[expect(
    clippy::print_stdout,
    reason = "this is what a person at the terminal waits for"
)]
fn announce(address: &str, database: &str) {
    println!("Supersession demo: {address}  (sessions in {database}; sign in with any name)");
}

/// Resolves when the process is asked to end.
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
