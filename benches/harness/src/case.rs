//! A case as a process, seen from inside and from outside.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::{Allocations, Latencies, cpu_time};

/// What one turn of a case took.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Turn {
    /// How many operations there were.
    pub operations: u64,
    /// The time of all of them.
    pub nanos: u64,
    /// The processor time of the process.
    pub cpu_nanos: u64,
    /// Allocations of the thread that took the turn.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
    /// The median of single operations, where they were measured.
    pub p50_nanos: Option<u64>,
    /// Their 99th percentile.
    pub p99_nanos: Option<u64>,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "measurements are not that exact"
)]
impl Turn {
    /// The time of one operation, as if they had come one after the other.
    #[must_use]
    pub fn nanos_each(&self) -> f64 {
        self.nanos as f64 / self.operations as f64
    }

    /// The processor time of one operation.
    #[must_use]
    pub fn cpu_nanos_each(&self) -> f64 {
        self.cpu_nanos as f64 / self.operations as f64
    }

    /// Allocations of one operation.
    #[must_use]
    pub fn allocations_each(&self) -> f64 {
        self.allocations as f64 / self.operations as f64
    }

    /// Allocated bytes of one operation.
    #[must_use]
    pub fn bytes_each(&self) -> f64 {
        self.allocated_bytes as f64 / self.operations as f64
    }

    /// Operations in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        1e9 / self.nanos_each()
    }
}

/// The life of a case: sets nothing up, does so many operations whenever it is told to, and ends
/// with whoever started it. An operation that fails panics, which ends the benchmark.
///
/// # Errors
/// When whoever started it cannot be understood.
pub fn take_turns(mut operate: impl FnMut(u64)) -> anyhow::Result<()> {
    follow(|operations| {
        operate(operations);
        (operations, Latencies::default())
    })
}

/// The same for operations that run side by side: it is told for how long, and says how many there
/// were.
///
/// # Errors
/// As [`take_turns`].
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

/// A case, seen from outside. Ends when it is dropped.
#[derive(Debug)]
pub struct Worker {
    name: String,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// What it is told: how many operations, or for how many milliseconds.
    order: u64,
}

impl Worker {
    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready; what it has to say is on standard error.
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

    /// The same for [`take_turns`], with turns that take about that long.
    ///
    /// # Errors
    /// As [`Self::start`], and when the case fails.
    pub fn start_for(name: &str, command: Command, turn: Duration) -> anyhow::Result<Self> {
        let mut worker = Self::start(name, command)?;
        worker.calibrate(turn)?;
        Ok(worker)
    }

    /// The same for [`take_timed_turns`], with turns of that length. The first one is to warm up.
    ///
    /// # Errors
    /// As [`Self::start_for`].
    pub fn start_timed(name: &str, command: Command, turn: Duration) -> anyhow::Result<Self> {
        let mut worker = Self::start(name, command)?;
        worker.order = u64::try_from(turn.as_millis())?;
        worker.turn()?;
        Ok(worker)
    }

    /// Finds out how many operations take about that long; something on the way that took longer for
    /// once does not decide it.
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
        // Once more, in case that one was the slow one.
        let took = self.turn()?;
        let times = turn.as_nanos() as f64 / took.nanos.max(1) as f64;
        self.order = ((self.order as f64 * times.min(10.0)) as u64).max(1);
        Ok(())
    }

    /// One turn.
    ///
    /// # Errors
    /// When the case fails.
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
