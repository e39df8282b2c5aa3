//! Statements that change many documents of one kind.
//!
//! Documents whose first write is a merge are read first, all in one statement. All documents are
//! then written in one statement, each on the condition that it is unchanged. No lock is held
//! between the two statements.

use supersession::store::{DocumentWrite, SessionDocument};
use supersession::{JsonObject, UnixMillis};
use tokio_postgres::Row;

use super::can_be_stored;
use super::db::{Db, Params};
use super::row::{column, document};
use crate::document::{Document, Kind};
use crate::fault::Fault;
use crate::fold::{Folded, Start, fold};
use crate::names::Names;

/// Size in bytes above which a document is written alone. For large documents the commit is not the
/// main cost, and a batch of them would need much memory.
const SMALL: usize = 64 * 1024;

/// The statements on the documents of one kind.
pub(crate) struct BatchStatements {
    pub(super) read: String,
    pub(super) swap: String,
}

/// The result has no row for a document that is missing or large.
///
/// PostgreSQL does not know how many keys there are and could choose another join. `OFFSET 0`
/// forces one index lookup per key.
const READ_OF_SESSIONS: &str = "SELECT w.place, s.{column}
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY
        AS w (app_id, tenant_id, session_handle, now, place)
    CROSS JOIN LATERAL (SELECT {column} FROM @session_info
        WHERE app_id = w.app_id AND tenant_id = w.tenant_id AND session_handle = w.session_handle
            AND expires_at > w.now OFFSET 0) s
    WHERE octet_length(coalesce(s.{column}, '')) <= {small}";

/// Returns the places of the written documents. A missing one is gone, changed, or locked by
/// another transaction.
///
/// All rows are locked in the order of their keys before any is written. Rows that another
/// transaction has locked are skipped, so the statement never waits and cannot deadlock. PostgreSQL
/// rechecks the condition on a row that has changed since the statement began before it locks that
/// row. `UPDATE` then proceeds to the locked version.
const SWAP_OF_SESSIONS: &str = "WITH held AS MATERIALIZED (
        SELECT s.app_id, s.tenant_id, s.session_handle, w.place, w.replacement
        FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[])
            WITH ORDINALITY
            AS w (app_id, tenant_id, session_handle, now, expected, replacement, place)
        JOIN @session_info s ON s.app_id = w.app_id AND s.tenant_id = w.tenant_id
            AND s.session_handle = w.session_handle
        WHERE s.expires_at > w.now AND (w.expected IS NULL
            OR btrim(coalesce(s.{column}, '{}'), E' \\t\\n\\r') = w.expected)
        ORDER BY s.app_id, s.tenant_id, s.session_handle FOR NO KEY UPDATE OF s SKIP LOCKED)
    UPDATE @session_info s SET {column} = h.replacement FROM held h
    WHERE s.app_id = h.app_id AND s.tenant_id = h.tenant_id
        AND s.session_handle = h.session_handle
    RETURNING h.place";

const READ_OF_USERS: &str = "SELECT w.place, m.user_metadata
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (app_id, user_id, place)
    CROSS JOIN LATERAL (SELECT user_metadata FROM @user_metadata
        WHERE app_id = w.app_id AND user_id = w.user_id OFFSET 0) m
    WHERE octet_length(m.user_metadata) <= {small}";

/// Like [`SWAP_OF_SESSIONS`]. Users without metadata are skipped, because new rows are inserted one
/// by one.
const SWAP_OF_USERS: &str = "WITH held AS MATERIALIZED (
        SELECT m.app_id, m.user_id, w.place, w.replacement
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
            AS w (app_id, user_id, expected, replacement, place)
        JOIN @user_metadata m ON m.app_id = w.app_id AND m.user_id = w.user_id
        WHERE w.expected IS NULL OR btrim(m.user_metadata, E' \\t\\n\\r') = w.expected
        ORDER BY m.app_id, m.user_id FOR NO KEY UPDATE OF m SKIP LOCKED)
    UPDATE @user_metadata m SET user_metadata = h.replacement FROM held h
    WHERE m.app_id = h.app_id AND m.user_id = h.user_id
    RETURNING h.place";

impl BatchStatements {
    pub(super) fn new(names: &Names, kind: Kind) -> Self {
        let (read, swap, column) = match kind {
            Kind::OfSession(SessionDocument::SessionData) => {
                (READ_OF_SESSIONS, SWAP_OF_SESSIONS, "session_data")
            }
            Kind::OfSession(SessionDocument::Payload) => {
                (READ_OF_SESSIONS, SWAP_OF_SESSIONS, "jwt_user_payload")
            }
            Kind::Metadata => (READ_OF_USERS, SWAP_OF_USERS, ""),
        };
        let small = SMALL.to_string();
        let statement = |template: &str| {
            let template = template.replace("{column}", column);
            names.statement(&template.replace("{small}", &small))
        };
        Self {
            read: statement(read),
            swap: statement(swap),
        }
    }
}

/// The writes to one document, in order.
pub(crate) struct Group<'a> {
    pub(crate) document: &'a Document,
    pub(crate) writes: Vec<&'a DocumentWrite>,
    /// The latest timestamp of the writes. A session that is live at that time is live for all of
    /// them.
    pub(crate) now: UnixMillis,
}

/// The replacement of one document by another.
struct Swap<'a> {
    /// Index of the group.
    place: usize,
    group: &'a Group<'a>,
    /// The required stored document, or `None` if any is replaced.
    expected: Option<JsonObject>,
    folded: Folded,
}

