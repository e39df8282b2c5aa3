//! Concurrent operations of several tasks, each measured separately.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::{Latencies, Sequence};

/// Runs `tasks` tasks for the duration `span`. Each performs one operation after the other.
/// `operate` receives the number of a session, and a number that is never repeated.
pub fn keep_busy<F, O>(
    runtime: &Runtime,
    tasks: u64,
    span: Duration,
    sessions: u64,
    operate: &Arc<F>,
) -> Latencies
where
    F: Fn(u64, u64) -> O + Send + Sync + 'static,
    O: Future<Output = ()> + Send + 'static,
{
    // A different sequence in each turn, and the same sequences in every run.
    static TURN: AtomicU64 = AtomicU64::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    runtime.block_on(async {
        let mut working = JoinSet::new();
        for task in 0..tasks {
            let operate = Arc::clone(operate);
            working.spawn(async move {
                let mut sequence = Sequence::new(turn * 1_000 + task);
                let mut latencies = Latencies::default();
                let begin = Instant::now();
                for number in 0.. {
                    if begin.elapsed() >= span {
                        break;
                    }
                    let session = sequence.below(sessions);
                    let start = Instant::now();
                    operate(session, turn * 100_000_000 + task * 1_000_000 + number).await;
                    latencies.push(start.elapsed());
                }
                latencies
            });
        }
        let mut all = Latencies::default();
        for latencies in working.join_all().await {
            all.append(latencies);
        }
        all
    })
}
