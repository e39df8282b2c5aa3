//! Durable updates of session data, either of a random session each time or always of the same one.

mod pgbench;
mod redis;
mod sessions;

use std::path::Path;
use std::time::Duration;

use bench_harness::{Race, Racer, Table, Turn, Worker, micros, rate, ratio};
use supersession_testkit::servers::{PostgresServer, RedisServer};

use self::pgbench::Pgbench;
use crate::context::Context;
use crate::facts::Facts;

pub(crate) use sessions::case;

const MERGE: &str = "**ours, merge**";
const MERGE_ONE: &str = "**ours, merge, one session**";
const SQLX: &str = "sqlx, pool of 8, `json_patch`";
const SQLX_POSTGRES: &str = "sqlx, pool of 16, `data \\|\\| patch`";
const PGBENCH: &str = "pgbench, prepared, `data \\|\\| patch`";
const SET: &str = "redis, multiplexed, `SET` of the whole session";
const TASKS: [&str; 3] = ["1", "16", "64"];
const COLUMNS: [&str; 6] = [
    "case",
    "tasks",
    "updates/s",
    "against sqlx",
    "p50 us",
    "p99 us",
];

/// Prints the tables.
pub(crate) fn run(context: &Context, facts: &mut Facts) -> anyhow::Result<()> {
    sqlite(context, facts)?;
    postgres(context, facts)?;
    redis(context)
}

fn timed(context: &Context, name: &str, command: std::process::Command) -> anyhow::Result<Racer> {
    let turn = Duration::from_millis(context.pick(700, 100));
    Ok(Racer::worker(
        name,
        Worker::start_timed(name, command, turn)?,
    ))
}

fn sqlite(context: &Context, facts: &mut Facts) -> anyhow::Result<()> {
    let sessions = context.pick("100000", "2000");
    for level in ["full", "normal"] {
        let folder = tempfile::tempdir()?;
        let place = |name: &str| folder.path().join(name).display().to_string();
        let (own, one) = (place("own.db"), place("one.db"));
        let (plain, tower) = (place("plain.db"), place("tower.db"));
        let heading = format!("Updates, SQLite, synchronous={}", level.to_uppercase());
        let mut table = Table::new(heading, &COLUMNS);
        for tasks in TASKS {
            let store = format!("sqlite-{level}");
            let ours_with = |name: &str, file: &str, verb: &str, sessions: &str| {
                let arguments = [store.as_str(), file, tasks, verb, sessions];
                timed(context, name, context.command("updates", &arguments))
            };
            let ours = |name: &str, verb: &str| ours_with(name, &own, verb, sessions);
            let peer = |name: &str, case: &str, file: &str| {
                let arguments = ["sqlite", case, level, file, tasks, sessions];
                timed(context, name, context.sqlx_command(&arguments)?)
            };
            let mut racers = vec![
                peer(SQLX, "pool", &plain)?,
                ours(MERGE, "merge")?,
                ours("**ours, overwrite**", "overwrite")?,
                ours("**ours, modify**", "modify")?,
                peer("tower-sessions-sqlx-store, save", "tower-sessions", &tower)?,
            ];
            if tasks != "1" {
                racers.push(ours_with(MERGE_ONE, &one, "merge", "1")?);
            }
            let race = Race::run(racers, context.pick(7, 3))?;
            rows(&mut table, &race, tasks, SQLX);
            let p99 = race.spread(MERGE, |turn| milliseconds(turn.p99_nanos));
            match (level, tasks) {
                ("full", "64") => {
                    let factor = race.ratio(MERGE, SQLX, Turn::per_second).median;
                    facts.note("sqlite.full", factor);
                }
                ("normal", "16") => {
                    facts.note("sqlite.normal.p99", p99.median);
                }
                _ => {}
            }
        }
        println!("{table}");
    }
    Ok(())
}

