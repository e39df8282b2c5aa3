//! Devices and the last use of sessions.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use supersession::UnixMillis;
use supersession::store::{SessionKey, SessionUse};

use crate::context::Context;
use crate::fault::Fault;
use crate::record::millis;
use crate::reply;

pub(crate) async fn record_uses(
    store: &Context,
    uses: &[SessionUse],
    now: UnixMillis,
) -> Result<(), Fault> {
    if store.link.shares_slots() {
        for uses in uses.chunks(MOST) {
            note(store, uses, now).await?;
        }
        return Ok(());
    }
    // Each session has its own script. The uses of one session stay together and in order.
    let mut of_session: HashMap<&SessionKey, Vec<SessionUse>> = HashMap::new();
    for used in uses {
        of_session.entry(&used.key).or_default().push(used.clone());
    }
    try_join_all(of_session.values().map(|uses| note(store, uses, now))).await?;
    Ok(())
}

async fn note(store: &Context, uses: &[SessionUse], now: UnixMillis) -> Result<(), Fault> {
    let mut names = Vec::with_capacity(uses.len());
    let mut arguments = vec![millis(now).to_string()];
    for used in uses {
        names.push(store.keys.session(&used.key).session);
        arguments.extend([
            millis(used.at).to_string(),
            marked(used.user_agent.as_deref()),
            marked(used.ip.map(|ip| ip.to_string()).as_deref()),
        ]);
    }
    store
        .link
        .call(&store.scripts.record_use, &names, &arguments)
        .await?;
    Ok(())
}

/// Maximum number of uses per script.
const MOST: usize = 1_000;

pub(crate) async fn set_label(
    store: &Context,
    key: &SessionKey,
    label: Option<&str>,
    now: UnixMillis,
) -> Result<bool, Fault> {
    let mut arguments = vec![millis(now).to_string()];
    arguments.extend(label.map(str::to_owned));
    let name = store.keys.session(key).session;
    let answer = store
        .link
        .call(&store.scripts.label, &[name], &arguments)
        .await?;
    Ok(reply::number(&answer, "the answer to a label")? == 1)
}

/// Encodes an optional value so that an absent value differs from an empty one.
fn marked(value: Option<&str>) -> String {
    value.map(|value| format!("={value}")).unwrap_or_default()
}
