//! The benchmark's handle of a server process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use bench_harness::Served;

/// A running server. Dropping it ends the server.
pub(super) struct Server {
    child: Child,
    pub(super) served: Served,
}

impl Server {
    /// Starts the server and waits until it is ready.
    pub(super) fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let mut answers = BufReader::new(child.stdout.take().context("its output")?);
        answers.read_line(&mut line)?;
        let served = serde_json::from_str(&line)
            .with_context(|| format!("the server {command:?} did not get ready: {line:?}"))?;
        Ok(Self { child, served })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
