//! What the operator is told, under the names that are documented.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use supersession::store::StoreErrorKind;
use supersession_testkit::{PlannedFault, Verb};

use crate::support::{App, Req, capture};

#[derive(Default)]
struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Counters {
    fn get(&self, name: &str) -> u64 {
        self.0
            .lock()
            .unwrap()
            .get(name)
            .map_or(0, |counter| counter.load(Ordering::SeqCst))
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.0.lock().unwrap();
        Counter::from_arc(Arc::clone(
            counters.entry(key.name().to_owned()).or_default(),
        ))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// The recorder is local to this thread, and so is the runtime.
#[tokio::test]
async fn each_event_is_counted_under_its_name() {
    let counters = Counters::default();
    let _guard = metrics::set_default_local_recorder(&counters);
    let app = App::new().await;

    let first = app.login("alice").await;
    let second = app
        .send(Req::refresh().refresh_cookie(&first))
        .await
        .tokens();
    app.send(Req::signout().access_cookie(&second)).await;
    app.send(Req::get("/verify")).await;
    let stolen = app.login("bob").await;
    app.send(Req::refresh().refresh_cookie(&stolen)).await;
    app.advance_secs(31);
    app.send(Req::refresh().refresh_cookie(&stolen))
        .await
        .is_theft();
    let carol = app.login("carol").await;
    app.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Session));
    app.send(Req::get("/verify-db").access_cookie(&carol)).await;
    app.advance_secs(200 * 24 * 3_600);
    assert_eq!(app.sessions.delete_expired_sessions().await.unwrap(), 1);

    for (name, count) in [
        ("supersession.session.created", 3),
        ("supersession.session.refreshed", 2),
        ("supersession.session.revoked", 1),
        ("supersession.session.signed_out", 1),
        ("supersession.session.stolen", 1),
        ("supersession.request.fault", 1),
        ("supersession.cleanup.done", 1),
    ] {
        assert_eq!(counters.get(name), count, "{name}");
        assert!(capture::captured().contains(name), "{name} was not told");
    }
    // Without a session, and with the stolen token.
    assert_eq!(counters.get("supersession.request.rejected"), 2);
}

#[test]
fn every_name_is_documented() {
    let source =
        std::fs::read_to_string(crate::architecture::root().join("crates/core/src/telemetry.rs"))
            .unwrap();
    let mut names = source
        .split('"')
        .filter(|text| text.starts_with("supersession."))
        .collect::<Vec<_>>();
    names.dedup();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        assert!(
            source.contains(&format!("//! | `{name}` |")),
            "{name} is not in the table"
        );
    }
}
