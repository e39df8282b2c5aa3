//! Listening: one task for each connection, until somebody says stop; then what is under way is
//! finished, for a while.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
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

/// How a service is served.
#[derive(Clone, Copy, Debug)]
pub struct ServeOptions {
    /// How long what is under way may take after a stop.
    pub drain: Duration,
    /// How long the head of a request may take.
    pub header_timeout: Duration,
    /// How often apps and tenants are read anew.
    pub reload_every: Duration,
    /// How often expired sessions are deleted.
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

/// An address that no other process can listen on, and at which nothing listens yet: clients are
/// refused, not kept waiting, until the service is there.
#[derive(Debug)]
pub struct Reserved {
    socket: TcpSocket,
    address: SocketAddr,
}

/// A socket that listens.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// The most bytes of a request's head, and of what is read ahead.
const BUFFER: usize = 64 * 1024;
/// Rest after a connection could not be accepted, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

impl Reserved {
    /// Reserves an address.
    ///
    /// # Errors
    /// When the operating system refuses, as for an address in use.
    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A server that was stopped a moment ago leaves connections behind, which is no obstacle.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Listens there.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn listen(self) -> io::Result<Bound> {
        Ok(Bound {
            listener: self.socket.listen(BACKLOG)?,
            address: self.address,
        })
    }
}

impl Bound {
    /// Binds an address, and listens there.
    ///
    /// # Errors
    /// When the operating system refuses.
    #[expect(
        clippy::unused_async,
        reason = "sockets need the runtime in which they are used"
    )]
    pub async fn to(address: SocketAddr) -> io::Result<Self> {
        Reserved::at(address)?.listen()
    }

    /// The address, with the port that was chosen if none was named.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves until `stop` is done, and then until what is under way is finished; tells whether it was.
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
        tracing::debug!(%error, "a connection cannot be made prompt");
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
        open.fetch_add(1, Ordering::Relaxed);
        match connection.await {
            // Answered before it reached the service; neither method nor path is known.
            Err(error) if error.is_parse() => {
                tracing::warn!(%peer, "a request that is not HTTP was refused");
            }
            Err(error) => tracing::debug!(%error, "a connection ended early"),
            Ok(()) => {}
        }
        open.fetch_sub(1, Ordering::Relaxed);
    });
}
