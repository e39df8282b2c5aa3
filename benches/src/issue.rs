//! Issuing of tokens: the CPU time compared with that of the signature, which is most of it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use bench_harness::{Race, Table, Turn, Worker, micros, ratio, take_turns};
use serde_json::Value;
use std::time::Duration;
use supersession::store::MemoryStore;
use supersession::{AntiCsrfInput, Session, Sessions};
use tokio::task::JoinSet;

use crate::context::Context;
use crate::facts::Facts;
use crate::ours::{CACHE, Ours};

const SIGNATURE: &str = "aws-lc-rs RSA-2048 signature alone";
const CREATE: &str = "**ours, create a session**";
const REFRESH: &str = "**ours, refresh it**";
const CREATE_AT_ONCE: &str = "**ours, create, 16 at once**";
const REFRESH_AT_ONCE: &str = "**ours, refresh, 16 at once**";
const AT_ONCE: u64 = 16;

/// Prints the table.
pub(crate) fn run(context: &Context, facts: &mut Facts) -> anyhow::Result<()> {
    let turn = Duration::from_millis(context.pick(200, 20));
    let case = |name: &str, case: &str| {
        let command = context.command("issue", &[case]);
        anyhow::Ok(bench_harness::Racer::worker(
            name,
            Worker::start_for(name, command, turn)?,
        ))
    };
    let racers = vec![
        case(SIGNATURE, "signature")?,
        case(CREATE, "create")?,
        case(CREATE_AT_ONCE, "create-at-once")?,
        case(REFRESH, "refresh")?,
        case(REFRESH_AT_ONCE, "refresh-at-once")?,
    ];
    let race = Race::run(racers, context.pick(31, 5))?;
    let columns = ["case", "CPU us", "against the signature", "elapsed us"];
    let mut table = Table::new("Making tokens, store in memory", &columns);
    for name in race.names() {
        table.row([
            name.to_owned(),
            micros(race.spread(name, Turn::cpu_nanos_each).median),
            ratio(race.ratio(name, SIGNATURE, Turn::cpu_nanos_each)),
            micros(race.spread(name, Turn::nanos_each).median),
        ]);
    }
    println!("{table}");
    let against = |case| race.ratio(case, SIGNATURE, Turn::cpu_nanos_each).median;
    facts.note("issue.create", against(CREATE));
    facts.note("issue.refresh", against(REFRESH));
    Ok(())
}

/// Runs one case.
pub(crate) fn case(case: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    if case == "signature" {
        let (pair, random) = (KeyPair::generate(KeySize::Rsa2048)?, SystemRandom::new());
        let (mut signature, signed) = (vec![0; pair.public_modulus_len()], [b'x'; 870]);
        return take_turns(|operations| {
            for _ in 0..operations {
                pair.sign(&RSA_PKCS1_SHA256, &random, &signed, &mut signature)
                    .expect("a signature");
            }
        });
    }
    let ours = runtime.block_on(Ours::open(MemoryStore::new(), CACHE))?;
    let data: Value = serde_json::from_str(bench_harness::SESSION_DATA)?;
    let (creates, tasks) = match case {
        "create" => (true, 1),
        "create-at-once" => (true, AT_ONCE),
        "refresh" => (false, 1),
        "refresh-at-once" => (false, AT_ONCE),
        _ => anyhow::bail!("there is no case {case}"),
    };
    let mut all = (0..tasks)
        .map(|_| runtime.block_on(create(&ours.sessions, &data)))
        .collect::<Vec<_>>();
    take_turns(|operations| {
        let mut at_once = JoinSet::new();
        for (number, mut session) in (0..tasks).zip(all.drain(..)) {
            let own = operations / tasks + u64::from(number < operations % tasks);
            let (sessions, data) = (ours.sessions.clone(), data.clone());
            let work = async move {
                for _ in 0..own {
                    session = if creates {
                        create(&sessions, &data).await
                    } else {
                        refresh(&sessions, &session).await
                    };
                }
                session
            };
            at_once.spawn_on(work, runtime.handle());
        }
        all = runtime.block_on(at_once.join_all());
    })
}

async fn create(sessions: &Sessions, data: &Value) -> Session {
    let creating = sessions.create("alice").data(data.clone());
    creating.await.expect("in memory")
}

async fn refresh(sessions: &Sessions, session: &Session) -> Session {
    let tokens = session.all_session_tokens_dangerously();
    let token = tokens.refresh_token.expect("it has one");
    let refreshing = sessions.refresh_session(&token, AntiCsrfInput::Disabled);
    refreshing.await.expect("the token is right")
}
