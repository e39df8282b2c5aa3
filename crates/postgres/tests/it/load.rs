//! Figures, not verdicts: how the removal of expired sessions and live traffic get on at a million
//! rows. Run it by hand: `cargo test --release -p supersession-postgres --test it load -- --ignored
//! --nocapture`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use supersession::Store;
use supersession::store::{DocumentWrite, SessionDocument};
use supersession_postgres::PostgresStore;
use supersession_testkit::servers::PostgresServer;

use crate::{NOW, connect, insert, key, object};

const ROWS: u32 = 1_000_000;
const BATCH: u32 = 1_000;

/// Half of them over, in no order on the disk; documents of some hundred bytes.
const FILL: &str = "INSERT INTO session_info (app_id, tenant_id, session_handle, user_id,
        refresh_token_hash_2, session_data, expires_at, created_at_time, jwt_user_payload,
        use_static_key)
    SELECT 'public', 'public', 'filled-' || n, 'user-' || n % 200000, md5('h' || n) || md5('i' || n),
        format('{\"cart\":[\"%s\",\"%s\"],\"n\":%s}', md5('a' || n), md5('b' || n), n),
        $1::bigint + CASE WHEN n % 2 = 0 THEN 1000000 + n ELSE -n END, $1::bigint - 1000000,
        format('{\"plan\":\"pro\",\"iss\":\"%s\"}', md5('c' || n)), false
    FROM generate_series(1, $2::integer) AS n";

fn figures(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_micros();
    format!(
        "{} calls, p50 {} us, p99 {} us, max {} us",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    )
}

async fn reads(store: PostgresStore, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut n = 1_u64;
    while !stop.load(Ordering::SeqCst) {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let even = (n >> 33) % u64::from(ROWS / 2) * 2 + 2;
        let key = key(&format!("filled-{even}"));
        let start = Instant::now();
        assert!(store.session(&key, NOW).await.unwrap().is_some());
        times.push(start.elapsed());
    }
    times
}

async fn reading_while<T>(
    store: &PostgresStore,
    work: impl Future<Output = T>,
) -> (T, Vec<Duration>) {
    let stop = Arc::new(AtomicBool::new(false));
    let readers = (0..4).map(|_| tokio::spawn(reads(store.clone(), Arc::clone(&stop))));
    let readers: Vec<_> = readers.collect();
    let done = work.await;
    stop.store(true, Ordering::SeqCst);
    let mut times = Vec::new();
    for reader in readers {
        times.extend(reader.await.unwrap());
    }
    (done, times)
}

#[ignore = "takes minutes and measures"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clearing_up_a_million_sessions() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let store = PostgresStore::open(server.url()).await.unwrap();
    insert(&store, "scope").await;
    let other = connect(&server.url()).await;
    let start = Instant::now();
    let now = NOW.as_i64();
    other.execute(FILL, &[&now, &(ROWS as i32)]).await.unwrap();
    for step in ["VACUUM ANALYZE", "CHECKPOINT"] {
        other.batch_execute(step).await.unwrap();
    }
    println!("filled {ROWS} rows in {:?}", start.elapsed());

    let quiet = tokio::time::sleep(Duration::from_secs(5));
    let ((), times) = reading_while(&store, quiet).await;
    println!("point reads, 4 tasks, nothing else: {}", figures(times));

    let clearing = async {
        let mut batches = Vec::new();
        loop {
            let start = Instant::now();
            let deleted = store.delete_expired_sessions(NOW, BATCH).await.unwrap();
            if deleted == 0 {
                return batches;
            }
            batches.push(start.elapsed());
        }
    };
    let start = Instant::now();
    let (batches, times) = reading_while(&store, clearing).await;
    println!("point reads beside the removal: {}", figures(times));
    println!(
        "batches of {BATCH}, in {:?}: {}",
        start.elapsed(),
        figures(batches)
    );
}

#[ignore = "measures"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_of_one_session_and_of_many() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let store = PostgresStore::open(server.url()).await.unwrap();
    for task in 0..64 {
        insert(&store, &format!("h{task}")).await;
    }
    for one in [false, true] {
        let start = Instant::now();
        let tasks = (0..64).map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let key = key(&format!("h{}", if one { 0 } else { task }));
                let merge = DocumentWrite::Merge(object(&format!(r#"{{"m{task}":1}}"#)));
                let mut times = Vec::new();
                for _ in 0..50 {
                    let start = Instant::now();
                    let document = SessionDocument::SessionData;
                    let outcome = store.write_document(&key, document, &merge, NOW).await;
                    outcome.unwrap();
                    times.push(start.elapsed());
                }
                times
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        let place = if one { "one session" } else { "64 sessions" };
        println!(
            "merges, 64 tasks, {place}, in {:?}: {}",
            start.elapsed(),
            figures(times)
        );
    }
}
