//! Concurrent threads on the cache of verified tokens, and on one hot session.

use std::time::Duration;

use bench_harness::{Race, Racer, Table, Turn, Worker, nanos, rate, ratio, take_turns};
use serde_json::json;
use supersession::store::MemoryStore;
use supersession::{AccessToken, VerifyOptions};

use crate::context::Context;
use crate::facts::Facts;
use crate::ours::{CACHE, Ours};
use crate::view::at_once;

const THREADS: [u64; 4] = [1, 2, 4, 8];
const CASES: [(&str, &str); 3] = [
    ("hot", "one hot token, cached"),
    ("many", "10 000 tokens in turn, cached"),
    (
        "session",
        "one hot session, merges of its data, MemoryStore",
    ),
];

/// Prints the table.
pub(crate) fn run(context: &Context, _facts: &mut Facts) -> anyhow::Result<()> {
    let columns = [
        "case",
        "threads",
        "operations/s",
        "against one thread",
        "CPU ns each",
    ];
    let mut table = Table::new("Several threads at once", &columns);
    for (case, title) in CASES {
        let racers = THREADS
            .iter()
            .map(|threads| {
                let command = context.command("contention", &[case, &threads.to_string()]);
                let turn = Duration::from_millis(context.pick(100, 10));
                let worker = Worker::start_for(title, command, turn)?;
                Ok(Racer::worker(threads.to_string(), worker))
            })
            .collect::<anyhow::Result<_>>()?;
        let race = Race::run(racers, context.pick(15, 3))?;
        for threads in race.names() {
            table.row([
                title.to_owned(),
                threads.to_owned(),
                rate(race.spread(threads, Turn::per_second).median),
                ratio(race.ratio(threads, "1", Turn::per_second)),
                nanos(race.spread(threads, Turn::cpu_nanos_each).median),
            ]);
        }
    }
    println!("{table}");
    Ok(())
}

/// Runs one case, whose operations are divided among the threads.
pub(crate) fn case(case: &str, threads: u64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let ours = runtime.block_on(Ours::open(MemoryStore::new(), CACHE))?;
    let count = if case == "many" { 10_000 } else { 1 };
    let tokens = runtime.block_on(ours.tokens(count))?;
    let tokens: Vec<_> = tokens.iter().map(AccessToken::new).collect();
    let session = runtime.block_on(ours.sessions.create("alice").into_future())?;
    let options = VerifyOptions::new();
    let verify = |token: &AccessToken| {
        let verified = at_once(ours.sessions.verify_access_token(token, None, &options));
        let session = verified.expect("the token is right").expect("required");
        std::hint::black_box(session.user_id());
    };
    let merge = |number: u64| {
        let patch = json!({"step": "pay", "seen": number});
        let merging = ours.sessions.merge_session_data(session.handle(), patch);
        let merged = runtime.block_on(merging).expect("in memory");
        assert!(merged.is_some(), "the session is live");
    };
    take_turns(|operations| {
        let each = usize::try_from(operations / threads + 1).expect("64 bits");
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (tokens, verify, merge) = (&tokens, &verify, &merge);
                scope.spawn(move || {
                    if case == "session" {
                        (0..each as u64).for_each(merge);
                    } else {
                        // Each thread begins at a different token.
                        let first = usize::try_from(thread).expect("8 at most") * tokens.len() / 8;
                        let in_turn = tokens.iter().cycle().skip(first);
                        in_turn.take(each).for_each(verify);
                    }
                });
            }
        });
    })
}
