//! Throughput over the loopback interface, measured with wrk. Each server is a process of its own.

mod actix;
mod axum;
mod server;
mod wrk;

use bench_harness::{Race, Racer, Table, Turn, micros, rate, ratio};

use self::server::Server;
use self::wrk::Wrk;
use crate::context::Context;
use crate::facts::Facts;

const HITS: &str = "**ours, cached**";
const DATABASE: &str = "**ours, check_database, SQLite**";
const AXUM: &str = "axum, bare";
const ACTIX: &str = "actix-web, bare";

/// Prints the tables.
pub(crate) fn run(context: &Context, facts: &mut Facts) -> anyhow::Result<()> {
    let Some(wrk) = Wrk::find(context)? else {
        println!("### HTTP over loopback\n\nNot measured: it needs wrk (apt-get install wrk).\n");
        return Ok(());
    };
    let own = |name: &str, arguments: &[&str]| {
        racer(
            name,
            &wrk,
            Server::start(context.command("http", arguments))?,
        )
    };
    let sqlx = |name: &str, arguments: &[&str]| {
        racer(name, &wrk, Server::start(context.sqlx_command(arguments)?)?)
    };
    let rounds = context.pick(7, 3);
    let race = Race::run(
        vec![
            own(AXUM, &["axum", "bare"])?,
            own(HITS, &["axum", "hits"])?,
            own("**ours, uncached**", &["axum", "misses"])?,
            own(DATABASE, &["axum", "database"])?,
            own(
                "tower-sessions, MemoryStore, read",
                &["axum", "tower-sessions"],
            )?,
            sqlx("tower-sessions, SQLite, read", &["http"])?,
            own("jsonwebtoken in an extractor", &["axum", "jsonwebtoken"])?,
        ],
        rounds,
    )?;
    print(&race, "HTTP over loopback, axum", AXUM);
    facts.note("http.axum", throughput(&race, HITS, AXUM));
    facts.note("http.axum.database", throughput(&race, DATABASE, AXUM));

    let race = Race::run(
        vec![
            own(ACTIX, &["actix", "bare"])?,
            own(HITS, &["actix", "hits"])?,
            own("**ours, uncached**", &["actix", "misses"])?,
            own(DATABASE, &["actix", "database"])?,
            own("actix-session, cookie, read", &["actix", "actix-session"])?,
            own("jsonwebtoken in an extractor", &["actix", "jsonwebtoken"])?,
        ],
        rounds,
    )?;
    print(&race, "HTTP over loopback, actix-web", ACTIX);
    facts.note("http.actix", throughput(&race, HITS, ACTIX));
    facts.note("http.actix.database", throughput(&race, DATABASE, ACTIX));
    Ok(())
}

fn racer(name: &str, wrk: &Wrk, server: Server) -> anyhow::Result<Racer> {
    let mut load = wrk.against(&server)?;
    // The first turn warms up the server and is not counted.
    load.turn(&server)?;
    Ok(Racer::new(name, move || load.turn(&server)))
}

fn throughput(race: &Race, case: &str, bare: &str) -> f64 {
    race.ratio(case, bare, Turn::per_second).median
}

fn print(race: &Race, heading: &str, bare: &str) {
    let columns = [
        "server",
        "requests/s",
        "against bare",
        "p50 us",
        "p99 us",
        "server CPU us/request",
    ];
    let mut table = Table::new(heading, &columns);
    let latency =
        |nanos: Option<u64>| f64::from(u32::try_from(nanos.unwrap_or(0)).unwrap_or(u32::MAX));
    for name in race.names() {
        table.row([
            name.to_owned(),
            rate(race.spread(name, Turn::per_second).median),
            ratio(race.ratio(name, bare, Turn::per_second)),
            micros(race.spread(name, |turn| latency(turn.p50_nanos)).median),
            micros(race.spread(name, |turn| latency(turn.p99_nanos)).median),
            micros(race.spread(name, Turn::cpu_nanos_each).median),
        ]);
    }
    table.note(
        "wrk with 32 connections and 256 users in turn, servers with two threads, all on the same cores. The \
         processor time of the server is the fairer column.",
    );
    println!("{table}");
}

/// Runs one server until its standard input closes.
pub(crate) fn case(framework: &str, case: &str) -> anyhow::Result<()> {
    match framework {
        "axum" => axum::serve(case),
        "actix" => actix::serve(case),
        _ => anyhow::bail!("there is no server {framework} {case}"),
    }
}
