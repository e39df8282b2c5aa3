//! Accepts connections and serves each in a task of its own until the server is stopped. Requests
//! in flight may then complete within a time limit.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::background;
use crate::service::Service;

/// Time limits and intervals of a server.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// Maximum time that requests in flight may take after a stop.
    pub drain: Duration,
    /// Maximum time to receive a request head.
    pub header_timeout: Duration,
    /// Interval between reloads of apps and tenants.
    pub reload_every: Duration,
    /// Interval between deletions of expired sessions.
    pub clean_up_every: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(25),
            header_timeout: Duration::from_secs(75),
            reload_every: Duration::from_secs(60),
            clean_up_every: Duration::from_secs(3_600),
        }
    }
}

/// An address that is bound but not listening. Other processes cannot use it. Clients are refused,
/// not kept waiting, until the service is ready.
#[derive(Debug)]
pub struct Reserved {
    socket: TcpSocket,
    address: SocketAddr,
}

/// A listening socket.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Maximum size of a request head, and of the read buffer.
const BUFFER: usize = 64 * 1024;
/// Pause after a connection could not be accepted, for example because of a lack of file
/// descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

impl Reserved {
    /// Binds an address.
    ///
    /// # Errors
    /// If the operating system refuses, for example because the address is in use.
    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // Allows binding despite connections that a recently stopped server left behind.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn listen(self) -> io::Result<Bound> {
        Ok(Bound {
            listener: self.socket.listen(BACKLOG)?,
            address: self.address,
        })
    }
}

impl Bound {
    /// Binds an address and listens on it.
    ///
    /// # Errors
    /// If the operating system refuses.
    #[expect(
        clippy::unused_async,
        reason = "sockets need the runtime in which they are used"
    )]
    pub async fn to(address: SocketAddr) -> io::Result<Self> {
        Reserved::at(address)?.listen()
    }

    /// Returns the address, with the assigned port if port 0 was requested.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves until `stop` resolves, then waits for requests in flight. Returns `true` if all
/// completed.
pub async fn serve(
    bound: Bound,
    service: Arc<Service>,
    options: ServeOptions,
    stop: impl Future<Output = ()>,
) -> bool {
    let graceful = GracefulShutdown::new();
    let housekeeping = tokio::spawn(background::run(
        Arc::clone(&service),
        options.reload_every,
        options.clean_up_every,
    ));
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = bound.listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connection(stream, peer, &service, &graceful, options.header_timeout);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    service.drain();
    housekeeping.abort();
    drop(bound);
    tokio::time::timeout(options.drain, graceful.shutdown())
        .await
        .is_ok()
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: &Arc<Service>,
    graceful: &GracefulShutdown,
    header_timeout: Duration,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set on a connection");
    }
    let answering = {
        let service = Arc::clone(service);
        service_fn(move |request: Request<Incoming>| {
            let service = Arc::clone(&service);
            async move { Ok::<_, Infallible>(service.answer(request, peer.ip()).await) }
        })
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), answering);
    let connection = graceful.watch(connection);
    let service = Arc::clone(service);
    tokio::spawn(async move {
        let open = &service.metrics.connections;
        open.increment(1);
        match connection.await {
            // The request was rejected before it reached the service, so method and path are
            // unknown.
            Err(error) if error.is_parse() => {
                tracing::warn!(%peer, "a request that is not HTTP was rejected");
            }
            Err(error) => tracing::debug!(%error, "a connection ended early"),
            Ok(()) => {}
        }
        open.decrement(1);
    });
}
