//! Statements on the documents of a session.
//!
//! A merge is read, computed in this process, and stored with a compare-and-swap, because
//! PostgreSQL cannot merge text and keep the order and spelling of its members. No lock is held
//! during the computation. A node that stalls or crashes in the middle therefore blocks no other
//! operation, in particular no revocation.

use supersession::store::{DocumentWrite, SessionDocument, SessionKey, WriteOutcome};
use supersession::{JsonObject, UnixMillis};

use super::can_be_stored;
use super::db::Db;
use super::row::{column, document};
use crate::fault::Fault;
use crate::names::Names;

/// The statements on one of the two documents.
pub(crate) struct DocumentStatements {
    pub(super) find: String,
    pub(super) overwrite: String,
    pub(super) swap: String,
}

const FIND: &str = "SELECT {column} FROM @session_info
    WHERE app_id = $1 AND tenant_id = $2 AND session_handle = $3 AND expires_at > $4";

const OVERWRITE: &str = "UPDATE @session_info SET {column} = $5
    WHERE app_id = $1 AND tenant_id = $2 AND session_handle = $3 AND expires_at > $4";

/// Returns no row if the session is gone, or else the document as of the start of the statement,
/// and whether it was replaced.
///
/// `UPDATE` waits for a concurrent change of the row and then rechecks the changed row. If the
/// document differs, nothing is written, but the result still shows the old document. A concurrent
/// writer was faster in that case, and the statement must be repeated. The condition is part of the
/// `UPDATE`, so that callers that lose the race write nothing.
const SWAP: &str = "WITH swapped AS (
        UPDATE @session_info SET {column} = $5
        WHERE app_id = $1 AND tenant_id = $2 AND session_handle = $3 AND expires_at > $4
            AND btrim(coalesce({column}, '{}'), E' \\t\\n\\r') = $6
        RETURNING 1)
    SELECT {column}, EXISTS (SELECT FROM swapped) FROM @session_info
    WHERE app_id = $1 AND tenant_id = $2 AND session_handle = $3 AND expires_at > $4";

impl DocumentStatements {
    pub(super) fn new(names: &Names, which: SessionDocument) -> Self {
        let column = match which {
            SessionDocument::SessionData => "session_data",
            SessionDocument::Payload => "jwt_user_payload",
        };
        let statement = |template: &str| names.statement(&template.replace("{column}", column));
        Self {
            find: statement(FIND),
            overwrite: statement(OVERWRITE),
            swap: statement(SWAP),
        }
    }
}

pub(crate) async fn write(
    db: Db,
    key: SessionKey,
    which: SessionDocument,
    write: DocumentWrite,
    now: UnixMillis,
) -> Result<WriteOutcome, Fault> {
    if !can_be_stored(&key.handle) {
        return Ok(WriteOutcome::Gone);
    }
    let sql = match which {
        SessionDocument::SessionData => &db.sql.session_data,
        SessionDocument::Payload => &db.sql.payload,
    };
    let place = Place {
        db: &db,
        sql,
        key: &key,
        now,
    };
    match &write {
        DocumentWrite::Overwrite(document) => place.overwrite(document).await,
        DocumentWrite::Merge(_) | DocumentWrite::MergeWithin { .. } => match place.find().await? {
            None => Ok(WriteOutcome::Gone),
            Some(stored) => match write.apply_to(&stored) {
                Ok(merged) => place.swap_until_decided(&write, stored, merged).await,
                Err(_) => Ok(WriteOutcome::Conflict(stored)),
            },
        },
        DocumentWrite::CompareAndSwap {
            expected,
            replacement,
        } => {
            let (expected, replacement) = (expected.clone(), replacement.clone());
            place
                .swap_until_decided(&write, expected, replacement)
                .await
        }
    }
}

/// One document of one session.
struct Place<'a> {
    db: &'a Db,
    sql: &'a DocumentStatements,
    key: &'a SessionKey,
    now: UnixMillis,
}

impl Place<'_> {
    async fn find(&self) -> Result<Option<JsonObject>, Fault> {
        let row = self
            .db
            .row(
                &self.sql.find,
                &[
                    &self.key.app.as_str(),
                    &self.key.tenant.as_str(),
                    &self.key.handle.as_str(),
                    &self.now.as_i64(),
                ],
            )
            .await?;
        row.map(|row| document(&row, 0)).transpose()
    }

    async fn overwrite(&self, document: &JsonObject) -> Result<WriteOutcome, Fault> {
        let written = self
            .db
            .execute(
                &self.sql.overwrite,
                &[
                    &self.key.app.as_str(),
                    &self.key.tenant.as_str(),
                    &self.key.handle.as_str(),
                    &self.now.as_i64(),
                    &document.as_str(),
                ],
            )
            .await?;
        Ok(if written == 1 {
            WriteOutcome::Written(document.clone())
        } else {
            WriteOutcome::Gone
        })
    }

    /// Repeats the swap until it is decided. A round that decides nothing was won by a concurrent
    /// writer, so one of the writers always makes progress. The time limit of the operation bounds
    /// the number of rounds.
    async fn swap_until_decided(
        &self,
        write: &DocumentWrite,
        mut expected: JsonObject,
        mut replacement: JsonObject,
    ) -> Result<WriteOutcome, Fault> {
        loop {
            let row = self
                .db
                .row(
                    &self.sql.swap,
                    &[
                        &self.key.app.as_str(),
                        &self.key.tenant.as_str(),
                        &self.key.handle.as_str(),
                        &self.now.as_i64(),
                        &replacement.as_str(),
                        &expected.as_str(),
                    ],
                )
                .await?;
            let Some(row) = row else {
                return Ok(WriteOutcome::Gone);
            };
            if column(&row, 1)? {
                return Ok(WriteOutcome::Written(replacement));
            }
            let stored = document(&row, 0)?;
            match write.apply_to(&stored) {
                Ok(document) => (expected, replacement) = (stored, document),
                Err(_) => return Ok(WriteOutcome::Conflict(stored)),
            }
        }
    }
}
