//! The store contract as a state machine: for any sequence of calls, a store must return the same
//! answers and hold the same data as the reference implementation.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "part of a test, which fails by panicking"
)]

mod operation;
mod play;

use proptest::test_runner::{Config, TestRunner};
use supersession::store::MemoryStore;

use super::fresh::Fresh;

/// Maximum number of operations in a history.
const LONGEST: usize = 30;

/// Plays random histories on one store, each in its own apps.
///
/// # Panics
/// If an answer differs. The message contains the shortest such history that was found.
pub fn run<Made>(fresh: impl FnOnce() -> Made, histories: u32)
where
    Made: Future<Output: Fresh>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let Some((store, guard)) = runtime.block_on(fresh()).into_parts() else {
        return;
    };
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = histories;
    }
    let number = std::cell::Cell::new(0_u32);
    let history = proptest::collection::vec(operation::any_operation(), 1..=LONGEST);
    let outcome = TestRunner::new(config).run(&history, |history| {
        number.set(number.get() + 1);
        let reference = MemoryStore::new();
        runtime.block_on(play::history(&store, &reference, number.get(), &history))
    });
    runtime.block_on(async { drop(guard) });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
