//! User metadata.

use redis::{Value, cmd};
use supersession::store::{DocumentWrite, WriteOutcome};
use supersession::{AppId, JsonObject, UserId};

use super::documents::TRIES;
use crate::context::Context;
use crate::fault::Fault;
use crate::record::document;
use crate::reply;

const WHAT: &str = "user metadata";

pub(crate) async fn find(
    store: &Context,
    app: &AppId,
    user: &UserId,
) -> Result<Option<JsonObject>, Fault> {
    read(store, &store.keys.metadata(app, user)).await
}

pub(crate) async fn write(
    store: &Context,
    app: &AppId,
    user: &UserId,
    write: &DocumentWrite,
) -> Result<WriteOutcome, Fault> {
    let name = store.keys.metadata(app, user);
    match write {
        DocumentWrite::Overwrite(document) => {
            let mut set = cmd("SET");
            set.arg(&name).arg(document.as_str());
            store.link.send(&set).await?;
            Ok(WriteOutcome::Written(document.clone()))
        }
        DocumentWrite::CompareAndSwap {
            expected,
            replacement,
        } => swap(store, &name, expected, replacement).await,
        DocumentWrite::Merge(_) | DocumentWrite::MergeWithin { .. } => {
            let _turn = store.merge_turn(&name).await;
            let mut stored = read(store, &name).await?.unwrap_or_default();
            for tried in 1..=TRIES {
                let Ok(merged) = write.apply_to(&stored) else {
                    return Ok(WriteOutcome::Conflict(stored));
                };
                match swap(store, &name, &stored, &merged).await? {
                    WriteOutcome::Conflict(found) => stored = found,
                    outcome => return Ok(outcome),
                }
                store.back_off(tried).await;
            }
            Err(Fault::Contended(TRIES))
        }
    }
}

pub(crate) async fn delete(store: &Context, app: &AppId, user: &UserId) -> Result<bool, Fault> {
    let mut delete = cmd("DEL");
    delete.arg(store.keys.metadata(app, user));
    let deleted = store.link.send(&delete).await?;
    Ok(reply::number(&deleted, "the answer to a delete")? > 0)
}

async fn read(store: &Context, name: &str) -> Result<Option<JsonObject>, Fault> {
    let mut read = cmd("GET");
    read.arg(name);
    reply::optional_text(store.link.send(&read).await?, WHAT)?
        .map(|text| document(&text, WHAT))
        .transpose()
}

async fn swap(
    store: &Context,
    name: &str,
    expected: &JsonObject,
    replacement: &JsonObject,
) -> Result<WriteOutcome, Fault> {
    let arguments = [replacement.as_str(), expected.as_str()];
    match store
        .link
        .call(&store.scripts.swap_metadata, &[name], &arguments)
        .await?
    {
        Value::Int(_) => Ok(WriteOutcome::Written(replacement.clone())),
        found => Ok(WriteOutcome::Conflict(document(
            &reply::text(found, WHAT)?,
            WHAT,
        )?)),
    }
}
