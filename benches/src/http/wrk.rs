//! The load generator: wrk, which sends the requests of many users in turn.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bench_harness::{Turn, process_cpu_time};
use serde::Deserialize;
use tempfile::TempDir;

use super::server::Server;
use crate::context::Context;

/// An installed wrk.
pub(super) struct Wrk {
    duration: Duration,
}

/// The load for one server.
pub(super) struct Load {
    duration: Duration,
    folder: TempDir,
    url: String,
}

/// The summary that the script prints at the end.
#[derive(Deserialize)]
struct Summary {
    requests: u64,
    micros: u64,
    errors: u64,
    p50_micros: f64,
    p99_micros: f64,
}

/// The script builds all requests before the load begins.
const SCRIPT: &str = r#"
local requests, at = {}, 0

init = function()
  for _, headers in ipairs(users) do
    requests[#requests + 1] = wrk.format("GET", "/orders", headers)
  end
end

request = function()
  at = at % #requests + 1
  return requests[at]
end

done = function(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests":%d,"micros":%d,"errors":%d,"p50_micros":%f,"p99_micros":%f}',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"#;

impl Wrk {
    /// Returns `None` if wrk is not installed.
    pub(super) fn find(context: &Context) -> anyhow::Result<Option<Self>> {
        // wrk has no command that does nothing and succeeds, so it is sufficient that the program
        // starts.
        let installed = Command::new("wrk").arg("--version").output().is_ok();
        Ok(installed.then(|| Self {
            duration: Duration::from_secs(context.pick(2, 1)),
        }))
    }

    /// Prepares the load for a server.
    pub(super) fn against(&self, server: &Server) -> anyhow::Result<Load> {
        let mut script = "users = {\n".to_owned();
        for headers in &server.served.users {
            script.push_str("  {");
            for (name, value) in headers {
                write!(script, "[{name:?}] = {value:?}, ")?;
            }
            script.push_str("},\n");
        }
        script.push_str("}\n");
        script.push_str(SCRIPT);
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("load.lua"), script)?;
        Ok(Load {
            duration: self.duration,
            folder,
            url: format!("http://127.0.0.1:{}/orders", server.served.port),
        })
    }
}

impl Load {
    /// Runs the load for some seconds.
    pub(super) fn turn(&mut self, server: &Server) -> anyhow::Result<Turn> {
        let before = process_cpu_time(server.pid());
        let output = Command::new("wrk")
            .args(["--threads", "1", "--connections", "32", "--timeout", "10s"])
            .args(["--duration", &format!("{}s", self.duration.as_secs())])
            .arg("--script")
            .arg(self.folder.path().join("load.lua"))
            .arg(&self.url)
            .output()
            .context("running wrk")?;
        let cpu = process_cpu_time(server.pid()).saturating_sub(before);
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().find(|line| line.starts_with('{'));
        let line = line.with_context(|| format!("wrk said {said:?}"))?;
        let summary: Summary = serde_json::from_str(line)?;
        ensure!(
            summary.errors == 0,
            "{} errors of {}",
            summary.errors,
            self.url
        );
        ensure!(summary.requests > 0, "no answers of {}", self.url);
        Ok(Turn {
            operations: summary.requests,
            nanos: summary.micros * 1_000,
            cpu_nanos: u64::try_from(cpu.as_nanos())?,
            p50_nanos: Some(nanos(summary.p50_micros)),
            p99_nanos: Some(nanos(summary.p99_micros)),
            ..Turn::default()
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a latency is neither negative nor centuries long"
)]
fn nanos(micros: f64) -> u64 {
    (micros * 1_000.0) as u64
}
