//! Consistency under faults: no store breaks a promise of `docs/promises.md` that a client can
//! observe.
//!
//! # What these tests prove
//! Each test is one run. Several nodes share a store, and concurrent clients create, verify,
//! refresh, change, list and revoke sessions through them. Meanwhile faults strike: answers are
//! lost, servers are killed, frozen or cut off, clocks step, sessions expire, engine processes are
//! killed or stopped. The run records every request and answer, and the judge of
//! `supersession_testkit::history` then looks for answers that contradict each other in every
//! possible order. A pass means that at least [`ANSWERS`] operations were judged and that none of
//! the rules (`history::Rule`) is broken. It does not mean that the store is free of races: the
//! schedule is random, and a bug may need another one.
//!
//! The judge itself is tested in two ways. `crates/testkit/src/history/tests.rs` gives it small
//! histories written by hand, good and bad. [`broken`] runs the same workload on stores with one
//! deliberate flaw each, and the judge must find the rule that the flaw breaks. A sound store in
//! the same place must pass.
//!
//! # How to read them
//! 1. [`workload`]: the clients. `Run` has the nodes, and `Run::until` runs the clients while a
//!    future injects faults, then returns the judge's report.
//! 2. This file: the faults and one test for each pair of store and fault. [`cutter`] cuts
//!    connections.
//! 3. [`processes`]: the same workload, with each engine in a process of its own. `protocol` has
//!    the messages, `engine` is the process, and `remote` is its representation in the test.
//! 4. [`broken`]: the flawed stores.
//!
//! A failure prints the violated rule, and the operations that prove it with their positions in the
//! single order of the run. Read them as intervals: an operation took effect at some point between
//! its start and its end, and an unknown answer at any point after its start, or never.

pub(crate) mod broken;
mod cutter;
mod processes;
mod workload;

use std::sync::Arc;
use std::time::Duration;

use supersession::store::{MemoryStore, StoreErrorKind};
use supersession::{Store, UnixMillis};
use supersession_postgres::PostgresStore;
use supersession_redis::RedisStore;
use supersession_sqlite::SqliteStore;
use supersession_testkit::history::{Report, Rule, Terms, judge};
use supersession_testkit::servers::{PostgresServer, RedisServer};
use supersession_testkit::{FaultTiming, ManualClock, PlannedFault};

use crate::support::START;
use cutter::Cutter;
use workload::{Run, VALIDITY};

/// What a run must have judged at least.
const ANSWERS: usize = 2_000;
const TIMEOUT: Duration = Duration::from_millis(400);

#[expect(clippy::print_stdout, reason = "for the reader of the run")]
fn sound(run: &Run, store: &str, faults: &str, report: &Report) {
    println!(
        "history: {store}, {} nodes, {faults}: {} operations judged, {} answers unknown",
        run.nodes(),
        report.judged,
        report.unknown
    );
    assert!(report.violations.is_empty(), "{store}, {faults}: {report}");
    assert!(report.judged >= ANSWERS, "{report}");
}

/// Answers that are lost, and calls that never arrive, on every node in turn.
async fn lose_answers(run: &Run) {
    for number in 0..60 {
        let moment = match number % 3 {
            0 => FaultTiming::Before,
            _ => FaultTiming::After,
        };
        let fault = PlannedFault::new(StoreErrorKind::Unavailable).at(moment);
        run.stores[number % run.stores.len()].plan(fault);
        run.more_answers(20).await;
    }
}

/// The clocks of the nodes disagree, and step back and forth by less than the grace window.
async fn step_clocks(run: &Run) {
    for step in 0..40_u64 {
        for (number, clock) in run.clocks.iter().enumerate() {
            let offset = (step * 37 + number as u64 * 53) % 240;
            clock.set(UnixMillis::new(START.get() + 120_000 - offset * 1_000));
        }
        run.more_answers(30).await;
    }
}

