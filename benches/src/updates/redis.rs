//! The peer on Redis: a session as a single value that is replaced on every write, as session
//! middlewares do.

use std::sync::Arc;

use bench_harness::{SESSION_DATA, keep_busy, take_timed_turns};
use redis::AsyncCommands as _;
use tokio::runtime::Runtime;

pub(super) fn case(runtime: &Runtime, url: &str, tasks: u64, sessions: u64) -> anyhow::Result<()> {
    let client = redis::Client::open(url)?;
    let mut connection = runtime.block_on(client.get_multiplexed_async_connection())?;
    let name = |session: u64| format!("peer:{session:08x}");
    runtime.block_on(async {
        for session in 0..sessions {
            let () = connection.set(name(session), SESSION_DATA).await?;
        }
        redis::RedisResult::Ok(())
    })?;
    let operate = Arc::new(move |session, number: u64| {
        let mut connection = connection.clone();
        async move {
            // The data with a number in it. Its size is the same as in the cases of Supersession.
            let (body, _) = SESSION_DATA.split_at(SESSION_DATA.len() - 1);
            let value = format!("{body},\"seen\":{number}}}");
            let set: redis::RedisResult<()> = connection.set(name(session), value).await;
            set.expect("no trouble");
        }
    });
    take_timed_turns(|span| keep_busy(runtime, tasks, span, sessions, &operate))
}
