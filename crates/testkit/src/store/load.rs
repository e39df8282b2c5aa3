//! Measurements of the removal of expired sessions under live traffic, with many sessions. They
//! assert no figures and belong to tests that are run by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use supersession::Store;
use supersession::store::SessionRecord;
use tokio::task::JoinSet;

use super::fixtures::{END, NOW, SharedStore, at, key, session};

const WRITERS: u64 = 64;
const READERS: u64 = 4;
const BATCH: u32 = 1_000;

/// Fills the store with `rows` sessions, every second of which has expired, and removes the expired
/// ones in batches while others are read. Returns the measurements, one per line.
///
/// # Panics
/// If the store fails or a live session is not found.
#[expect(
    clippy::unwrap_used,
    reason = "part of a test, which fails by panicking"
)]
pub async fn clearing_up(store: impl Store, rows: u64) -> Vec<String> {
    let store: SharedStore = Arc::new(store);
    let mut lines = Vec::new();
    let start = Instant::now();
    fill(&store, rows).await;
    lines.push(format!("{rows} sessions inserted in {:?}", start.elapsed()));

    let quiet = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(5)));
    let (_, times) = reading_while(&store, rows, quiet).await;
    lines.push(figures("reads, nothing else going on", times));

    let clearing = async {
        let mut batches = Vec::new();
        loop {
            let start = Instant::now();
            let deleted = store.delete_expired_sessions(END, BATCH).await.unwrap();
            if deleted == 0 {
                return batches;
            }
            batches.push(start.elapsed());
        }
    };
    let start = Instant::now();
    let (batches, times) = reading_while(&store, rows, clearing).await;
    let took = start.elapsed();
    lines.push(figures("reads beside the removal", times));
    lines.push(figures(
        &format!("batches of {BATCH}, all in {took:?}"),
        batches,
    ));
    lines
}

fn record(n: u64) -> SessionRecord {
    let expires_at = if n.is_multiple_of(2) {
        at(4_000_000 + n)
    } else {
        at(1 + n % 3_000_000)
    };
    let mut record = session(&format!("h{n}"));
    record.expires_at = expires_at;
    record
}

#[expect(
    clippy::unwrap_used,
    reason = "part of a test, which fails by panicking"
)]
async fn fill(store: &SharedStore, rows: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (store, next) = (Arc::clone(store), Arc::clone(&next));
        writers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= rows {
                    return;
                }
                let mut record = record(n);
                record.user_id = format!("user-{}", n % 200_000).into();
                store.insert_session(&record).await.unwrap();
            }
        });
    }
    writers.join_all().await;
}

#[expect(
    clippy::unwrap_used,
    reason = "part of a test, which fails by panicking"
)]
async fn reading_while<T>(
    store: &SharedStore,
    rows: u64,
    work: impl Future<Output = T>,
) -> (T, Vec<Duration>) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
        readers.spawn(async move {
            let mut times = Vec::new();
            let mut n = reader;
            while !stop.load(Ordering::Relaxed) {
                n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let key = key(&format!("h{}", (n >> 33) % (rows / 2) * 2));
                let start = Instant::now();
                assert!(store.session(&key, NOW).await.unwrap().is_some());
                times.push(start.elapsed());
            }
            times
        });
    }
    let done = work.await;
    stop.store(true, Ordering::Relaxed);
    (done, readers.join_all().await.concat())
}

fn figures(what: &str, mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = times.len().saturating_sub(1) * percent / 100;
        times.get(place).map_or(0, Duration::as_micros)
    };
    format!(
        "{what}: {} calls, p50 {} us, p99 {} us, longest {} us",
        times.len(),
        at(50),
        at(99),
        at(100)
    )
}
