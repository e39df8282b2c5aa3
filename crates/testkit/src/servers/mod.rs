//! Servers that tests start for themselves, on free ports of the loopback interface, with their
//! data in a directory of their own. They are gone when the test binary is, however it ends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "for tests, which fail by panicking"
)]

mod redis;

pub use redis::{RedisCluster, RedisServer};

/// Says that a program is missing: a failure under `CI=true`, otherwise a line that no test harness
/// hides.
fn missing(program: &str, install: &str) {
    use std::io::Write;
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!ci, "{program} is missing: {install}");
    let line = format!("SKIPPED: {program} is missing: {install}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A port that nobody uses at this moment.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
