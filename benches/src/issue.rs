//! Making tokens: processor time beside the signature, which is most of it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use bench_harness::{Race, Table, Turn, Worker, micros, ratio, take_turns};
use serde_json::Value;
use std::time::Duration;
use supersession::AntiCsrfInput;
use supersession::store::MemoryStore;

use crate::context::Context;
use crate::facts::Facts;
use crate::ours::{CACHE, Ours};

const SIGNATURE: &str = "aws-lc-rs RSA-2048 signature alone";
const CREATE: &str = "**ours, create a session**";
const REFRESH: &str = "**ours, refresh it**";

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
        case(REFRESH, "refresh")?,
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

/// One case.
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
    let create = || async {
        let creating = ours.sessions.create("alice").data(data.clone());
        creating.await.expect("in memory")
    };
    match case {
        "create" => take_turns(|operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    std::hint::black_box(create().await);
                }
            });
        }),
        "refresh" => {
            let mut session = runtime.block_on(create());
            take_turns(|operations| {
                runtime.block_on(async {
                    for _ in 0..operations {
                        let tokens = session.all_session_tokens_dangerously();
                        let token = tokens.refresh_token.expect("it has one");
                        let refreshing = ours
                            .sessions
                            .refresh_session(&token, AntiCsrfInput::Disabled);
                        session = refreshing.await.expect("the token is right");
                    }
                });
            })
        }
        _ => anyhow::bail!("there is no case {case}"),
    }
}
