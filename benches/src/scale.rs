//! Cost of store operations with many sessions compared with few.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bench_harness::{Latencies, Table, micros};
use serde::{Deserialize, Serialize};
use supersession::store::{
    DocumentWrite, MemoryStore, PreviousRefresh, RotateOutcome, Rotation, SessionDocument,
    UserSessions, WriteOutcome,
};
use supersession::{AppId, JsonObject, Store, UnixMillis};
use supersession_postgres::PostgresStore;
use supersession_redis::RedisStore;
use supersession_sqlite::SqliteStore;
use supersession_testkit::servers::{PostgresServer, RedisServer};

use crate::context::Context;
use crate::facts::Facts;
use crate::filling::{SESSIONS_EACH, data, fill, key, lineage, record, user};
use crate::ours::now;

/// The cost of each operation, in nanoseconds.
type Costs = Vec<(String, f64)>;

/// The number of sessions, and the number of runs of each operation.
#[derive(Serialize, Deserialize, Clone, Copy)]
struct Sample {
    sessions: u64,
    times: u64,
}

/// Prints the table.
pub(crate) fn run(context: &Context, _facts: &mut Facts) -> anyhow::Result<()> {
    let (few, many) = (1_000, context.pick(1_000_000, 20_000));
    let columns = ["verb", "1 000 sessions, us", "many, us", "ratio"];
    for store in ["memory", "sqlite", "postgres", "redis"] {
        let users = many / SESSIONS_EACH;
        let heading = format!("{many} sessions of {users} users against {few}: {store}");
        let Some([few, many]) = both(context, store, [few, many])? else {
            println!("### {heading}\n\nNot measured: its server is not installed.\n");
            continue;
        };
        let mut table = Table::new(heading, &columns);
        for ((verb, few), (_, many)) in few.iter().zip(&many) {
            table.row([
                verb.clone(),
                micros(*few),
                micros(*many),
                format!("{:.2}x", many / few),
            ]);
        }
        table.note("One caller; medians of single calls, so a verb that waits for the disk shows the disk.");
        println!("{table}");
    }
    Ok(())
}

/// Measures with few and with many sessions, each in its own process and store.
fn both(context: &Context, store: &str, sizes: [u64; 2]) -> anyhow::Result<Option<[Costs; 2]>> {
    let mut measured = Vec::new();
    for sessions in sizes {
        let folder = tempfile::tempdir()?;
        let (mut postgres, mut redis) = (None, None);
        let place = match store {
            "postgres" => {
                postgres = PostgresServer::start();
                postgres.as_ref().map(PostgresServer::url)
            }
            "redis" => {
                redis = RedisServer::start(&[]);
                redis.as_ref().map(RedisServer::url)
            }
            _ => Some(folder.path().join("sessions.db").display().to_string()),
        };
        let Some(place) = place else { return Ok(None) };
        let mut command = context.command("scale", &[store, &place, &sessions.to_string()]);
        let output = command.stderr(std::process::Stdio::inherit()).output()?;
        let costs = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("the case {store} with {sessions} sessions failed"))?;
        measured.push(costs);
        drop((postgres, redis));
    }
    let [few, many] = <[Costs; 2]>::try_from(measured).ok().context("two sizes")?;
    Ok(Some([few, many]))
}

/// Runs one case.
pub(crate) fn case(store: &str, place: &str, sessions: u64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let sample = Sample {
        sessions,
        times: 300,
    };
    let costs = runtime.block_on(async {
        match store {
            "memory" => measure(MemoryStore::new(), sample).await,
            "sqlite" => measure(SqliteStore::open(place).await?, sample).await,
            "postgres" => measure(PostgresStore::open(place).await?, sample).await,
            "redis" => measure(RedisStore::open(place).await?, sample).await,
            _ => anyhow::bail!("there is no store {store}"),
        }
    })?;
    println!("{}", serde_json::to_string(&costs)?);
    Ok(())
}

