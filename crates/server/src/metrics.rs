//! Counters, and their output for Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::path::Endpoint;

/// Upper bounds of the buckets, in microseconds.
const BUCKETS: [u64; 9] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000,
];
const CLASSES: usize = 5;

/// The counters of this process.
pub(crate) struct Metrics {
    started: Instant,
    endpoints: Vec<(&'static str, Counters)>,
    unknown: Counters,
    pub(crate) sessions_created: AtomicU64,
    pub(crate) sessions_refreshed: AtomicU64,
    pub(crate) sessions_revoked: AtomicU64,
    pub(crate) refresh_tokens_reused: AtomicU64,
    pub(crate) sessions_cleaned_up: AtomicU64,
    pub(crate) connections: AtomicU64,
}

#[derive(Default)]
struct Counters {
    /// Counts by the first digit of the status.
    classes: [AtomicU64; CLASSES],
    buckets: [AtomicU64; BUCKETS.len()],
    micros: AtomicU64,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            endpoints: Endpoint::all()
                .map(|endpoint| (endpoint.name(), Counters::default()))
                .collect(),
            unknown: Counters::default(),
            sessions_created: AtomicU64::new(0),
            sessions_refreshed: AtomicU64::new(0),
            sessions_revoked: AtomicU64::new(0),
            refresh_tokens_reused: AtomicU64::new(0),
            sessions_cleaned_up: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    pub(crate) fn answered(&self, endpoint: Option<Endpoint>, status: StatusCode, took: Duration) {
        let counters = endpoint
            .and_then(|endpoint| {
                let found = self.endpoints.iter();
                found.clone().find(|(name, _)| *name == endpoint.name())
            })
            .map_or(&self.unknown, |(_, counters)| counters);
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES) - 1;
        if let Some(count) = counters.classes.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counters.micros.fetch_add(micros, Ordering::Relaxed);
        let fits = BUCKETS.iter().position(|bound| micros <= *bound);
        if let Some(count) = fits.and_then(|at| counters.buckets.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the metrics in the text format of Prometheus.
    pub(crate) fn text(&self) -> String {
        let mut out = String::with_capacity(8_192);
        self.write(&mut out).unwrap_or_default();
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let used = || {
            let all = self
                .endpoints
                .iter()
                .map(|(name, counters)| (*name, counters));
            all.chain([("unknown", &self.unknown)])
                .filter(|(_, counters)| counters.count() > 0)
        };
        writeln!(
            out,
            "# HELP supersession_http_requests_total Answered requests."
        )?;
        writeln!(out, "# TYPE supersession_http_requests_total counter")?;
        for (name, counters) in used() {
            for (class, count) in counters.classes.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    writeln!(
                        out,
                        "supersession_http_requests_total{{endpoint=\"{name}\",status=\"{}xx\"}} {count}",
                        class + 1
                    )?;
                }
            }
        }
        let duration = "supersession_http_request_duration_seconds";
        writeln!(out, "# HELP {duration} Time from a request to its answer.")?;
        writeln!(out, "# TYPE {duration} histogram")?;
        for (name, counters) in used() {
            let mut below = 0;
            for (bound, count) in BUCKETS.iter().zip(&counters.buckets) {
                below += count.load(Ordering::Relaxed);
                let bound = seconds(*bound);
                writeln!(
                    out,
                    "{duration}_bucket{{endpoint=\"{name}\",le=\"{bound}\"}} {below}"
                )?;
            }
            let count = counters.count();
            writeln!(
                out,
                "{duration}_bucket{{endpoint=\"{name}\",le=\"+Inf\"}} {count}"
            )?;
            let sum = seconds(counters.micros.load(Ordering::Relaxed));
            writeln!(out, "{duration}_sum{{endpoint=\"{name}\"}} {sum}")?;
            writeln!(out, "{duration}_count{{endpoint=\"{name}\"}} {count}")?;
        }
        for (name, help, counter) in [
            ("sessions_created", "Sessions made.", &self.sessions_created),
            (
                "sessions_refreshed",
                "Refresh tokens exchanged.",
                &self.sessions_refreshed,
            ),
            (
                "sessions_revoked",
                "Sessions ended.",
                &self.sessions_revoked,
            ),
            (
                "refresh_tokens_reused",
                "Refresh tokens presented again after they were exchanged.",
                &self.refresh_tokens_reused,
            ),
            (
                "sessions_cleaned_up",
                "Expired sessions deleted.",
                &self.sessions_cleaned_up,
            ),
        ] {
            let count = counter.load(Ordering::Relaxed);
            writeln!(out, "# HELP supersession_{name}_total {help}")?;
            writeln!(out, "# TYPE supersession_{name}_total counter")?;
            writeln!(out, "supersession_{name}_total {count}")?;
        }
        writeln!(out, "# HELP supersession_connections Open connections.")?;
        writeln!(out, "# TYPE supersession_connections gauge")?;
        let connections = self.connections.load(Ordering::Relaxed);
        writeln!(out, "supersession_connections {connections}")?;
        writeln!(
            out,
            "# HELP supersession_uptime_seconds Time since the start."
        )?;
        writeln!(out, "# TYPE supersession_uptime_seconds gauge")?;
        let uptime = self.started.elapsed().as_secs_f64();
        writeln!(out, "supersession_uptime_seconds {uptime:.3}")
    }
}

impl Counters {
    fn count(&self) -> u64 {
        let classes = self.classes.iter();
        classes.map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a display of sums")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}
