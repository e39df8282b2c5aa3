//! The program itself: start, readiness, signals, rejected options.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::new_session;

/// Longer than any operation here takes on a slow machine. A wait of this length is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Killed when dropped.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    lines: Receiver<String>,
    seen: Vec<String>,
}

pub(crate) fn command(store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_supersession"));
    command
        .env_clear()
        .env("SUPERSESSION_STORE", format!("sqlite:{}", store.display()))
        .env("SUPERTOKENS_PORT", "0")
        .args(["--log-format", "json"])
        .stdin(Stdio::null());
    command
}

impl Server {
    fn start(store: &Path, arguments: &[&str]) -> Self {
        let mut command = command(store);
        command.args(arguments);
        let mut server = Self::spawn(command);
        server.is_listening();
        server
    }

    /// Starts the server without waiting until it listens.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            process,
            address: ([127, 0, 0, 1], 0).into(),
            lines,
            seen: Vec::new(),
        }
    }

    /// Starts the server at a known port, for log levels without the address.
    pub(crate) fn at(command: Command, port: u16) -> Self {
        let mut server = Self::spawn(command);
        server.address.set_port(port);
        let began = std::time::Instant::now();
        while TcpStream::connect(server.address).is_err() {
            assert!(began.elapsed() < PATIENCE, "{:?}", server.seen);
            std::thread::yield_now();
        }
        server
    }

    pub(crate) fn is_listening(&mut self) {
        let line = self.wait_for("\"listening\"");
        let event: Value = serde_json::from_str(&line).unwrap();
        self.address = event["address"].as_str().unwrap().parse().unwrap();
    }

    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no {text}: {error}: {:?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Returns the status and the body.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let mut stream = self.connect();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        stream
            .write_all(request(method, path, &body).as_bytes())
            .unwrap();
        read(&mut stream)
    }

    fn ok(&self, path: &str, body: &Value) -> Value {
        let (status, text) = self.send("POST", path, body);
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the exit, which must be a success. Returns everything that was logged.
    pub(crate) fn ended(mut self) -> Vec<String> {
        assert!(self.process.wait().unwrap().success());
        self.seen.extend(self.lines.iter());
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn request(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\ncdi-version: 5.6\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn read(stream: &mut TcpStream) -> (u16, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

pub(crate) fn place() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn refresh(token: &Value) -> Value {
    json!({ "refreshToken": token, "enableAntiCsrf": false, "useDynamicSigningKey": true })
}

/// Cases: C23.
#[test]
fn sessions_survive_a_restart() {
    let place = place();
    let store = place.path().join("s.db");
    let server = Server::start(&store, &[]);
    assert_eq!(
        server.send("GET", "/hello", &Value::Null),
        (200, "Hello\n".to_owned())
    );
    assert_eq!(server.send("GET", "/readyz", &Value::Null).0, 200);
    assert_eq!(server.send("GET", "/livez", &Value::Null).0, 200);
    let made = server.ok("/recipe/session", &new_session(&json!({})));
    server.signal("-TERM");
    server.ended();

    let server = Server::start(&store, &["--log-level", "debug"]);
    let next = server.ok(
        "/recipe/session/refresh",
        &refresh(&made["refreshToken"]["token"]),
    );
    assert_eq!(next["status"], "OK");
    let verify = json!({
        "accessToken": made["accessToken"]["token"], "doAntiCsrfCheck": false,
        "enableAntiCsrf": false, "checkDatabase": true,
    });
    assert_eq!(server.ok("/recipe/session/verify", &verify)["status"], "OK");
    server.signal("-INT");
    let log = server.ended().join("\n");
    assert!(log.contains("answered"), "{log}");
    for secret in [&made, &next] {
        for token in ["accessToken", "refreshToken"] {
            let token = secret[token]["token"].as_str().unwrap();
            for part in token.split('.').filter(|part| part.len() > 40) {
                assert!(!log.contains(part), "a token is in the log");
            }
        }
    }
}

#[test]
fn requests_in_flight_are_completed_after_sigterm() {
    let place = place();
    let mut server = Server::start(&place.path().join("s.db"), &[]);
    let body = new_session(&json!({})).to_string();
    let whole = request("POST", "/recipe/session", &body);
    let (first, rest) = whole.split_at(whole.len() - 10);
    let mut slow = server.connect();
    slow.write_all(first.as_bytes()).unwrap();
    // After a response on a later connection, the server has accepted the earlier one.
    assert_eq!(server.send("GET", "/hello", &Value::Null).0, 200);
    server.signal("-TERM");
    server.wait_for("stopping");
    slow.write_all(rest.as_bytes()).unwrap();
    let (status, text) = read(&mut slow);
    assert_eq!(status, 200, "{text}");
    server.ended();
}

#[test]
fn a_shutdown_ends_after_the_drain_time() {
    let place = place();
    let mut server = Server::start(&place.path().join("s.db"), &["--drain-seconds", "0"]);
    let mut stuck = server.connect();
    let whole = request("POST", "/recipe/session", "{}");
    stuck
        .write_all(&whole.as_bytes()[..whole.len() - 1])
        .unwrap();
    assert_eq!(server.send("GET", "/hello", &Value::Null).0, 200);
    server.signal("-TERM");
    server.wait_for("stopping");
    let log = server.ended().join("\n");
    assert!(log.contains("did not finish in time"), "{log}");
}

fn run(store: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = command(store);
    command.args(arguments).envs(environment.iter().copied());
    command.output().unwrap()
}

/// The program fails with the reason and leaves no file behind.
#[track_caller]
pub(crate) fn refuses(arguments: &[&str], environment: &[(&str, &str)], expected: &[&str]) {
    let place = place();
    let output = run(&place.path().join("s.db"), arguments, environment);
    assert!(!output.status.success(), "{arguments:?} {environment:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().collect();
    assert!(left.is_empty(), "{arguments:?} {environment:?}: {left:?}");
    for expected in expected {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn an_invalid_option_stops_the_start_and_names_valid_values() {
    refuses(&["--port", "x"], &[], &["--port"]);
    refuses(&["--no-such-thing"], &[], &["--no-such-thing"]);
    refuses(
        &[],
        &[("ACCESS_TOKEN_VALIDITY", "abc")],
        &["'access_token_validity'", "long"],
    );
    refuses(
        &["--access-token-validity", "0"],
        &[],
        &["'access_token_validity'", "between 1 and 86400000"],
    );
    refuses(
        &[],
        &[("REFRESH_TOKEN_VALIDITY", "10")],
        &[
            "'refresh_token_validity'",
            "greater than 'access_token_validity'",
        ],
    );
    refuses(
        &[],
        &[("ACCESS_TOKEN_DYNAMIC_SIGNING_KEY_UPDATE_INTERVAL", "0.5")],
        &[
            "'access_token_dynamic_signing_key_update_interval' must be greater than, equal to 1 hour.",
        ],
    );
    refuses(&[], &[("API_KEYS", "short")], &["at least 20 characters"]);
    refuses(&[], &[("BASE_PATH", "base")], &["BASE_PATH", "slash"]);
    refuses(
        &[],
        &[("SUPERTOKENS_MAX_CDI_VERSION", "4.7")],
        &["supertokens_max_cdi_version"],
    );
    refuses(&[], &[("IP_DENY_REGEX", "(")], &["ip_deny_regex"]);
    refuses(&[], &[("LOG_LEVEL", "LOUD")], &["LOUD", "--log-level"]);
    refuses(&["--store", "mysql://x"], &[], &["--store", "postgres://"]);
    refuses(
        &["--store", "sqlite:/no/such/directory/s.db"],
        &[],
        &["/no/such/directory"],
    );
    refuses(&["--host", "256.0.0.1"], &[], &["--host"]);
}

#[test]
fn listening_on_all_addresses_requires_an_api_key() {
    for host in ["0.0.0.0", "::"] {
        refuses(
            &["--host", host],
            &[],
            &["--api-keys", "API_KEYS", "--allow-no-api-key"],
        );
    }
    let place = place();
    let store = place.path().join("s.db");
    let arguments: [&[&str]; 2] = [
        &["--host", "0.0.0.0", "--allow-no-api-key"],
        &[
            "--host",
            "0.0.0.0",
            "--api-keys",
            "abcdefghijklmnopqrstuvwxyz",
        ],
    ];
    for arguments in arguments {
        let mut server = Server::start(&store, arguments);
        server.address.set_ip([127, 0, 0, 1].into());
        assert_eq!(server.send("GET", "/hello", &Value::Null).0, 200);
        server.signal("-TERM");
        server.ended();
    }
}

#[test]
fn a_port_in_use_is_named_in_the_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refuses(&["--port", &port], &[], &[&format!("127.0.0.1:{port}")]);
}

#[test]
fn the_probe_reports_if_a_server_is_ready() {
    let place = place();
    let store = place.path().join("s.db");
    let server = Server::start(&store, &["--base-path", "/base"]);
    let port = server.address.port().to_string();
    let probe = |base_path: &str, host: &str| {
        let arguments = [
            "--probe",
            "--host",
            host,
            "--port",
            &port,
            "--base-path",
            base_path,
        ];
        run(&store, &arguments, &[]).status.success()
    };
    assert!(probe("/base", "localhost"));
    assert!(probe("/base", "0.0.0.0"));
    assert!(!probe("/other", "localhost"));
    server.signal("-TERM");
    server.ended();
    assert!(!probe("/base", "localhost"));
}

#[test]
fn the_help_lists_options_and_variables() {
    let place = place();
    let output = run(&place.path().join("s.db"), &["--help"], &[]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "Listening:",
        "Storage:",
        "Security:",
        "Sessions:",
        "Logging:",
        "SUPERTOKENS_PORT",
        "POSTGRESQL_CONNECTION_URI",
        "API_KEYS",
        "ACCESS_TOKEN_VALIDITY",
        "3567",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    // Secrets in the environment are not printed.
    let output = run(
        &place.path().join("s.db"),
        &["--help"],
        &[("API_KEYS", "abcdefghijklmnopqrstuvwxyz")],
    );
    assert!(
        !String::from_utf8(output.stdout)
            .unwrap()
            .contains("abcdefghij")
    );
}
