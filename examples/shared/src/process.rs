//! The process: logging, the message at the start, and the signals that stop it.

use supersession::TokenTheft;

use crate::settings::Settings;

/// Logs to standard error. `RUST_LOG` sets the filter.
pub fn start_logging() {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// Prints the address of the demo.
#[expect(
    clippy::print_stdout,
    reason = "the user at the terminal needs the address"
)]
pub fn announce(settings: &Settings) {
    let Settings {
        api_domain,
        database,
        ..
    } = settings;
    println!("Supersession demo: {api_domain}  (sessions in {database}; sign in with any name)");
}

/// Logs the theft of a refresh token. A real application notifies the user by mail, or at the next
/// sign-in.
pub async fn warn_of_theft(theft: TokenTheft) {
    tracing::warn!(handle = %theft.handle, "a refresh token was stolen: its session is revoked");
}

/// Resolves when the process receives a signal to stop.
pub async fn stop_signal() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            tracing::info!("stopping: requests in flight are answered first");
            return;
        }
    }
    let _ = interrupted.await;
    tracing::info!("stopping: requests in flight are answered first");
}
