//! Deletion of expired sessions.

use futures_util::future::try_join_all;
use redis::cmd;
use supersession::UnixMillis;

use super::user_index;
use crate::context::Context;
use crate::fault::Fault;
use crate::keys::{Entry, LAST_BUCKET};
use crate::record::millis;
use crate::reply;

/// Number of buckets that are read concurrently.
const AT_ONCE: usize = 32;

pub(crate) async fn delete_expired(
    store: &Context,
    now: UnixMillis,
    limit: u32,
) -> Result<u64, Fault> {
    let mut left = u64::from(limit);
    let mut deleted = 0;
    let buckets: Vec<u8> = (0..=LAST_BUCKET).collect();
    for buckets in buckets.chunks(AT_ONCE) {
        if left == 0 {
            break;
        }
        let over =
            try_join_all(buckets.iter().map(|bucket| over(store, *bucket, now, left))).await?;
        for (bucket, mut entries) in buckets.iter().zip(over) {
            entries.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            for entries in entries.chunks(MOST) {
                let cleared = clear(store, *bucket, entries, now).await?;
                deleted += cleared;
                left = left.saturating_sub(cleared);
            }
        }
    }
    Ok(deleted)
}

/// Maximum number of sessions per script. A script blocks the server, so larger ones would delay
/// requests.
const MOST: usize = 500;

/// Returns the expired entries of a bucket, earliest expiry first.
async fn over(
    store: &Context,
    bucket: u8,
    now: UnixMillis,
    limit: u64,
) -> Result<Vec<String>, Fault> {
    let mut read = cmd("ZRANGE");
    read.arg(store.keys.expiry(bucket))
        .arg("-inf")
        .arg(millis(now))
        .arg("BYSCORE")
        .arg("LIMIT")
        .arg(0)
        .arg(limit);
    reply::texts(store.link.send(&read).await?, "an expiry index entry")
}

async fn clear(
    store: &Context,
    bucket: u8,
    entries: &[String],
    now: UnixMillis,
) -> Result<u64, Fault> {
    let mut names = vec![store.keys.expiry(bucket)];
    let mut arguments = vec![millis(now).to_string()];
    for text in entries {
        names.push(store.keys.session(&Entry::parse(text)?.key).session);
        arguments.push(text.clone());
    }
    let answer = store
        .link
        .call(&store.scripts.expire, &names, &arguments)
        .await?;
    let cleared = reply::list(answer, "the answer to clearing up")?;
    let mut ended = Vec::new();
    for (entry, cleared) in entries.iter().zip(cleared) {
        if reply::number(&cleared, "the answer to clearing up")? > 0 {
            ended.push(entry.clone());
        }
    }
    user_index::tidy(store, &ended).await;
    Ok(ended.len() as u64)
}
