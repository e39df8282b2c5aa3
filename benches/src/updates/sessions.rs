//! The updates of Supersession, on any store.

use std::sync::Arc;

use bench_harness::{keep_busy, patch, take_timed_turns};
use serde_json::{Map, Value};
use supersession::{Sessions, Store};
use supersession_postgres::PostgresStore;
use supersession_redis::RedisStore;
use supersession_sqlite::{SqliteStore, Synchronous};
use tokio::runtime::Runtime;

use super::is_there;
use crate::filling::{fill, handle, key};
use crate::ours::{CACHE, Ours, now};

/// Runs one case: `tasks` tasks update `sessions` sessions of the store at `place`.
pub(crate) fn case(
    store: &str,
    place: &str,
    tasks: u64,
    verb: &str,
    sessions: u64,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let ours = match store {
        "sqlite-full" => runtime.block_on(sqlite(place, Synchronous::Full, sessions))?,
        "sqlite-normal" => runtime.block_on(sqlite(place, Synchronous::Normal, sessions))?,
        "postgres" => runtime.block_on(async {
            let store = PostgresStore::open(place).await?;
            opened(store, sessions).await
        })?,
        "redis" => runtime.block_on(async {
            let store = RedisStore::open(place).await?;
            opened(store, sessions).await
        })?,
        "redis-peer" => return super::redis::case(&runtime, place, tasks, sessions),
        _ => anyhow::bail!("there is no store {store}"),
    };
    update(&runtime, &ours, tasks, verb, sessions)
}

async fn sqlite(file: &str, synchronous: Synchronous, sessions: u64) -> anyhow::Result<Sessions> {
    if !is_there(file) {
        // Filled without durability, which is faster. The store is closed before it is reopened.
        let options = SqliteStore::options().path(file);
        let store = options.synchronous(Synchronous::Normal).open().await?;
        fill(&Arc::new(store), sessions).await?;
    }
    let options = SqliteStore::options().path(file);
    let store = options.synchronous(synchronous).open().await?;
    Ok(Ours::open(store, CACHE).await?.sessions)
}

/// Opens sessions on a server's store and fills it first if it is empty.
async fn opened(store: impl Store + Clone, sessions: u64) -> anyhow::Result<Sessions> {
    if store.session(&key(0), now()).await?.is_none() {
        fill(&Arc::new(store.clone()), sessions).await?;
    }
    Ok(Ours::open(store, CACHE).await?.sessions)
}

fn update(
    runtime: &Runtime,
    ours: &Sessions,
    tasks: u64,
    verb: &str,
    count: u64,
) -> anyhow::Result<()> {
    let sessions = ours.clone();
    let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).expect("JSON");
    match verb {
        "merge" => {
            let operate = Arc::new(move |session, number| {
                let (sessions, patch) = (sessions.clone(), read(&patch(number)));
                async move {
                    let merged = sessions.merge_session_data(handle(session), patch).await;
                    assert!(merged.expect("no trouble").is_some(), "it is live");
                }
            });
            take_timed_turns(|span| keep_busy(runtime, tasks, span, count, &operate))
        }
        "overwrite" => {
            let data = Arc::new(read(bench_harness::SESSION_DATA));
            let operate = Arc::new(move |session, number| {
                let (sessions, data) = (sessions.clone(), Arc::clone(&data));
                async move {
                    let mut data = Map::clone(&data);
                    data.insert("seen".to_owned(), Value::from(number));
                    let written = sessions.update_session_data(handle(session), &data).await;
                    assert!(written.expect("no trouble"), "it is live");
                }
            });
            take_timed_turns(|span| keep_busy(runtime, tasks, span, count, &operate))
        }
        "modify" => {
            let operate = Arc::new(move |session, number| {
                let sessions = sessions.clone();
                async move {
                    let change = |data: &mut Map<String, Value>| {
                        data.insert("seen".to_owned(), Value::from(number));
                    };
                    let modified = sessions.modify_session_data(handle(session), change).await;
                    assert!(modified.expect("no trouble").is_some(), "it is live");
                }
            });
            take_timed_turns(|span| keep_busy(runtime, tasks, span, count, &operate))
        }
        _ => anyhow::bail!("there is no verb {verb}"),
    }
}
