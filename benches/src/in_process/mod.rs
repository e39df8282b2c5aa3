//! Cost that sessions add to a request, measured in the process without sockets and HTTP parsing.

pub(crate) mod actix;
pub(crate) mod axum;
pub(crate) mod peers;

use bench_harness::{Race, Racer, Table, Turn, count, nanos};
use supersession_testkit::servers::RedisServer;

use crate::context::Context;
use crate::facts::Facts;

const AXUM: &str = "axum, bare";
const AXUM_HIT: &str = "**ours, session in the handler, cached**";
const ACTIX: &str = "actix-web, bare";
const ACTIX_HIT: &str = "**ours, session in the handler, cached**";

/// Prints the tables.
pub(crate) fn run(context: &Context, facts: &mut Facts) -> anyhow::Result<()> {
    let case = |name: &str, arguments: &[&str]| {
        context.timed(name, context.command("in-process", arguments))
    };
    let sqlx =
        |name: &str, arguments: &[&str]| context.timed(name, context.sqlx_command(arguments)?);
    let race = Race::run(
        vec![
            case(AXUM, &["axum", "bare"])?,
            case(
                "+ a layer of `from_fn` that does nothing",
                &["axum", "from_fn"],
            )?,
            case(
                "**ours, layer, no session asked for**",
                &["axum", "untouched"],
            )?,
            case(AXUM_HIT, &["axum", "hit"])?,
            case("**the same, token in a cookie**", &["axum", "hit-cookie"])?,
            case(
                "**the same, session data read too, MemoryStore**",
                &["axum", "hit-data"],
            )?,
            case(
                "**ours, session in the handler, uncached**",
                &["axum", "miss"],
            )?,
            case("jsonwebtoken in an extractor", &["axum", "jsonwebtoken"])?,
            case(
                "tower-sessions, MemoryStore, not touched",
                &["axum", "tower-untouched"],
            )?,
            case("tower-sessions, MemoryStore, read", &["axum", "tower-read"])?,
            sqlx(
                "tower-sessions, SQLite, read",
                &["in-process", "tower-read"],
            )?,
            sqlx(
                "tower-sessions, SQLite, written",
                &["in-process", "tower-write"],
            )?,
            case("axum_session, in memory, read", &["axum", "axum_session"])?,
            case(
                "axum-login, in memory, user loaded",
                &["axum", "axum-login"],
            )?,
        ],
        context.rounds(),
    )?;
    print(&race, "Added to a request, axum 0.8", AXUM);
    let added = |race: &Race, case: &str, bare: &str| {
        race.added(case, bare, Turn::cpu_nanos_each).median / 1_000.0
    };
    facts.note("axum.added", added(&race, AXUM_HIT, AXUM));

    let older = "axum 0.7, bare";
    let race = Race::run(
        vec![
            case(older, &["axum07", "bare"])?,
            case("jwt-authorizer", &["axum07", "jwt-authorizer"])?,
        ],
        context.rounds(),
    )?;
    print(
        &race,
        "Added to a request, axum 0.7, which jwt-authorizer is for",
        older,
    );

    let redis = RedisServer::start(&[]);
    let mut racers: Vec<Racer> = vec![
        case(ACTIX, &["actix", "bare"])?,
        case(
            "**ours, middleware, no session asked for**",
            &["actix", "untouched"],
        )?,
        case(ACTIX_HIT, &["actix", "hit"])?,
        case("**the same, token in a cookie**", &["actix", "hit-cookie"])?,
        case(
            "**ours, session in the handler, uncached**",
            &["actix", "miss"],
        )?,
        case("jsonwebtoken in an extractor", &["actix", "jsonwebtoken"])?,
        case(
            "actix-session, cookie, not touched",
            &["actix", "cookie-untouched"],
        )?,
        case("actix-session, cookie, read", &["actix", "cookie-read"])?,
    ];
    if let Some(redis) = &redis {
        let url = redis.url();
        racers.push(case(
            "actix-session, Redis, read",
            &["actix", "redis-read", &url],
        )?);
    }
    let race = Race::run(racers, context.rounds())?;
    print(&race, "Added to a request, actix-web 4", ACTIX);
    facts.note("actix.added", added(&race, ACTIX_HIT, ACTIX));
    Ok(())
}

fn print(race: &Race, heading: &str, bare: &str) {
    let columns = [
        "case",
        "CPU ns",
        "added",
        "p10..p90",
        "allocations added",
        "elapsed ns",
    ];
    let mut table = Table::new(heading, &columns);
    for name in race.names() {
        let added = race.added(name, bare, Turn::cpu_nanos_each);
        let allocations = race.added(name, bare, Turn::allocations_each).median;
        let differs = name != bare;
        let or_not = |text: String| if differs { text } else { "-".to_owned() };
        table.row([
            name.to_owned(),
            nanos(race.spread(name, Turn::cpu_nanos_each).median),
            or_not(nanos(added.median)),
            or_not(format!("{}..{}", nanos(added.p10), nanos(added.p90))),
            or_not(count(allocations)),
            nanos(race.spread(name, Turn::nanos_each).median),
        ]);
    }
    table.note(
        "Processor time of the process, which other programs on the machine do not stretch; where a case waits for a \
         thread, a disk or a server, the time that elapsed says more.",
    );
    println!("{table}");
}

/// Runs one case.
pub(crate) fn case(framework: &str, arguments: &[&str]) -> anyhow::Result<()> {
    match (framework, arguments) {
        ("axum", [case]) => axum::case(case),
        ("axum07", [case]) => peers::axum07(case),
        ("actix", [case, redis @ ..]) => actix::case(case, redis.first().copied()),
        _ => anyhow::bail!("there is no case {framework} {arguments:?}"),
    }
}
