//! The behavior of a demo server towards network clients: half-open connections, slow requests,
//! shutdown. This file is a test of both demos.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "for tests, which fail by panicking"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use tempfile::TempDir;

/// The program under test.
const DEMO: &str = match (
    option_env!("CARGO_BIN_EXE_demo-axum"),
    option_env!("CARGO_BIN_EXE_demo-actix"),
) {
    (Some(path), None) | (None, Some(path)) => path,
    _ => panic!("a test of one demo"),
};

/// Longer than any operation here takes on a slow machine. A wait of this length is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than `PATIENCE`: a time limit that must not be reached in a test.
const NEVER: &str = "3600";

/// A running demo. Killed when dropped.
struct Demo {
    process: Child,
    address: SocketAddr,
    lines: Receiver<String>,
    seen: Vec<String>,
    _directory: TempDir,
}

impl Demo {
    fn start(head: &str, request: &str, drain: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new(DEMO)
            .env("PORT", "0")
            .env("API_DOMAIN", "http://localhost:3000")
            .env("DATABASE", directory.path().join("demo.db"))
            .env("HEADER_TIMEOUT_SECONDS", head)
            .env("REQUEST_TIMEOUT_SECONDS", request)
            .env("DRAIN_SECONDS", drain)
            .env("RUST_LOG", "info")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut demo = Self {
            process,
            address: ([127, 0, 0, 1], 0).into(),
            lines,
            seen: Vec::new(),
            _directory: directory,
        };
        let line = demo.wait_for("listening");
        let (_, address) = line.split_once("address=").unwrap();
        demo.address = address.trim().parse().unwrap();
        demo
    }

    /// Waits for a log line that contains `text`, and returns it.
    fn wait_for(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no {text}: {error}: {:?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Connects and sends these bytes.
    fn send(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream
    }

    /// Starts a sign-in whose handler waits for the body. The server has already requested the
    /// body.
    fn sign_in_under_way(&self) -> TcpStream {
        let mut stream = self.send(&format!(
            "POST /api/login HTTP/1.1\r\nhost: localhost:3000\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\n\r\n",
            BODY.len()
        ));
        let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut interim = vec![0; expected.len()];
        stream.read_exact(&mut interim).unwrap();
        assert_eq!(interim, expected);
        stream
    }

    fn signal(&mut self, signal: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
        self.wait_for("stopping");
    }

    /// Waits for the process to exit, and fails unless it exits successfully.
    fn exited(mut self) {
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}: {:?}", self.seen);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const BODY: &str = r#"{"name": "alice"}"#;

/// Reads everything until the server closes the connection.
fn rest(mut stream: TcpStream) -> String {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        // A server that closes with unread bytes resets the connection.
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
            panic!("the server did not close the connection: {error}")
        }
        _ => String::from_utf8(received).unwrap(),
    }
}

#[test]
fn half_open_connections_are_closed() {
    let demo = Demo::start("1", NEVER, NEVER);
    let silent: Vec<_> = (0..100).map(|_| demo.send("")).collect();
    let partial: Vec<_> = (0..100)
        .map(|_| demo.send("GET /api/feed HTTP/1.1\r\nhost: local"))
        .collect();
    let idle: Vec<_> = (0..100)
        .map(|_| demo.send("GET /api/feed HTTP/1.1\r\nhost: localhost:3000\r\n\r\n"))
        .collect();
    for stream in silent.into_iter().chain(partial) {
        assert!(!rest(stream).contains("HTTP/1.1 200"));
    }
    for stream in idle {
        assert!(rest(stream).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn a_body_that_never_arrives_is_answered_408() {
    let demo = Demo::start(NEVER, "1", NEVER);
    let mut stream = demo.sign_in_under_way();
    stream.write_all(&BODY.as_bytes()[..5]).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 408");
}

#[test]
fn a_request_in_flight_at_a_shutdown_is_answered() {
    for signal in ["-TERM", "-INT"] {
        let mut demo = Demo::start(NEVER, NEVER, NEVER);
        let mut stream = demo.sign_in_under_way();
        demo.signal(signal);
        stream.write_all(BODY.as_bytes()).unwrap();
        let response = rest(stream);
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert!(response.contains(r#""userId":"alice""#), "{response}");
        demo.exited();
    }
}

#[test]
fn an_idle_connection_does_not_delay_a_shutdown() {
    let mut demo = Demo::start(NEVER, NEVER, NEVER);
    let idle = demo.send("GET /api/feed HTTP/1.1\r\nhost: localhost:3000\r\n\r\n");
    // Waits until the request has been answered.
    idle.peek(&mut [0]).unwrap();
    demo.signal("-TERM");
    assert!(rest(idle).starts_with("HTTP/1.1 200"));
    demo.exited();
}

#[test]
fn a_request_that_does_not_end_delays_a_shutdown_for_the_configured_time_only() {
    let mut demo = Demo::start(NEVER, NEVER, "1");
    let stream = demo.sign_in_under_way();
    demo.signal("-TERM");
    assert_eq!(rest(stream), "");
    demo.exited();
}
