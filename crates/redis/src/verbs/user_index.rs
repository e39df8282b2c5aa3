//! The index of a user's sessions. The index only lists candidates: a session exists if and only if
//! its session key exists.

use std::collections::HashMap;

use futures_util::future::join_all;
use redis::cmd;
use supersession::{AppId, UnixMillis, UserId};

use crate::context::Context;
use crate::fault::Fault;
use crate::keys::Entry;
use crate::record::millis;
use crate::reply;

pub(crate) async fn add(
    store: &Context,
    app: &AppId,
    user: &UserId,
    created_at: UnixMillis,
    entry: &str,
) -> Result<(), Fault> {
    let mut add = cmd("ZADD");
    add.arg(store.keys.user(app, user))
        .arg(millis(created_at))
        .arg(entry);
    store.link.send(&add).await?;
    Ok(())
}

/// Returns the entries of a user, including those of sessions that have ended.
pub(crate) async fn entries(
    store: &Context,
    app: &AppId,
    user: &UserId,
) -> Result<Vec<(String, Entry)>, Fault> {
    let mut read = cmd("ZRANGE");
    read.arg(store.keys.user(app, user)).arg(0).arg(-1);
    let texts = reply::texts(store.link.send(&read).await?, "an index entry")?;
    texts
        .into_iter()
        .map(|text| Entry::parse(&text).map(|entry| (text, entry)))
        .collect()
}

/// Removes the entries of ended sessions from the indexes of their users. A remaining entry is
/// harmless, because the next reader removes it, so a failure here does not change the result of
/// the caller.
pub(crate) async fn tidy(store: &Context, ended: &[String]) {
    let mut of_user: HashMap<String, Vec<&String>> = HashMap::new();
    for text in ended {
        if let Ok(entry) = Entry::parse(text) {
            let index = store.keys.user(&entry.key.app, &entry.user);
            of_user.entry(index).or_default().push(text);
        }
    }
    let removals = of_user.iter().map(|(index, entries)| async move {
        let mut remove = cmd("ZREM");
        remove.arg(index).arg(entries);
        if let Err(fault) = store.link.send(&remove).await {
            tracing::debug!(
                error = &fault as &dyn std::error::Error,
                "entries of ended sessions stay in an index until it is read"
            );
        }
    });
    join_all(removals).await;
}
