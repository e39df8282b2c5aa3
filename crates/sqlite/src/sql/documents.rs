//! Statements on documents. Several changes of one row need no more statements than one change.

use rusqlite::{Connection, params};
use supersession::store::{SessionDocument, SessionKey, WriteOutcome};

use super::folding::Folding;
use super::metadata;
use super::row::{document, instant};
use crate::change::{Change, Document};
use crate::fault::Fault;

/// A document that is not requested is NULL. Each change decides with its own timestamp if the
/// session is live.
pub(super) const FIND: &str = "SELECT rowid, expires_at,
    CASE WHEN ?4 THEN session_data END AS session_data,
    CASE WHEN ?5 THEN jwt_user_payload END AS jwt_user_payload
    FROM session_info WHERE app_id = ?1 AND tenant_id = ?2 AND session_handle = ?3";

const SET_DATA: &str = "UPDATE session_info SET session_data = ?2 WHERE rowid = ?1";
const SET_PAYLOAD: &str = "UPDATE session_info SET jwt_user_payload = ?2 WHERE rowid = ?1";
const SET_BOTH: &str =
    "UPDATE session_info SET session_data = ?2, jwt_user_payload = ?3 WHERE rowid = ?1";

/// Applies changes of one row in order and returns the result of each.
pub(crate) fn write(
    connection: &Connection,
    changes: &[Change],
) -> Result<Vec<WriteOutcome>, Fault> {
    match changes.first().map(|change| &change.document) {
        None => Ok(Vec::new()),
        Some(Document::OfSession(_, key)) => write_session(connection, key, changes),
        Some(Document::Metadata(app, user)) => metadata::write(connection, app, user, changes),
    }
}

fn write_session(
    connection: &Connection,
    key: &SessionKey,
    changes: &[Change],
) -> Result<Vec<WriteOutcome>, Fault> {
    let (mut data, mut payload) = (None, None);
    let mut outcomes = Vec::with_capacity(changes.len());
    let row_id: i64 = {
        let mut find = connection.prepare_cached(FIND)?;
        let mut rows = find.query(params![
            key.app.as_str(),
            key.tenant.as_str(),
            key.handle.as_str(),
            changes.iter().any(is_of_data),
            !changes.iter().all(is_of_data),
        ])?;
        let Some(row) = rows.next()? else {
            return Ok(vec![WriteOutcome::Gone; changes.len()]);
        };
        let expires_at = instant(row, 1)?;
        for change in changes {
            if change.now >= expires_at {
                outcomes.push(WriteOutcome::Gone);
                continue;
            }
            let (folding, column) = if is_of_data(change) {
                (&mut data, 2)
            } else {
                (&mut payload, 3)
            };
            let folding = match folding {
                Some(folding) => folding,
                None => folding.insert(Folding::of(Some(document(row, column)?))),
            };
            outcomes.push(folding.write(&change.write));
        }
        row.get(0)?
    };
    let data = data.as_ref().and_then(Folding::changed);
    let payload = payload.as_ref().and_then(Folding::changed);
    let set = |sql| connection.prepare_cached(sql);
    match (data, payload) {
        (None, None) => 0,
        (Some(data), None) => set(SET_DATA)?.execute(params![row_id, data])?,
        (None, Some(payload)) => set(SET_PAYLOAD)?.execute(params![row_id, payload])?,
        (Some(data), Some(payload)) => set(SET_BOTH)?.execute(params![row_id, data, payload])?,
    };
    Ok(outcomes)
}

fn is_of_data(change: &Change) -> bool {
    matches!(
        change.document,
        Document::OfSession(SessionDocument::SessionData, _)
    )
}
