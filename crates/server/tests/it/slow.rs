//! Clients that send nothing, or never complete a request.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use supersession::store::MemoryStore;
use supersession::{SystemClock, SystemEntropy};
use supersession_server::{AnyStore, Bound, ServeOptions, Service, ServiceOptions, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_millis(50);
/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(3_600);

/// Starts a server. Returns its address.
async fn server(header_timeout: Duration, body_timeout: Duration) -> SocketAddr {
    let mut options = ServiceOptions::default();
    options.body_timeout = body_timeout;
    let service = Service::open(
        AnyStore::new(MemoryStore::new()),
        options,
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    );
    let service = Arc::new(service.await.unwrap());
    let bound = Bound::to((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = bound.address();
    let mut options = ServeOptions::default();
    options.header_timeout = header_timeout;
    tokio::spawn(serve(bound, service, options, pending()));
    address
}

async fn send(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn half_open_connections_are_closed() {
    let address = server(SOON, NEVER).await;
    for bytes in ["", "GET /hello HTTP/1.1\r\nhost: loc"] {
        let mut received = String::new();
        let mut stream = send(address, bytes).await;
        stream.read_to_string(&mut received).await.unwrap();
        assert!(!received.contains(" 200 "), "{received}");
    }
    // Also between two requests.
    let mut received = String::new();
    let mut stream = send(address, "GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    stream.read_to_string(&mut received).await.unwrap();
    assert!(received.starts_with("HTTP/1.1 200 "), "{received}");
}

#[tokio::test]
async fn a_body_that_never_arrives_is_answered_408() {
    let address = server(NEVER, SOON).await;
    let request = "POST /recipe/session HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{";
    let mut stream = send(address, request).await;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 408");
}
