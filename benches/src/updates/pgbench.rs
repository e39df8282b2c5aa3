//! PostgreSQL's own benchmark program, with a statement as an application would write it by hand.

use std::process::{Command, Output};
use std::rc::Rc;

use anyhow::{Context as _, ensure};
use bench_harness::{SESSION_DATA, Turn};
use tempfile::NamedTempFile;

/// The table that pgbench and sqlx share.
#[derive(Clone)]
pub(super) struct Pgbench {
    url: String,
    script: Rc<NamedTempFile>,
    seconds: u32,
}

impl Pgbench {
    /// Creates the table, with free space in its pages as in Supersession's tables.
    pub(super) fn prepare(url: &str, sessions: u64, seconds: u32) -> anyhow::Result<Self> {
        let script = NamedTempFile::new()?;
        let last = sessions - 1;
        std::fs::write(
            script.path(),
            format!(
                "\\set session random(0, {last})\n\\set seen random(0, 1000000)\n\
                 UPDATE peer_sessions SET data = data || jsonb_build_object('step', 'pay', 'seen', :seen::bigint, 'theme', 'light') \
                 WHERE handle = 'h' || :session;\n"
            ),
        )?;
        let own = Self {
            url: url.to_owned(),
            script: Rc::new(script),
            seconds,
        };
        let data = SESSION_DATA.replace('\'', "''");
        own.psql(&[
            "CREATE TABLE peer_sessions (handle text PRIMARY KEY, data jsonb NOT NULL) WITH (fillfactor = 70)",
            &format!(
                "INSERT INTO peer_sessions SELECT 'h' || n, '{data}'::jsonb FROM generate_series(0, {last}) n"
            ),
        ])?;
        Ok(own)
    }

    /// Runs maintenance and a checkpoint after the inserts, so that they do not disturb the
    /// measurement.
    pub(super) fn settle(&self) -> anyhow::Result<()> {
        self.psql(&["VACUUM ANALYZE", "CHECKPOINT"])
    }

    fn psql(&self, statements: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("psql");
        command.args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1"]);
        for statement in statements {
            command.args(["--command", statement]);
        }
        succeeded(command.arg(&self.url).output().context("running psql")?)?;
        Ok(())
    }

    /// Runs the benchmark for some seconds.
    pub(super) fn turn(&self, clients: &str) -> anyhow::Result<Turn> {
        let threads = if clients == "1" { "1" } else { "2" };
        let output = Command::new("pgbench")
            .args(["--no-vacuum", "--protocol", "prepared"])
            .args(["--client", clients, "--jobs", threads])
            .args(["--time", &self.seconds.to_string()])
            .arg("--file")
            .arg(self.script.path())
            .arg(&self.url)
            .output()
            .context("running pgbench")?;
        let said = succeeded(output)?;
        let field = |before: &str, after: &str| -> anyhow::Result<f64> {
            let line = said.lines().find_map(|line| line.strip_prefix(before));
            let value = line.and_then(|line| line.split(after).next());
            let value = value.with_context(|| format!("no {before:?} in {said}"))?;
            Ok(value.trim().parse()?)
        };
        let done = field("number of transactions actually processed: ", "/")?;
        // The duration includes connecting, so a busy machine may have no time left.
        ensure!(
            done > 0.0,
            "pgbench did nothing in {} seconds",
            self.seconds
        );
        let rate = field("tps = ", " (")?;
        Ok(turn(done, rate))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times of a second"
)]
fn turn(done: f64, rate: f64) -> Turn {
    Turn {
        operations: done as u64,
        nanos: (done / rate * 1e9) as u64,
        ..Turn::default()
    }
}

fn succeeded(output: Output) -> anyhow::Result<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(String::from_utf8(output.stdout)?)
}
