//! Any history of one application, against a small pure model of what the rules say.
//!
//! [`operation`] is what can happen, [`world`] is the model, [`system`] does it for real. After
//! each step the answer is the model's, and so is everything that can be seen of the store. A step
//! may meet a store that fails, before or after it did its work; the model knows which.

mod operation;
mod system;
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::test_runner::{Config, TestRunner};
use supersession::Store;
use supersession::store::MemoryStore;
use supersession_sqlite::SqliteStore;

/// How many steps a history has at most.
const LONGEST: usize = 60;

/// What a run must have met, or the histories are not worth much.
const MET: [&str; 12] = [
    "created",
    "refreshed",
    "replayed",
    "RECENT_PREV",
    "STALE_LINEAGE",
    "unauthorised",
    "rotated out",
    "verified",
    "try refresh",
    "done",
    "gone",
    "fault",
];

/// What is rare, so that only many histories meet it for certain.
const RARELY_MET: [&str; 1] = ["ORPHANED_BRANCH"];
/// With fewer, one run in fifty meets nothing rare.
const MANY: u32 = 1_000;

fn run(histories: u32, store: impl Fn() -> Arc<dyn Store>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = histories;
    }
    let met = Mutex::new(BTreeMap::<&str, usize>::new());
    let history = proptest::collection::vec(operation::step(), 1..=LONGEST);
    TestRunner::new(config)
        .run(&history, |steps| {
            runtime.block_on(async {
                let mut system = system::System::start(store()).await;
                // Most of what can happen needs a session.
                system.step(&operation::first()).await?;
                for step in &steps {
                    let answer = system.step(step).await?;
                    *met.lock().unwrap().entry(answer).or_default() += 1;
                }
                Ok(())
            })
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let met = met.into_inner().unwrap();
    let rare = RARELY_MET.iter().filter(|_| histories >= MANY);
    let missed: Vec<_> = MET
        .iter()
        .chain(rare)
        .filter(|name| !met.contains_key(*name))
        .collect();
    assert!(missed.is_empty(), "never met: {missed:?}, of {met:?}");
}

#[test]
fn any_history_in_memory_agrees_with_the_model() {
    run(256, || Arc::new(MemoryStore::new()));
}

#[test]
fn any_history_on_sqlite_agrees_with_the_model() {
    run(128, || {
        Arc::new(SqliteStore::options().in_memory().open_blocking().unwrap())
    });
}