async fn with_lost_answers(store: &str, stores: Vec<Arc<dyn Store>>, seed: u64) {
    let run = Run::on(stores).await;
    let report = run.until(ANSWERS, seed, lose_answers(&run)).await;
    assert!(report.unknown > 0, "{report}");
    sound(&run, store, "60 lost calls and answers", &report);
}

async fn with_clocks_that_step(store: &str, stores: Vec<Arc<dyn Store>>, seed: u64) {
    let run = Run::on(stores).await;
    let report = run.until(ANSWERS, seed, step_clocks(&run)).await;
    sound(&run, store, "40 steps of the clocks", &report);
}

/// The clock of all nodes goes forward, so far that sessions end.
async fn let_expire(run: &Run, clock: &ManualClock) {
    for _ in 0..40 {
        run.more_answers(40).await;
        clock.advance(VALIDITY / 3);
    }
}

/// What the terms of a run are for.
async fn while_sessions_expire(store: &str, stores: Vec<Arc<dyn Store>>, seed: u64) {
    let (run, clock) = Run::where_sessions_expire(stores).await;
    let report = run.until(ANSWERS, seed, let_expire(&run, &clock)).await;
    sound(
        &run,
        store,
        "40 steps of the clock, sessions expire",
        &report,
    );
    // Whoever does not know that sessions expire must wonder where they are.
    let ignorant = judge(&run.history.operations(), Terms::default()).broken();
    assert!(
        ignorant.contains(&Rule::EndedForNoReason),
        "nothing expired"
    );
}

fn memory(nodes: usize) -> Vec<Arc<dyn Store>> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    vec![store; nodes]
}

/// Stores of their own on one file.
async fn sqlite(folder: &tempfile::TempDir, nodes: usize) -> Vec<Arc<dyn Store>> {
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..nodes {
        let path = folder.path().join("sessions.db");
        stores.push(Arc::new(SqliteStore::open(path).await.unwrap()));
    }
    stores
}

async fn postgres(url: &str, schema: &str, nodes: usize) -> Vec<Arc<dyn Store>> {
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..nodes {
        let options = PostgresStore::options().url(url).schema(schema);
        let options = options.connect_timeout(TIMEOUT).verb_timeout(TIMEOUT);
        stores.push(Arc::new(options.open().await.unwrap()));
    }
    stores
}

