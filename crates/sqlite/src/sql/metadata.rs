//! Statements on user metadata.

use rusqlite::{Connection, params};
use supersession::store::WriteOutcome;
use supersession::{AppId, JsonObject, TenantId, UserId};

use super::folding::Folding;
use super::row::document;
use super::scope::registering;
use crate::change::Change;
use crate::fault::Fault;

const FIND: &str = "SELECT user_metadata FROM user_metadata WHERE app_id = ?1 AND user_id = ?2";

const SET: &str = "INSERT INTO user_metadata (app_id, user_id, user_metadata) VALUES (?1, ?2, ?3)
    ON CONFLICT (app_id, user_id) DO UPDATE SET user_metadata = excluded.user_metadata";

const DELETE: &str = "DELETE FROM user_metadata WHERE app_id = ?1 AND user_id = ?2";

pub(crate) fn find(
    connection: &Connection,
    app: &AppId,
    user: &UserId,
) -> Result<Option<JsonObject>, Fault> {
    let mut statement = connection.prepare_cached(FIND)?;
    let mut rows = statement.query(params![app.as_str(), user.as_str()])?;
    rows.next()?.map(|row| document(row, 0)).transpose()
}

/// Applies changes of one user's metadata in order and returns the result of each.
pub(super) fn write(
    connection: &Connection,
    app: &AppId,
    user: &UserId,
    changes: &[Change],
) -> Result<Vec<WriteOutcome>, Fault> {
    let mut folding = Folding::of(find(connection, app, user)?);
    let outcomes = changes.iter().map(|change| folding.write(&change.write));
    let outcomes = outcomes.collect();
    if let Some(document) = folding.changed() {
        registering(connection, app, &TenantId::default(), None, || {
            let row = params![app.as_str(), user.as_str(), document];
            connection.prepare_cached(SET)?.execute(row)
        })?;
    }
    Ok(outcomes)
}

pub(crate) fn delete(connection: &Connection, app: &AppId, user: &UserId) -> Result<bool, Fault> {
    let row = params![app.as_str(), user.as_str()];
    Ok(connection.prepare_cached(DELETE)?.execute(row)? == 1)
}
