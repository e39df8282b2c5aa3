//! The context of a run, and how it starts its cases.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bench_harness::{Racer, Worker};

/// A run of the benchmarks.
pub(crate) struct Context {
    pub(crate) quick: bool,
    own: PathBuf,
    /// The program of `benches/sqlx`, once it is built.
    sqlx: OnceCell<PathBuf>,
}

impl Context {
    pub(crate) fn new(quick: bool) -> anyhow::Result<Self> {
        Ok(Self {
            quick,
            own: std::env::current_exe()?,
            sqlx: OnceCell::new(),
        })
    }

    /// Returns `whole` in a full run and `quick` in a quick one.
    pub(crate) fn pick<T>(&self, whole: T, quick: T) -> T {
        if self.quick { quick } else { whole }
    }

    /// Returns the command that runs this program as a case.
    pub(crate) fn command(&self, part: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.own);
        command.args(["case", part]).args(arguments);
        command
    }

    /// Returns the command of the program with the peers on sqlx. A separate workspace with its own
    /// lock file builds it.
    pub(crate) fn sqlx_command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        if self.sqlx.get().is_none() {
            let built = sqlx_program()?;
            self.sqlx.get_or_init(|| built);
        }
        let program = self.sqlx.get().context("it has been built")?;
        let mut command = Command::new(program);
        command.args(arguments);
        Ok(command)
    }

    /// Starts a CPU-bound case with turns of about 20 milliseconds.
    pub(crate) fn timed(&self, name: &str, command: Command) -> anyhow::Result<Racer> {
        let turn = Duration::from_millis(self.pick(20, 2));
        Ok(Racer::worker(name, Worker::start_for(name, command, turn)?))
    }

    /// Returns the number of rounds of such cases.
    pub(crate) fn rounds(&self) -> usize {
        self.pick(61, 5)
    }

    /// Returns a line with processor, kernel and compiler.
    pub(crate) fn machine(&self) -> String {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            info.lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_once(": "))
                .map_or("unknown", |(_, value)| value)
        };
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let said = |program: &str, argument: &str| {
            Command::new(program)
                .arg(argument)
                .output()
                .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
                .unwrap_or_default()
        };
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        format!(
            "Machine: {cores} cores of {} (model {}), Linux {}, {}; load average at the start {load}.{}\n",
            field("model name"),
            field("model\t"),
            said("uname", "-r"),
            said("rustc", "--version"),
            if self.quick {
                " A quick run: figures are rough."
            } else {
                ""
            },
        )
    }
}

/// Builds the program of `benches/sqlx` if necessary and returns its path.
fn sqlx_program() -> anyhow::Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("sqlx/Cargo.toml");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    );
    let target = target.join("sqlx");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--manifest-path",
        ])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()
        .context("building benches/sqlx")?;
    ensure!(built.success(), "benches/sqlx does not build");
    Ok(target.join("release/bench-sqlx"))
}
