//! Memory per session, and per cached token.

use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::Context as _;
use bench_harness::{Allocations, Table, count, kilobytes, resident_bytes};
use serde::{Deserialize, Serialize};
use supersession::store::{MemoryStore, Store as _};
use supersession::{AccessToken, VerifyOptions};
use tower_sessions::SessionStore as _;
use tower_sessions::session::{Id, Record};

use crate::context::Context;
use crate::facts::Facts;
use crate::filling::{SESSIONS_EACH, data, record, user};
use crate::ours::{Ours, now};
use crate::view::at_once;

/// The year 2096.
const FAR_AHEAD: Duration = Duration::from_secs(4_000_000_000);

/// Growth of memory, measured in two ways.
#[derive(Serialize, Deserialize)]
struct Growth {
    resident: u64,
    allocated: i64,
    /// Set if all entries are still present. A cache may evict some.
    kept: bool,
}

impl Growth {
    fn of(fill: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let (resident, allocated) = (resident_bytes(), Allocations::so_far().live);
        fill()?;
        Ok(Self {
            resident: resident_bytes().saturating_sub(resident),
            allocated: Allocations::so_far().live - allocated,
            kept: true,
        })
    }
}

/// Prints the table.
#[expect(clippy::cast_precision_loss, reason = "these are bytes of memory")]
pub(crate) fn run(context: &Context, facts: &mut Facts) -> anyhow::Result<()> {
    let (sessions, tokens) = (context.pick(300_000, 10_000), context.pick(16_000, 500));
    let columns = ["what", "entries", "resident, kB each", "allocated, kB each"];
    let mut table = Table::new("Memory", &columns);
    for (case, title, entries, fact) in [
        (
            "session",
            "**ours, MemoryStore, session with 386 B of data**",
            sessions,
            Some("memory.session"),
        ),
        (
            "tower-sessions",
            "tower-sessions, MemoryStore, the same data",
            sessions,
            None,
        ),
        (
            "token",
            "**ours, cached token of 1.2 kB**",
            tokens,
            Some("memory.token"),
        ),
    ] {
        let mut command = context.command("memory", &[case, &entries.to_string()]);
        let output = command.stderr(std::process::Stdio::inherit()).output()?;
        let growth: Growth = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("the case {case} said something else"))?;
        if !growth.kept {
            table.note(format!("Not measured, because nothing was kept: {title}."));
            continue;
        }
        let resident = growth.resident as f64 / f64::from(entries);
        let allocated = growth.allocated as f64 / f64::from(entries);
        table.row([
            title.to_owned(),
            count(f64::from(entries)),
            kilobytes(resident),
            kilobytes(allocated),
        ]);
        if let Some(fact) = fact {
            facts.note(fact, resident / 1_000.0);
        }
    }
    table.note("Growth of a process of its own, divided by the entries.");
    println!("{table}");
    Ok(())
}

/// Runs one case.
pub(crate) fn case(case: &str, entries: u32) -> anyhow::Result<()> {
    let growth = match case {
        "session" => sessions(entries)?,
        "tower-sessions" => tower_sessions(entries)?,
        "token" => tokens(entries)?,
        _ => anyhow::bail!("there is no case {case}"),
    };
    println!("{}", serde_json::to_string(&growth)?);
    Ok(())
}

fn sessions(entries: u32) -> anyhow::Result<Growth> {
    let (store, now) = (MemoryStore::new(), now());
    let growth = Growth::of(|| {
        for number in 0..u64::from(entries) {
            let session = record(number, user(number / SESSIONS_EACH), now);
            at_once(store.insert_session(&session))?;
        }
        Ok(())
    })?;
    drop(store);
    Ok(growth)
}

fn tower_sessions(entries: u32) -> anyhow::Result<Growth> {
    let store = tower_sessions::MemoryStore::default();
    let growth = Growth::of(|| {
        for number in 0..entries {
            let data = serde_json::from_str(data().as_str())?;
            let mut record = Record {
                id: Id(i128::from(number)),
                data,
                expiry_date: (UNIX_EPOCH + FAR_AHEAD).into(),
            };
            at_once(store.create(&mut record))?;
        }
        Ok(())
    })?;
    drop(store);
    Ok(growth)
}

fn tokens(entries: u32) -> anyhow::Result<Growth> {
    let runtime = tokio::runtime::Runtime::new()?;
    // Capacity for all tokens and no more.
    let cache = usize::try_from(entries)? * 4_096;
    let ours = runtime.block_on(Ours::open(MemoryStore::new(), cache))?;
    let tokens = runtime.block_on(ours.tokens(usize::try_from(entries)?))?;
    let tokens: Vec<_> = tokens.iter().map(AccessToken::new).collect();
    let options = VerifyOptions::new();
    let verify_all = || -> anyhow::Result<()> {
        for token in &tokens {
            at_once(ours.sessions.verify_access_token(token, None, &options))?;
        }
        Ok(())
    };
    let growth = Growth::of(verify_all)?;
    // A signature takes some 20 microseconds, a cache hit less than one.
    let start = Instant::now();
    verify_all()?;
    let kept = start.elapsed() / entries < Duration::from_micros(8);
    Ok(Growth { kept, ..growth })
}
