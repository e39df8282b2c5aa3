//! Cases as processes: the side of the case, and the side of the benchmark.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::{Allocations, Latencies, cpu_time};

/// The costs of one turn of a case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Turn {
    /// Number of operations.
    pub operations: u64,
    /// Elapsed time of all operations.
    pub nanos: u64,
    /// CPU time of the process.
    pub cpu_nanos: u64,
    /// Number of allocations on the thread that ran the turn.
    pub allocations: u64,
    /// Allocated bytes.
    pub allocated_bytes: u64,
    /// Median latency of an operation, if latencies were measured.
    pub p50_nanos: Option<u64>,
    /// 99th percentile of the latency.
    pub p99_nanos: Option<u64>,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "measurements are not that exact"
)]
impl Turn {
    /// Returns the elapsed time per operation, as if the operations had run sequentially.
    #[must_use]
    pub fn nanos_each(&self) -> f64 {
        self.nanos as f64 / self.operations as f64
    }

    /// Returns the CPU time per operation.
    #[must_use]
    pub fn cpu_nanos_each(&self) -> f64 {
        self.cpu_nanos as f64 / self.operations as f64
    }

    /// Returns the allocations per operation.
    #[must_use]
    pub fn allocations_each(&self) -> f64 {
        self.allocations as f64 / self.operations as f64
    }

    /// Returns the allocated bytes per operation.
    #[must_use]
    pub fn bytes_each(&self) -> f64 {
        self.allocated_bytes as f64 / self.operations as f64
    }

    /// Returns the operations per second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        1e9 / self.nanos_each()
    }
}

/// Runs the main loop of a case. It performs the requested number of operations on each order from
/// the parent process, and ends when that process ends. The caller sets everything up before. A
/// failing operation panics, which ends the benchmark.
///
/// # Errors
/// If the parent process sends an invalid order.
pub fn take_turns(mut operate: impl FnMut(u64)) -> anyhow::Result<()> {
    follow(|operations| {
        operate(operations);
        (operations, Latencies::default())
    })
}

/// Like [`take_turns`], for concurrent operations. An order contains a duration, and `operate`
/// returns the latencies of all operations that it has performed in that time.
///
/// # Errors
/// The same as [`take_turns`].
pub fn take_timed_turns(mut operate: impl FnMut(Duration) -> Latencies) -> anyhow::Result<()> {
    follow(|millis| {
        let latencies = operate(Duration::from_millis(millis));
        (latencies.count(), latencies)
    })
}

fn follow(mut order: impl FnMut(u64) -> (u64, Latencies)) -> anyhow::Result<()> {
    say("ready")?;
    for line in std::io::stdin().lines() {
        let amount: u64 = line?.trim().parse().context("a number")?;
        let (cpu_before, before) = (cpu_time(), Allocations::so_far());
        let start = Instant::now();
        let (operations, mut latencies) = order(amount);
        let took = start.elapsed();
        let (cpu_after, after) = (cpu_time(), Allocations::so_far());
        say(&serde_json::to_string(&Turn {
            operations,
            nanos: nanos(took),
            cpu_nanos: nanos(cpu_after.saturating_sub(cpu_before)),
            allocations: after.count - before.count,
            allocated_bytes: after.bytes - before.bytes,
            p50_nanos: latencies.percentile(50),
            p99_nanos: latencies.percentile(99),
        })?)?;
    }
    Ok(())
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The benchmark's handle of a case. Dropping it ends the case.
#[derive(Debug)]
pub struct Worker {
    name: String,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The order: a number of operations, or a number of milliseconds.
    order: u64,
}

impl Worker {
    /// Starts a case and waits until it is ready.
    ///
    /// # Errors
    /// If the case does not become ready. The case reports the reason on standard error.
    pub fn start(name: &str, mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("its output")?);
        let mut worker = Self {
            name: name.to_owned(),
            child,
            orders,
            answers,
            order: 1,
        };
        let ready = worker.line()?;
        ensure!(ready == "ready", "{name} said {ready:?}");
        Ok(worker)
    }

    /// Starts a case that uses [`take_turns`], and chooses the number of operations so that a turn
    /// takes about `turn`.
    ///
    /// # Errors
    /// The same as [`Self::start`], and if the case fails.
    pub fn start_for(name: &str, command: Command, turn: Duration) -> anyhow::Result<Self> {
        let mut worker = Self::start(name, command)?;
        worker.calibrate(turn)?;
        Ok(worker)
    }

    /// Starts a case that uses [`take_timed_turns`], with turns of this duration, and runs one turn
    /// as a warm-up.
    ///
    /// # Errors
    /// The same as [`Self::start_for`].
    pub fn start_timed(name: &str, command: Command, turn: Duration) -> anyhow::Result<Self> {
        let mut worker = Self::start(name, command)?;
        worker.order = u64::try_from(turn.as_millis())?;
        worker.turn()?;
        Ok(worker)
    }

    /// Determines how many operations take about `turn`. A single slow turn on the way does not
    /// determine the result.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "about will do"
    )]
    fn calibrate(&mut self, turn: Duration) -> anyhow::Result<()> {
        for _ in 0..64 {
            let took = self.turn()?;
            let times = turn.as_nanos() as f64 / took.nanos.max(1) as f64;
            if times < 1.5 {
                self.order = ((self.order as f64 * times) as u64).max(1);
                break;
            }
            let more = (self.order as f64 * times.min(4.0)) as u64;
            self.order = more.max(self.order + 1);
        }
        // Measured once more, in case the last turn was a slow one.
        let took = self.turn()?;
        let times = turn.as_nanos() as f64 / took.nanos.max(1) as f64;
        self.order = ((self.order as f64 * times.min(10.0)) as u64).max(1);
        Ok(())
    }

    /// Runs one turn.
    ///
    /// # Errors
    /// If the case fails.
    pub fn turn(&mut self) -> anyhow::Result<Turn> {
        let orders = self.orders.as_mut().context("it has been stopped")?;
        writeln!(orders, "{}", self.order)?;
        let line = self.line()?;
        serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.name))
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line)?;
        ensure!(read > 0, "the case {} has ended", self.name);
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
