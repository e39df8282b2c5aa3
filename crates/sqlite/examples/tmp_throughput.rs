#![allow(clippy::all)]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::{Duration, Instant};
use supersession::store::*;
use supersession::*;
use supersession_sqlite::*;

const N: u64 = 100_000;
fn key(i: u64) -> SessionKey {
    SessionKey::new(
        &AppId::default(),
        format!(
            "{:08x}-0000-4000-8000-{:012x}",
            (i.wrapping_mul(2654435761)) as u32,
            i
        )
        .into(),
    )
}
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let dir = std::env::args()
        .nth(1)
        .unwrap_or("/tmp/bench-sqlite".into());
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let store = SqliteStore::options()
        .path(format!("{dir}/s.db"))
        .synchronous(if std::env::var("NORMAL").is_ok() {
            Synchronous::Normal
        } else {
            Synchronous::Full
        })
        .open()
        .await
        .unwrap();
    let now = UnixMillis::new(1_800_000_000_000);
    let doc: JsonObject = format!(
        r#"{{"cart":[{}],"theme":"dark","n":0}}"#,
        (0..30)
            .map(|i| format!("\"item-{i}\""))
            .collect::<Vec<_>>()
            .join(",")
    )
    .parse()
    .unwrap();
    let t = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = vec![];
    for _ in 0..256 {
        let (store, doc, next) = (store.clone(), doc.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= N {
                    break;
                }
                store
                    .insert_session(&SessionRecord {
                        key: key(i),
                        user_id: UserId::from(format!("user{}", i / 2)),
                        lineage: Lineage {
                            current: RefreshHash2::of(&RefreshToken::new(i.to_string())),
                            previous: None,
                        },
                        session_data: doc.clone(),
                        payload: "{}".parse().unwrap(),
                        expires_at: now.after(Duration::from_secs(1000)),
                        created_at: now,
                        key_kind: KeyKind::Dynamic,
                    })
                    .await
                    .unwrap();
            }
        }))
    }
    for t in tasks {
        t.await.unwrap();
    }
    println!(
        "inserted {N} at {:.0}/s, doc {} B",
        N as f64 / t.elapsed().as_secs_f64(),
        doc.as_str().len()
    );
    for (what, read) in [("update", false), ("read", true)] {
        for tasks in [1usize, 16, 64, 256] {
            for _pass in 0..3 {
                let secs = 3.0;
                let stop = Instant::now() + Duration::from_secs_f64(secs);
                let mut hs = vec![];
                for t in 0..tasks {
                    let store = store.clone();
                    hs.push(tokio::spawn(async move {
                        let mut x = (t as u64 + 1) * 0x9E3779B97F4A7C15;
                        let mut lat = vec![];
                        while Instant::now() < stop {
                            x ^= x << 13;
                            x ^= x >> 7;
                            x ^= x << 17;
                            let k = key(x % N);
                            let s = Instant::now();
                            if read {
                                assert!(store.session(&k, now).await.unwrap().is_some());
                            } else {
                                let w = DocumentWrite::Merge(
                                    format!(r#"{{"n":{x},"last":"2026-01-01T00:00:00Z"}}"#)
                                        .parse()
                                        .unwrap(),
                                );
                                assert!(matches!(
                                    store
                                        .write_document(&k, SessionDocument::SessionData, &w, now)
                                        .await
                                        .unwrap(),
                                    WriteOutcome::Written(_)
                                ));
                            }
                            lat.push(s.elapsed().as_micros() as u32);
                        }
                        lat
                    }));
                }
                let mut lat = vec![];
                for h in hs {
                    lat.extend(h.await.unwrap());
                }
                lat.sort();
                let wal = std::fs::metadata(format!("{dir}/s.db-wal"))
                    .map(|m| m.len())
                    .unwrap_or(0);
                println!(
                    "{what} {tasks:>3} tasks: {:>7.0}/s p50 {} us p99 {} us max {} us, wal {} MiB",
                    lat.len() as f64 / secs,
                    lat[lat.len() / 2],
                    lat[lat.len() * 99 / 100],
                    lat[lat.len() - 1],
                    wal >> 20
                );
            }
        }
    }
    let t = Instant::now();
    drop(store);
    println!("closed in {:?}", t.elapsed());
}
