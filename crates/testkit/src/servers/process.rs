//! A server process that ends with the test binary.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time limit for a server to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server, prints its process id, and waits for a line on standard input or for its end,
/// which is when the parent process ends. Then stops the server and removes its directory, unless
/// the line was `keep`.
const GUARD: &str = r#"
directory=$1; signal=$2; shift 2
"$@" >>"$directory/log" 2>&1 &
server=$!
echo "$server"
read -r word
kill -CONT "$server" 2>/dev/null
kill "-$signal" "$server" 2>/dev/null
wait "$server" 2>/dev/null
[ "${word:-}" = keep ] || rm -rf "$directory"
"#;

/// A running server, and the shell that supervises it.
pub(super) struct Guarded {
    guard: Child,
    pub(super) pid: u32,
}

impl Guarded {
    /// Starts the server. `command` must replace its own process with the server, so that the
    /// process id is the server's.
    pub(super) fn start(directory: &Path, stop: &str, command: &[String]) -> Self {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(directory)
            .arg(stop)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut told = BufReader::new(guard.stdout.take().unwrap());
        told.read_line(&mut line).unwrap();
        Self {
            guard,
            pid: line.trim().parse().unwrap(),
        }
    }

    /// Stops the server and keeps its directory.
    pub(super) fn stop(mut self) {
        let mut guard = self.guard.stdin.take().unwrap();
        let _ = guard.write_all(b"keep\n");
        drop(guard);
        self.guard.wait().unwrap();
    }

    /// Stops the server and removes its directory.
    pub(super) fn remove(mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().unwrap();
    }

    /// Returns the process ids of the server and its child processes.
    pub(super) fn family(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.pid);
        let children = fs::read_to_string(children).unwrap_or_default();
        let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        std::iter::once(self.pid).chain(children).collect()
    }
}

/// Sends a signal to processes of a server that was started here. Some of them may already have
/// ended.
pub(super) fn signal(signal: &str, processes: &[u32]) {
    let status = Command::new("kill")
        .arg(format!("-{signal}"))
        .args(processes.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
    status.unwrap();
}

/// Polls until `is_so` returns `true`, for a server that starts or ends.
///
/// # Panics
/// If this takes longer than a minute. `what` names the condition in the message.
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name, which is in parentheses. `Z` is a process that has ended but was
    // not waited for.
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()[0]);
    state.is_some_and(|state| state != b'Z')
}

pub(super) fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}
