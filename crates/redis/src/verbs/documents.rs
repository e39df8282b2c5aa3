//! Changes of a session's documents.

use redis::{Value, cmd};
use supersession::store::{DocumentWrite, SessionDocument, SessionKey, WriteOutcome};
use supersession::{JsonObject, UnixMillis};

use crate::context::Context;
use crate::fault::Fault;
use crate::record::{EXPIRES_AT, document, document_field, instant, millis};
use crate::reply;

/// Maximum number of attempts of a merge when other processes change the document concurrently. In
/// each failed attempt, one of the other processes has succeeded.
pub(crate) const TRIES: u32 = 256;

pub(crate) async fn write(
    store: &Context,
    key: &SessionKey,
    which: SessionDocument,
    write: &DocumentWrite,
    now: UnixMillis,
) -> Result<WriteOutcome, Fault> {
    let name = store.keys.session(key).session;
    let field = document_field(which);
    match write {
        DocumentWrite::Overwrite(document) => send(store, &name, field, document, None, now).await,
        DocumentWrite::CompareAndSwap {
            expected,
            replacement,
        } => send(store, &name, field, replacement, Some(expected), now).await,
        DocumentWrite::Merge(_) | DocumentWrite::MergeWithin { .. } => {
            // Merges of one document queue within this process, so that they do not race each
            // other.
            let _turn = store.merge_turn(&name).await;
            let Some(mut stored) = read(store, &name, field, now).await? else {
                return Ok(WriteOutcome::Gone);
            };
            for tried in 1..=TRIES {
                let Ok(merged) = write.apply_to(&stored) else {
                    return Ok(WriteOutcome::Conflict(stored));
                };
                match send(store, &name, field, &merged, Some(&stored), now).await? {
                    WriteOutcome::Conflict(found) => stored = found,
                    outcome => return Ok(outcome),
                }
                store.back_off(tried).await;
            }
            Err(Fault::Contended(TRIES))
        }
    }
}

async fn send(
    store: &Context,
    name: &str,
    field: &'static str,
    replacement: &JsonObject,
    expected: Option<&JsonObject>,
    now: UnixMillis,
) -> Result<WriteOutcome, Fault> {
    let now = millis(now).to_string();
    let mut arguments = vec![now.as_str(), field, replacement.as_str()];
    arguments.extend(expected.map(JsonObject::as_str));
    match store
        .link
        .call(&store.scripts.write, &[name], &arguments)
        .await?
    {
        Value::Int(0) => Ok(WriteOutcome::Gone),
        Value::Int(_) => Ok(WriteOutcome::Written(replacement.clone())),
        found => Ok(WriteOutcome::Conflict(document(
            &reply::text(found, field)?,
            field,
        )?)),
    }
}

async fn read(
    store: &Context,
    name: &str,
    field: &'static str,
    now: UnixMillis,
) -> Result<Option<JsonObject>, Fault> {
    let mut read = cmd("HMGET");
    read.arg(name).arg(EXPIRES_AT).arg(field);
    let answer = store.link.send(&read).await?;
    let [expires_at, text] = reply::optional_texts(answer, "a session")?
        .try_into()
        .map_err(|_| Fault::Damaged("a session"))?;
    let Some(expires_at) = expires_at else {
        return Ok(None);
    };
    if now >= instant(&expires_at, EXPIRES_AT)? {
        return Ok(None);
    }
    document(&text.ok_or(Fault::Damaged(field))?, field).map(Some)
}
