//! Serves the app with the limits that `axum::serve` does not have: clients that never finish a
//! request head are disconnected, and a shutdown ends in bounded time.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::serve::Listener;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time limits of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Maximum time to receive a request head. Also the maximum idle time between requests.
    pub(crate) head: Duration,
    /// Maximum time that requests in flight may take after a shutdown began.
    pub(crate) drain: Duration,
}

/// Serves until `stop` is cancelled, then waits for requests in flight. Returns `true` if all of
/// them were answered within [`Limits::drain`].
pub(crate) async fn serve(
    mut listener: TcpListener,
    app: Router,
    limits: Limits,
    stop: &CancellationToken,
) -> bool {
    let connections = TaskTracker::new();
    // axum's `Listener::accept` logs and retries errors, such as too many open files.
    while let Some((stream, peer)) = stop
        .run_until_cancelled(Listener::accept(&mut listener))
        .await
    {
        connections.spawn(connection(stream, peer, app.clone(), limits, stop.clone()));
    }
    drop(listener);
    connections.close();
    tokio::time::timeout(limits.drain, connections.wait())
        .await
        .is_ok()
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    // Supports handlers that extract `ConnectInfo`.
    let app = app.layer(Extension(ConnectInfo(peer)));
    // hyper-util's builder for both HTTP/1 and HTTP/2 is not used: no timeout runs while it waits
    // for the first bytes to distinguish the two.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .with_upgrades();
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            // Answers the request in flight, then closes. An idle connection is closed immediately.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "the connection ended early");
    }
}
