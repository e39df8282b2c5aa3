//! Servers that tests start for themselves, on free ports of the loopback interface and with their
//! own data directories. They stop when the test binary ends, however it ends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "for tests, which fail by panicking"
)]

mod certificates;
mod postgres;
mod process;
mod program;
mod redis;

use std::io::Write as _;

pub use certificates::Certificates;
pub use postgres::PostgresServer;
pub use program::Program;
pub use redis::{RedisCluster, RedisServer};

/// Reports that a test is skipped because `what` is not installed. Writes directly to standard
/// error, because the test harness captures the output of passing tests.
///
/// # Panics
/// If `CI=true`, where nothing may be skipped.
pub fn skip(what: &str, install: &str) {
    let test = std::thread::current();
    let test = test.name().unwrap_or("a test").to_owned();
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{test} needs {what}: {install}"
    );
    let line = format!("SKIPPED: {test} needs {what}: {install}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
