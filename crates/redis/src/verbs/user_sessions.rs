//! Operations on all sessions of a user.

use futures_util::future::{join_all, try_join_all};
use supersession::store::{SessionRecord, UserSessions};
use supersession::{SessionHandle, TenantId, UnixMillis};

use super::user_index;
use crate::context::Context;
use crate::fault::Fault;
use crate::keys::Entry;
use crate::record::{FIELDS, HEAD, Head, Values, head, millis, record};
use crate::reply;

type Selected = Vec<(String, Entry)>;

pub(crate) async fn records(
    store: &Context,
    selection: &UserSessions,
    now: UnixMillis,
) -> Result<Vec<SessionRecord>, Fault> {
    let mut records = Vec::new();
    for (entry, head, mut values) in live(store, selection, now, &FIELDS).await? {
        records.push(record(entry.key, &head, &mut values)?);
    }
    records.sort_by(|a, b| (a.created_at, &a.key.handle).cmp(&(b.created_at, &b.key.handle)));
    Ok(records)
}

pub(crate) async fn handles(
    store: &Context,
    selection: &UserSessions,
    now: UnixMillis,
) -> Result<Vec<SessionHandle>, Fault> {
    let mut found: Vec<_> = live(store, selection, now, &HEAD)
        .await?
        .into_iter()
        .map(|(entry, head, _)| (head.created_at, entry.key.handle))
        .collect();
    found.sort();
    Ok(found.into_iter().map(|(_, handle)| handle).collect())
}

pub(crate) async fn delete(
    store: &Context,
    selection: &UserSessions,
    now: UnixMillis,
) -> Result<Vec<SessionHandle>, Fault> {
    let selected = selected(store, selection).await?;
    let size = store.link.sessions_per_script(2);
    let scripts = selected.chunks(size).map(|chunk| async move {
        let mut names = Vec::with_capacity(chunk.len() * 2 + 1);
        let mut arguments = vec![store.keys.revocation_channel(), millis(now).to_string()];
        for (text, entry) in chunk {
            let keys = store.keys.session(&entry.key);
            names.extend([keys.session, keys.expiry]);
            arguments.push(text.clone());
        }
        if store.link.shares_slots() {
            names.push(store.keys.user(&selection.app, &selection.user_id));
        }
        let answer = store
            .link
            .call_confirmed(&store.scripts.delete, &names, &arguments)
            .await?;
        let deleted = reply::optional_texts(answer, "the answer to a delete")?;
        Ok::<_, Fault>(chunk.iter().zip(deleted))
    });
    let mut handles = Vec::new();
    let mut ended = Vec::new();
    // An unreachable server does not prevent the deletions on the other servers.
    let answers = join_all(scripts).await;
    for ((_, entry), deleted) in answers.iter().flatten().cloned().flatten() {
        if let Some(deleted) = deleted {
            handles.push(entry.key.handle.clone());
            ended.push(deleted);
        }
    }
    if !store.link.shares_slots() {
        user_index::tidy(store, &ended).await;
    }
    answers
        .into_iter()
        .find_map(Result::err)
        .map_or(Ok(handles), Err)
}

/// Returns the selected entries, including those of sessions that have ended.
async fn selected(store: &Context, selection: &UserSessions) -> Result<Selected, Fault> {
    let mut entries = user_index::entries(store, &selection.app, &selection.user_id).await?;
    entries.retain(|(_, entry)| {
        let in_tenant = |tenant: &TenantId| *tenant == entry.key.tenant;
        let spared = |handle: &SessionHandle| *handle == entry.key.handle;
        selection.tenant.as_ref().is_none_or(in_tenant)
            && !selection.except.as_ref().is_some_and(spared)
    });
    Ok(entries)
}

/// Returns the selected live sessions and the values that were read. Removes the index entries of
/// ended sessions.
async fn live(
    store: &Context,
    selection: &UserSessions,
    now: UnixMillis,
    fields: &[&str],
) -> Result<Vec<(Entry, Head, Values)>, Fault> {
    let selected = selected(store, selection).await?;
    let scripts = selected
        .chunks(store.link.sessions_per_script(1))
        .map(|chunk| async move {
            let names: Vec<_> = chunk
                .iter()
                .map(|(_, entry)| store.keys.session(&entry.key).session)
                .collect();
            let answer = store.link.call(&store.scripts.read, &names, fields).await?;
            reply::list(answer, "sessions")
        });
    let answers = try_join_all(scripts).await?;
    let mut found = Vec::with_capacity(selected.len());
    let mut ended = Vec::new();
    for ((text, entry), answer) in selected.into_iter().zip(answers.into_iter().flatten()) {
        let mut values = Values::new(reply::optional_texts(answer, "a session")?);
        match head(&mut values)? {
            Some(head) if head.entry == text => {
                if now < head.expires_at {
                    found.push((entry, head, values));
                }
            }
            _ => ended.push(text),
        }
    }
    if !ended.is_empty() {
        user_index::tidy(store, &ended).await;
    }
    Ok(found)
}