async fn redis(url: &str, prefix: &str, nodes: usize) -> Vec<Arc<dyn Store>> {
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..nodes {
        let options = RedisStore::options().url(url).prefix(prefix);
        let options = options.connect_timeout(TIMEOUT).response_timeout(TIMEOUT);
        stores.push(Arc::new(options.open().await.unwrap()));
    }
    stores
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_its_promises_when_answers_are_lost() {
    with_lost_answers("memory", memory(3), 11).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_its_promises_when_clocks_step() {
    with_clocks_that_step("memory", memory(2), 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_its_promises_when_sessions_expire() {
    while_sessions_expire("memory", memory(3), 13).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_its_promises_when_the_revocation_feed_is_lost() {
    let store = Arc::new(MemoryStore::with_revocation_feed());
    let stores = (0..3)
        .map(|_| Arc::clone(&store) as Arc<dyn Store>)
        .collect();
    let run = Run::on(stores).await;
    let faults = async {
        for _ in 0..30 {
            run.more_answers(60).await;
            store.lose_revocation_feed();
        }
    };
    let report = run.until(ANSWERS, 14, faults).await;
    sound(&run, "memory", "revocation feed lost 30 times", &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_its_promises_when_answers_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    with_lost_answers("SQLite", sqlite(&folder, 2).await, 21).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_its_promises_when_clocks_step() {
    let folder = tempfile::tempdir().unwrap();
    with_clocks_that_step("SQLite", sqlite(&folder, 3).await, 22).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_its_promises_when_sessions_expire() {
    let folder = tempfile::tempdir().unwrap();
    while_sessions_expire("SQLite", sqlite(&folder, 2).await, 23).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_answers_are_lost() {
    if let Some(server) = PostgresServer::shared() {
        let stores = postgres(&server.url(), "history_lost", 3).await;
        with_lost_answers("PostgreSQL", stores, 31).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_clocks_step() {
    if let Some(server) = PostgresServer::shared() {
        let stores = postgres(&server.url(), "history_clocks", 2).await;
        with_clocks_that_step("PostgreSQL", stores, 32).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_it_is_killed() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let run = Run::on(postgres(&server.url(), "history", 3).await).await;
    let faults = async {
        for _ in 0..3 {
            run.more_answers(400).await;
            run.strike(|| server.kill(), 8, || server.resume()).await;
        }
        run.more_answers(400).await;
    };
    let report = run.until(ANSWERS, 33, faults).await;
    sound(&run, "PostgreSQL", "killed 3 times", &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_it_freezes() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let run = Run::on(postgres(&server.url(), "history", 2).await).await;
    let faults = async {
        for _ in 0..3 {
            run.more_answers(400).await;
            run.strike(|| server.freeze(), 8, || server.thaw()).await;
        }
        run.more_answers(400).await;
    };
    let report = run.until(ANSWERS, 34, faults).await;
    sound(&run, "PostgreSQL", "frozen 3 times", &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_connections_are_cut() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let cutter = Cutter::before(server.port()).await;
    let url = server.url_at(cutter.port());
    let run = Run::on(postgres(&url, "history_cut", 3).await).await;
    let faults = async {
        for _ in 0..30 {
            run.more_answers(60).await;
            cutter.cut();
        }
    };
    let report = run.until(ANSWERS, 35, faults).await;
    sound(&run, "PostgreSQL", "connections cut 30 times", &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_sessions_expire() {
    if let Some(server) = PostgresServer::shared() {
        let stores = postgres(&server.url(), "history_expiry", 2).await;
        while_sessions_expire("PostgreSQL", stores, 36).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_answers_are_lost() {
    if let Some(server) = RedisServer::shared() {
        let stores = redis(&server.url(), "history_lost", 3).await;
        with_lost_answers("Redis", stores, 41).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_clocks_step() {
    if let Some(server) = RedisServer::shared() {
        let stores = redis(&server.url(), "history_clocks", 2).await;
        with_clocks_that_step("Redis", stores, 42).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_it_is_killed() {
    let durable = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(server) = RedisServer::start(&durable) else {
        return;
    };
    let run = Run::on(redis(&server.url(), "history", 3).await).await;
    let server = std::sync::Mutex::new(server);
    let faults = async {
        for _ in 0..3 {
            run.more_answers(400).await;
            let kill = || server.lock().unwrap().kill();
            run.strike(kill, 8, || server.lock().unwrap().restart())
                .await;
        }
        run.more_answers(400).await;
    };
    let report = run.until(ANSWERS, 43, faults).await;
    sound(&run, "Redis", "killed 3 times", &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_connections_are_cut() {
    let Some(server) = RedisServer::shared() else {
        return;
    };
    let cutter = Cutter::before(server.port()).await;
    let url = format!("redis://127.0.0.1:{}", cutter.port());
    let run = Run::on(redis(&url, "history_cut", 2).await).await;
    let faults = async {
        for _ in 0..30 {
            run.more_answers(60).await;
            cutter.cut();
        }
    };
    let report = run.until(ANSWERS, 44, faults).await;
    sound(&run, "Redis", "connections cut 30 times", &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_it_freezes() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let run = Run::on(redis(&server.url(), "history", 2).await).await;
    let faults = async {
        for _ in 0..3 {
            run.more_answers(400).await;
            let thaw = || server.signal("CONT");
            run.strike(|| server.signal("STOP"), 8, thaw).await;
        }
        run.more_answers(400).await;
    };
    let report = run.until(ANSWERS, 45, faults).await;
    sound(&run, "Redis", "frozen 3 times", &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_sessions_expire() {
    if let Some(server) = RedisServer::shared() {
        let stores = redis(&server.url(), "history_expiry", 3).await;
        while_sessions_expire("Redis", stores, 46).await;
    }
}