fn postgres(context: &Context, facts: &mut Facts) -> anyhow::Result<()> {
    let heading = "Updates, PostgreSQL, synchronous_commit=on";
    let Some(server) = PostgresServer::start() else {
        println!(
            "### {heading}\n\nNot measured: it needs PostgreSQL (apt-get install postgresql).\n"
        );
        return Ok(());
    };
    let (url, sessions) = (server.url(), context.pick("100000", "2000"));
    let pgbench = Pgbench::prepare(&url, sessions.parse()?, context.pick(3, 2))?;
    let mut table = Table::new(heading, &COLUMNS);
    for tasks in TASKS {
        let ours = |name: &str, verb: &str| {
            let arguments = ["postgres", &url, tasks, verb, sessions];
            timed(context, name, context.command("updates", &arguments))
        };
        let mut racers = vec![
            ours(MERGE, "merge")?,
            ours("**ours, overwrite**", "overwrite")?,
            timed(
                context,
                SQLX_POSTGRES,
                context.sqlx_command(&["postgres", &url, tasks, sessions])?,
            )?,
        ];
        pgbench.settle()?;
        let (clients, own) = (tasks.to_owned(), pgbench.clone());
        racers.push(Racer::new(PGBENCH, move || own.turn(&clients)));
        let race = Race::run(racers, context.pick(7, 3))?;
        rows(&mut table, &race, tasks, SQLX_POSTGRES);
        if tasks == "64" {
            let factor = race.ratio(MERGE, PGBENCH, Turn::per_second).median;
            facts.note("postgres.pgbench", factor);
            let factor = race.ratio("**ours, overwrite**", PGBENCH, Turn::per_second);
            table.note(format!(
                "Against pgbench with 64 clients: merge {}, overwrite {}.",
                ratio(race.ratio(MERGE, PGBENCH, Turn::per_second)),
                ratio(factor)
            ));
        }
    }
    println!("{table}");
    Ok(())
}

fn redis(context: &Context) -> anyhow::Result<()> {
    let sessions = context.pick("100000", "2000");
    let durable = ["--appendonly", "yes", "--appendfsync", "always"];
    for (title, settings) in [
        ("appendfsync always", &durable[..]),
        ("no persistence", &[]),
    ] {
        let heading = format!("Updates, Redis, {title}");
        let Some(server) = RedisServer::start(settings) else {
            println!(
                "### {heading}\n\nNot measured: it needs redis-server (apt-get install redis-server).\n"
            );
            return Ok(());
        };
        let url = server.url();
        let mut columns = COLUMNS;
        columns[3] = "against SET";
        let mut table = Table::new(heading, &columns);
        for tasks in TASKS {
            let ours = |name: &str, store: &str, verb: &str| {
                let arguments = [store, &url, tasks, verb, sessions];
                timed(context, name, context.command("updates", &arguments))
            };
            let race = Race::run(
                vec![
                    ours(SET, "redis-peer", "overwrite")?,
                    ours(MERGE, "redis", "merge")?,
                    ours("**ours, overwrite**", "redis", "overwrite")?,
                ],
                context.pick(7, 3),
            )?;
            rows(&mut table, &race, tasks, SET);
        }
        println!("{table}");
    }
    Ok(())
}

fn rows(table: &mut Table, race: &Race, tasks: &str, peer: &str) {
    for name in race.names() {
        let latency = |pick: fn(&Turn) -> Option<u64>| {
            let measured = race
                .spread(name, |turn| milliseconds(pick(turn)) * 1e6)
                .median;
            if measured > 0.0 {
                micros(measured)
            } else {
                "-".to_owned()
            }
        };
        table.row([
            name.to_owned(),
            tasks.to_owned(),
            rate(race.spread(name, Turn::per_second).median),
            ratio(race.ratio(name, peer, Turn::per_second)),
            latency(|turn| turn.p50_nanos),
            latency(|turn| turn.p99_nanos),
        ]);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a latency is far below centuries"
)]
fn milliseconds(nanos: Option<u64>) -> f64 {
    nanos.unwrap_or(0) as f64 / 1e6
}

/// Returns `true` if the file already exists. The cases of one table share it.
fn is_there(file: &str) -> bool {
    Path::new(file).exists()
}