/// Applies the groups, which all have the given kind, as far as this is possible without waiting.
/// Returns the results in the order of the groups. `None` means that nothing of the group was
/// written.
pub(crate) async fn write(
    db: Db,
    kind: Kind,
    groups: &[Group<'_>],
) -> Result<Vec<Option<Folded>>, Fault> {
    let mut swaps = Vec::new();
    let mut unread = Vec::new();
    for (place, group) in groups.iter().enumerate() {
        let Some(first) = group.writes.first() else {
            continue;
        };
        if !group.is_storable() {
            continue;
        }
        match Start::of(first) {
            Start::Anything => swaps.extend(Swap::of(place, group, None)),
            Start::Exactly(expected) => swaps.extend(Swap::of(place, group, Some(expected))),
            Start::Stored => unread.push((place, group)),
        }
    }
    if !unread.is_empty() {
        let stored = read(&db, kind, &unread).await?;
        swaps.extend(stored.into_iter().filter_map(|(index, stored)| {
            let &(place, group) = unread.get(index)?;
            Swap::of(place, group, Some(stored))
        }));
    }
    let mut decided: Vec<_> = groups.iter().map(|_| None).collect();
    if swaps.is_empty() {
        return Ok(decided);
    }
    let mut written = vec![false; swaps.len()];
    for index in swap(&db, kind, &swaps).await? {
        if let Some(written) = written.get_mut(index) {
            *written = true;
        }
    }
    for (swap, written) in swaps.into_iter().zip(written) {
        if written && let Some(decided) = decided.get_mut(swap.place) {
            *decided = Some(swap.folded);
        }
    }
    Ok(decided)
}

impl Group<'_> {
    /// Returns `true` if PostgreSQL can store the key. A key that it cannot store would make it
    /// reject the whole batch.
    fn is_storable(&self) -> bool {
        match self.document {
            Document::OfSession(_, key) => can_be_stored(&key.handle),
            Document::Metadata(_, user) => can_be_stored(user),
        }
    }
}

impl<'a> Swap<'a> {
    /// Returns `None` for large documents.
    fn of(place: usize, group: &'a Group<'a>, expected: Option<JsonObject>) -> Option<Self> {
        let folded = fold(
            expected.clone().unwrap_or_default(),
            group.writes.iter().copied(),
        );
        let is_small = |document: &JsonObject| document.as_str().len() <= SMALL;
        let all_small = is_small(&folded.document) && expected.as_ref().is_none_or(is_small);
        all_small.then_some(Self {
            place,
            group,
            expected,
            folded,
        })
    }
}

/// The keys of documents, with one array per column. Only sessions have timestamps.
struct Keys<'a> {
    apps: Vec<&'a str>,
    tenants: Vec<&'a str>,
    /// Session handles or user ids.
    names: Vec<&'a str>,
    instants: Vec<i64>,
}

impl<'a> Keys<'a> {
    fn of(groups: impl Iterator<Item = &'a Group<'a>>) -> Self {
        let mut keys = Self {
            apps: Vec::new(),
            tenants: Vec::new(),
            names: Vec::new(),
            instants: Vec::new(),
        };
        for group in groups {
            match group.document {
                Document::OfSession(_, key) => {
                    keys.apps.push(&key.app);
                    keys.tenants.push(&key.tenant);
                    keys.names.push(&key.handle);
                    keys.instants.push(group.now.as_i64());
                }
                Document::Metadata(app, user) => {
                    keys.apps.push(app);
                    keys.names.push(user);
                }
            }
        }
        keys
    }
}

/// Reads the stored documents. Each is returned with its index in `groups`.
async fn read(
    db: &Db,
    kind: Kind,
    groups: &[(usize, &Group<'_>)],
) -> Result<Vec<(usize, JsonObject)>, Fault> {
    let keys = Keys::of(groups.iter().map(|(_, group)| *group));
    let sql = &db.sql.batch(kind).read;
    let params: Params<'_> = match kind {
        Kind::OfSession(_) => &[&keys.apps, &keys.tenants, &keys.names, &keys.instants],
        Kind::Metadata => &[&keys.apps, &keys.names],
    };
    let rows = db.rows(sql, params).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        // A damaged document is left to the writes that follow alone, which report it to their
        // callers.
        if let Ok(stored) = document(row, 1) {
            found.push((index(row)?, stored));
        }
    }
    Ok(found)
}

/// Writes the replacements and returns the indexes of those that took place.
async fn swap(db: &Db, kind: Kind, swaps: &[Swap<'_>]) -> Result<Vec<usize>, Fault> {
    let keys = Keys::of(swaps.iter().map(|swap| swap.group));
    let expected: Vec<_> = swaps
        .iter()
        .map(|swap| swap.expected.as_ref().map(JsonObject::as_str))
        .collect();
    let replacements: Vec<_> = swaps
        .iter()
        .map(|swap| swap.folded.document.as_str())
        .collect();
    let sql = &db.sql.batch(kind).swap;
    let params: Params<'_> = match kind {
        Kind::OfSession(_) => &[
            &keys.apps,
            &keys.tenants,
            &keys.names,
            &keys.instants,
            &expected,
            &replacements,
        ],
        Kind::Metadata => &[&keys.apps, &keys.names, &expected, &replacements],
    };
    let rows = db.rows(sql, params).await?;
    rows.iter().map(index).collect()
}

/// Converts the one-based column `place` to an index.
fn index(row: &Row) -> Result<usize, Fault> {
    let place: i64 = column(row, 0)?;
    usize::try_from(place - 1).map_err(|_| Fault::Row("a place in a batch is out of bounds"))
}
