//! Operations on single sessions.

use futures_util::future::join_all;
use redis::{Value, cmd};
use supersession::store::{
    InsertOutcome, Lineage, RotateOutcome, Rotation, SessionKey, SessionRecord, SessionStatus,
};
use supersession::{JsonObject, UnixMillis};

use super::user_index;
use crate::context::Context;
use crate::fault::Fault;
use crate::keys::Entry;
use crate::record::{
    FIELDS, Head, STANDING, Values, fields, head, millis, record, standing, static_flag,
    time_to_live,
};
use crate::reply;

pub(crate) async fn insert(
    store: &Context,
    session: &SessionRecord,
) -> Result<InsertOutcome, Fault> {
    let entry = Entry::text(&session.key, &session.user_id, &store.marks.next());
    let keys = store.keys.session(&session.key);
    let index = store.keys.user(&session.key.app, &session.user_id);
    let mut arguments = vec![
        entry.clone(),
        millis(session.expires_at).to_string(),
        millis(session.created_at).to_string(),
        time_to_live(session.expires_at, session.created_at, store.expiry_margin).to_string(),
    ];
    for (field, value) in fields(session) {
        arguments.extend([field.to_owned(), value]);
    }
    let mut names = vec![keys.session, keys.expiry];
    if store.link.shares_slots() {
        names.push(index);
    }
    let answer = store
        .link
        .call(&store.scripts.insert, &names, &arguments)
        .await?;
    if reply::number(&answer, "the answer to an insert")? == 0 {
        return Ok(InsertOutcome::HandleTaken);
    }
    if !store.link.shares_slots() {
        // The session is written before its index entry. An index entry without a session therefore
        // always belongs to a session that has ended. A session without an entry is harmless in
        // between: this call has not returned, so no client has the session's tokens yet.
        user_index::add(
            store,
            &session.key.app,
            &session.user_id,
            session.created_at,
            &entry,
        )
        .await?;
    }
    Ok(InsertOutcome::Inserted)
}

pub(crate) async fn find(
    store: &Context,
    key: &SessionKey,
    now: UnixMillis,
) -> Result<Option<SessionRecord>, Fault> {
    let live = find_live(store, key, &FIELDS, now).await?;
    live.map(|(head, mut values)| record(key.clone(), &head, &mut values))
        .transpose()
}

pub(crate) async fn find_status(
    store: &Context,
    key: &SessionKey,
    now: UnixMillis,
) -> Result<Option<SessionStatus>, Fault> {
    let live = find_live(store, key, &STANDING, now).await?;
    live.map(|(head, mut values)| standing(&head, &mut values))
        .transpose()
}

/// Returns the head of a live session and the values of the remaining fields.
async fn find_live(
    store: &Context,
    key: &SessionKey,
    fields: &[&str],
    now: UnixMillis,
) -> Result<Option<(Head, Values)>, Fault> {
    let mut read = cmd("HMGET");
    read.arg(store.keys.session(key).session).arg(fields);
    let answer = store.link.send(&read).await?;
    let mut values = Values::new(reply::optional_texts(answer, "a session")?);
    let head = head(&mut values)?;
    Ok(head
        .filter(|head| now < head.expires_at)
        .map(|head| (head, values)))
}

pub(crate) async fn rotate(
    store: &Context,
    key: &SessionKey,
    expected: &Lineage,
    expected_payload: &JsonObject,
    next: &Rotation,
    now: UnixMillis,
) -> Result<RotateOutcome, Fault> {
    let keys = store.keys.session(key);
    let [current, previous, rotated_at] = lineage(expected);
    let [next_current, next_previous, next_rotated_at] = lineage(&next.lineage);
    let arguments = [
        millis(now).to_string(),
        current,
        previous,
        rotated_at,
        expected_payload.as_str().to_owned(),
        next_current,
        next_previous,
        next_rotated_at,
        millis(next.expires_at).to_string(),
        static_flag(next.key_kind).to_string(),
        time_to_live(next.expires_at, now, store.expiry_margin).to_string(),
    ];
    let names = [keys.session, keys.expiry];
    match store
        .link
        .call(&store.scripts.rotate, &names, &arguments)
        .await?
    {
        Value::Int(0) => Ok(RotateOutcome::Gone),
        Value::Int(1) => Ok(RotateOutcome::Changed),
        _ => Ok(RotateOutcome::Rotated),
    }
}

pub(crate) async fn delete(store: &Context, keys: &[SessionKey]) -> Result<Vec<SessionKey>, Fault> {
    let size = store.link.sessions_per_script(2);
    let scripts = keys.chunks(size).map(|keys| async move {
        let mut names = Vec::with_capacity(keys.len() * 2);
        for key in keys {
            let keys = store.keys.session(key);
            names.extend([keys.session, keys.expiry]);
        }
        let mut arguments = vec![store.keys.revocation_channel(), String::new()];
        arguments.resize(keys.len() + 2, String::new());
        let answer = store
            .link
            .call_confirmed(&store.scripts.delete, &names, &arguments)
            .await?;
        let entries = reply::optional_texts(answer, "the answer to a delete")?;
        Ok::<_, Fault>(keys.iter().zip(entries))
    });
    let mut deleted = Vec::new();
    let mut entries = Vec::new();
    // An unreachable server does not prevent the deletions on the other servers.
    let answers = join_all(scripts).await;
    for (key, entry) in answers.iter().flatten().cloned().flatten() {
        if let Some(entry) = entry {
            deleted.push(key.clone());
            entries.push(entry);
        }
    }
    user_index::tidy(store, &entries).await;
    answers
        .into_iter()
        .find_map(Result::err)
        .map_or(Ok(deleted), Err)
}

/// Encodes the current hash, the previous hash and the time of rotation. Absent values are empty.
fn lineage(lineage: &Lineage) -> [String; 3] {
    let current = lineage.current.as_str().to_owned();
    match &lineage.previous {
        None => [current, String::new(), String::new()],
        Some(previous) => [
            current,
            previous.hash.as_str().to_owned(),
            millis(previous.rotated_at).to_string(),
        ],
    }
}
