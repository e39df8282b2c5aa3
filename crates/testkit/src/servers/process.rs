//! A server process that outlives nobody.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server, tells its process id, and waits for a word or for the end of whoever started
/// it. Then it stops the server, and removes its directory unless told to keep it.
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

/// A running server, and the shell that watches over it.
pub(super) struct Guarded {
    guard: Child,
    pub(super) pid: u32,
}

impl Guarded {
    /// `command` must replace itself with the server, so that its process id is the server's.
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

    /// Ends it, and keeps its directory.
    pub(super) fn stop(mut self) {
        let mut guard = self.guard.stdin.take().unwrap();
        let _ = guard.write_all(b"keep\n");
        drop(guard);
        self.guard.wait().unwrap();
    }

    /// Ends it, and removes its directory.
    pub(super) fn remove(mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().unwrap();
    }

    /// The server and the processes that it has started.
    pub(super) fn family(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.pid);
        let children = fs::read_to_string(children).unwrap_or_default();
        let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        std::iter::once(self.pid).chain(children).collect()
    }
}

/// Sends a signal to processes of a server that was started here. Some may have ended meanwhile.
pub(super) fn signal(signal: &str, processes: &[u32]) {
    let status = Command::new("kill")
        .arg(format!("-{signal}"))
        .args(processes.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
    status.unwrap();
}

/// Waits until `is_so`, for a server that is starting or ending.
///
/// # Panics
/// When it takes longer than a minute; `what` says what was waited for.
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name, which stands in parentheses. `Z` has ended and was not waited for.
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()[0]);
    state.is_some_and(|state| state != b'Z')
}

pub(super) fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}