async fn measure<S: Store>(store: S, sample: Sample) -> anyhow::Result<Costs> {
    let Sample { sessions, times } = sample;
    let (store, now) = (Arc::new(store), now());
    fill(&store, sessions).await?;
    // Spread over all sessions, with each user at most once.
    let users = sessions / SESSIONS_EACH;
    let step = (users / times).max(1);
    let some = |turn: u64| (turn * step % users) * SESSIONS_EACH;
    let mut costs = Costs::new();

    let mut took = Latencies::default();
    for turn in 0..times {
        let new = record(sessions + turn, user(some(turn) / SESSIONS_EACH), now);
        let start = Instant::now();
        store.insert_session(&new).await?;
        took.push(start.elapsed());
    }
    note(&mut costs, "create", took);

    let mut took = Latencies::default();
    for turn in 0..times {
        let start = Instant::now();
        let found = store.session(&key(some(turn)), now).await?;
        took.push(start.elapsed());
        ensure!(found.is_some(), "it is there");
    }
    note(&mut costs, "read", took);
    refresh(&*store, sample, now, &some, &mut costs).await?;

    let mut took = Latencies::default();
    for turn in 0..times {
        // A different patch each time, because a merge that changes nothing need not be written.
        let patch: serde_json::Value = serde_json::from_str(&bench_harness::patch(turn))?;
        let patch = DocumentWrite::Merge(JsonObject::from_serialize(&patch)?);
        let start = Instant::now();
        let document = SessionDocument::SessionData;
        let written = store
            .write_document(&key(some(turn)), document, &patch, now)
            .await?;
        took.push(start.elapsed());
        ensure!(matches!(written, WriteOutcome::Written(_)), "it is live");
    }
    note(&mut costs, "update data", took);

    let mut took = Latencies::default();
    for turn in 0..times {
        let start = Instant::now();
        let found = store.user_sessions(&all_of(some(turn)), now).await?;
        took.push(start.elapsed());
        ensure!(found.len() as u64 >= SESSIONS_EACH, "all of them");
    }
    note(&mut costs, "list a user's", took);

    // Each user once. With few sessions there are also fewer users.
    let mut took = Latencies::default();
    for turn in 0..times.min(users) {
        let start = Instant::now();
        let deleted = store.delete_user_sessions(&all_of(some(turn)), now).await?;
        took.push(start.elapsed());
        ensure!(deleted.len() as u64 >= SESSIONS_EACH, "all of them");
    }
    note(&mut costs, "revoke a user's", took);
    clean_up(&*store, sessions, now, &mut costs).await?;
    Ok(costs)
}

async fn refresh<S: Store>(
    store: &S,
    Sample { times, .. }: Sample,
    now: UnixMillis,
    some: &impl Fn(u64) -> u64,
    costs: &mut Costs,
) -> anyhow::Result<()> {
    let mut took = Latencies::default();
    for turn in 0..times {
        let session = some(turn) + 1;
        // With few sessions, a session is selected repeatedly and was already refreshed.
        let found = store
            .session(&key(session), now)
            .await?
            .context("it is there")?;
        let mut next = lineage(1_000_000_000 + turn);
        next.previous = Some(PreviousRefresh::new(found.lineage.current.clone(), now));
        let expires_at = found.expires_at.after(Duration::from_secs(60 + turn));
        let next = Rotation::new(next, expires_at, found.key_kind);
        let start = Instant::now();
        let rotated = store
            .rotate(&found.key, &found.lineage, &found.payload, &next, now)
            .await?;
        took.push(start.elapsed());
        ensure!(rotated == RotateOutcome::Rotated, "nobody else refreshes");
    }
    note(costs, "refresh", took);
    Ok(())
}

/// Measures the deletion of batches of one hundred expired sessions among all the others.
async fn clean_up<S: Store>(
    store: &S,
    sessions: u64,
    now: UnixMillis,
    costs: &mut Costs,
) -> anyhow::Result<()> {
    const BATCH: u32 = 100;
    let mut took = Latencies::default();
    for round in 0..10 {
        for number in 0..u64::from(BATCH) {
            let number = sessions + 1_000_000 + round * u64::from(BATCH) + number;
            let mut over = record(number, user(number), now);
            over.expires_at = now;
            over.session_data = data();
            store.insert_session(&over).await?;
        }
        let start = Instant::now();
        let deleted = store.delete_expired_sessions(now, BATCH).await?;
        took.push(start.elapsed());
        ensure!(
            deleted == u64::from(BATCH),
            "all that are over, and no others"
        );
    }
    note(costs, "clean up 100", took);
    Ok(())
}

fn all_of(session: u64) -> UserSessions {
    UserSessions::new(AppId::default(), user(session / SESSIONS_EACH))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a latency is far below centuries"
)]
fn note(costs: &mut Costs, verb: &str, mut took: Latencies) {
    let median = took.percentile(50).unwrap_or(0);
    costs.push((verb.to_owned(), median as f64));
}
