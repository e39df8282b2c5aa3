//! Metrics of this process, rendered for Prometheus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use metrics::{
    Counter, Gauge, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use crate::path::Endpoint;

const REQUESTS: &str = "supersession_http_requests_total";
const DURATION: &str = "supersession_http_request_duration_seconds";
/// Upper bounds of the buckets of [`DURATION`], in seconds.
const BUCKETS: [f64; 9] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0,
];

/// The metrics of a service. Each service has a recorder of its own, so that several services in
/// one process do not share their metrics.
pub(crate) struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    started: Instant,
    uptime: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) sessions_created: Counter,
    pub(crate) sessions_refreshed: Counter,
    pub(crate) sessions_revoked: Counter,
    pub(crate) refresh_tokens_reused: Counter,
    pub(crate) sessions_cleaned_up: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        // Fails only without buckets.
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
        let recorder = Arc::new(builder.unwrap_or_default().build_recorder());
        let registered = |name: &'static str, help: &'static str| {
            describe_counter!(name, help);
            counter!(name)
        };
        with_local_recorder(&*recorder, || {
            describe_counter!(REQUESTS, "Answered requests.");
            describe_histogram!(DURATION, "Time from a request to its response.");
            let (connections, uptime) = ("supersession_connections", "supersession_uptime_seconds");
            describe_gauge!(connections, "Open connections.");
            describe_gauge!(uptime, "Time since the start.");
            Self {
                started: Instant::now(),
                connections: gauge!(connections),
                uptime: gauge!(uptime),
                sessions_created: registered(
                    "supersession_sessions_created_total",
                    "Created sessions.",
                ),
                sessions_refreshed: registered(
                    "supersession_sessions_refreshed_total",
                    "Refreshed sessions.",
                ),
                sessions_revoked: registered(
                    "supersession_sessions_revoked_total",
                    "Revoked sessions.",
                ),
                refresh_tokens_reused: registered(
                    "supersession_refresh_tokens_reused_total",
                    "Rotated refresh tokens that were presented again.",
                ),
                sessions_cleaned_up: registered(
                    "supersession_sessions_cleaned_up_total",
                    "Deleted expired sessions.",
                ),
                recorder: Arc::clone(&recorder),
            }
        })
    }

    /// Counts a request and its response.
    pub(crate) fn record_response(
        &self,
        endpoint: Option<Endpoint>,
        status: StatusCode,
        took: Duration,
    ) {
        let endpoint = endpoint.map_or("unknown", Endpoint::name);
        let class = match status.as_u16() {
            ..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        with_local_recorder(&*self.recorder, || {
            counter!(REQUESTS, "endpoint" => endpoint, "status" => class).increment(1);
            histogram!(DURATION, "endpoint" => endpoint).record(took);
        });
    }

    /// Adds the recorded durations to the buckets. The recorder keeps them one by one until this
    /// function or [`Self::text`] is called, so it must be called regularly.
    pub(crate) fn run_upkeep(&self) {
        self.recorder.handle().run_upkeep();
    }

    /// Returns the metrics in the text format of Prometheus.
    pub(crate) fn text(&self) -> String {
        self.uptime.set(self.started.elapsed());
        self.recorder.handle().render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upkeep_loses_no_duration_and_services_share_none() {
        let (metrics, other) = (Metrics::new(), Metrics::new());
        for took in [1, 100] {
            let took = Duration::from_millis(took);
            metrics.record_response(Some(Endpoint::Hello), StatusCode::OK, took);
            metrics.run_upkeep();
        }
        let text = metrics.text();
        for line in [
            r#"supersession_http_request_duration_seconds_bucket{endpoint="/hello",le="0.001"} 1"#,
            r#"supersession_http_request_duration_seconds_bucket{endpoint="/hello",le="0.25"} 2"#,
            r#"supersession_http_request_duration_seconds_sum{endpoint="/hello"} 0.101"#,
            r#"supersession_http_requests_total{endpoint="/hello",status="2xx"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!other.text().contains("/hello"));
    }
}
