//! The verb on the documents of a session.
//!
//! A merge is read, computed here and swapped in: PostgreSQL cannot merge a text and keep the order
//! and the spelling of its members. No lock is held while this program computes, so a node that
//! stalls or dies in the middle holds up nobody, least of all somebody who revokes the session.

use supersession::store::{DocumentWrite, SessionDocument, SessionKey, WriteOutcome};
use supersession::{JsonObject, UnixMillis};

use super::can_be_stored;
use super::row::{column, document};
use crate::fault::Fault;
use crate::names::Names;
use crate::run::Db;

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

/// Answers with no row if the session is gone, else with the document as it was when the statement
/// began, and whether it was swapped.
///
/// `UPDATE` waits for whoever changes the row, and then looks again at the row as it became. If it
/// then finds another document it writes nothing, while the answer still shows the old one: then
/// somebody was faster, and the statement is to be done again. To look first and to lock only what
/// will be written keeps the losers of a race from writing anything.
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
        DocumentWrite::Merge(patch) => match place.find().await? {
            None => Ok(WriteOutcome::Gone),
            Some(stored) => {
                let merged = stored.merged_with(patch);
                place.swap_until_decided(&write, stored, merged).await
            }
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

    /// Each round that decides nothing is one that somebody else has won, so of all who try, one
    /// always gets on; the time limit of the verb bounds the rounds.
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
