//! Updates of session data with hand-written statements, and with tower-sessions.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::ensure;
use bench_harness::{SESSION_DATA, keep_busy, patch, take_timed_turns};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::types::Json;
use sqlx::{PgPool, SqlitePool};
use tokio::runtime::Runtime;
use tower_sessions::SessionStore as _;
use tower_sessions::session::{Id, Record};
use tower_sessions_sqlx_store::SqliteStore;

use crate::sessions;

/// The year 2096.
const FAR_AHEAD: Duration = Duration::from_secs(4_000_000_000);

/// Number of concurrent tasks, and number of sessions.
#[derive(Clone, Copy)]
struct Load {
    tasks: u64,
    sessions: u64,
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

pub(crate) fn sqlite(
    case: &str,
    level: &str,
    file: &str,
    tasks: u64,
    sessions: u64,
) -> anyhow::Result<()> {
    let (runtime, load) = (runtime()?, Load { tasks, sessions });
    let (full, new) = (level == "full", !Path::new(file).exists());
    match case {
        "pool" => {
            if new {
                runtime.block_on(fill(file, sessions))?;
            }
            let pool = runtime.block_on(pool(file, full))?;
            run(&runtime, load, move |session, number| {
                let pool = pool.clone();
                async move {
                    let update = "UPDATE sessions SET data = json_patch(data, ?) WHERE handle = ?";
                    let update = sqlx::query(update)
                        .bind(patch(number))
                        .bind(format!("h{session}"));
                    let done = update.execute(&pool).await.expect("no trouble");
                    assert_eq!(done.rows_affected(), 1);
                }
            })
        }
        "tower-sessions" => {
            if new {
                runtime.block_on(fill_store(file, sessions))?;
            }
            let store = runtime.block_on(sessions::store(Path::new(file), full))?;
            run(&runtime, load, move |session, number| {
                let store = store.clone();
                async move {
                    let record = record(session, number);
                    store.save(&record).await.expect("no trouble");
                }
            })
        }
        _ => anyhow::bail!("there is no case {case}"),
    }
}

pub(crate) fn postgres(url: &str, tasks: u64, sessions: u64) -> anyhow::Result<()> {
    let (runtime, load) = (runtime()?, Load { tasks, sessions });
    let options = PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(Duration::from_secs(60));
    let pool: PgPool = runtime.block_on(options.connect(url))?;
    run(&runtime, load, move |session, number| {
        let pool = pool.clone();
        async move {
            let patch: serde_json::Value = serde_json::from_str(&patch(number)).expect("JSON");
            let update = "UPDATE peer_sessions SET data = data || $1 WHERE handle = $2";
            let update = sqlx::query(update)
                .bind(Json(patch))
                .bind(format!("h{session}"));
            let done = update.execute(&pool).await.expect("no trouble");
            assert_eq!(done.rows_affected(), 1);
        }
    })
}

async fn pool(file: &str, full: bool) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(60))
        .synchronous(if full {
            SqliteSynchronous::Full
        } else {
            SqliteSynchronous::Normal
        });
    let pool = SqlitePoolOptions::new().max_connections(8);
    pool.acquire_timeout(Duration::from_secs(60))
        .connect_with(options)
        .await
}

async fn fill(file: &str, sessions: u64) -> anyhow::Result<()> {
    let pool = pool(file, false).await?;
    let table = "CREATE TABLE sessions (handle TEXT PRIMARY KEY, user_id TEXT NOT NULL, data TEXT NOT NULL)";
    sqlx::query(table).execute(&pool).await?;
    let mut transaction = pool.begin().await?;
    for session in 0..sessions {
        let insert = sqlx::query("INSERT INTO sessions VALUES (?, ?, ?)")
            .bind(format!("h{session}"))
            .bind(format!("user-{:08}", session / 10))
            .bind(SESSION_DATA);
        insert.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    pool.close().await;
    Ok(())
}

async fn fill_store(file: &str, sessions: u64) -> anyhow::Result<()> {
    let store: SqliteStore = sessions::store(Path::new(file), false).await?;
    for session in 0..sessions {
        store.save(&record(session, 0)).await?;
    }
    let loaded = store.load(&Id(0)).await?;
    ensure!(loaded.is_some(), "the first one is there");
    Ok(())
}

fn record(session: u64, number: u64) -> Record {
    let mut data: std::collections::HashMap<String, serde_json::Value> =
        serde_json::from_str(SESSION_DATA).expect("it is JSON");
    data.insert("seen".to_owned(), number.into());
    Record {
        id: Id(i128::from(session)),
        data,
        expiry_date: (UNIX_EPOCH + FAR_AHEAD).into(),
    }
}

/// Runs the case like the cases of Supersession: a random session for each operation, and each
/// operation measured separately.
fn run<F, O>(runtime: &Runtime, load: Load, operate: F) -> anyhow::Result<()>
where
    F: Fn(u64, u64) -> O + Send + Sync + 'static,
    O: Future<Output = ()> + Send + 'static,
{
    let (operate, Load { tasks, sessions }) = (Arc::new(operate), load);
    take_timed_turns(|span| keep_busy(runtime, tasks, span, sessions, &operate))
}
