//! Many documents of one kind in one statement.
//!
//! Documents that begin with a merge are read first, all in one statement. Then all are written in
//! one statement, each on the condition that it still is what it was taken for. No lock is held
//! between the two.

use supersession::store::{DocumentWrite, SessionDocument};
use supersession::{JsonObject, UnixMillis};
use tokio_postgres::Row;

use super::can_be_stored;
use super::row::{column, document};
use crate::batch::{Document, Folded, Kind, Start, fold};
use crate::fault::Fault;
use crate::names::Names;
use crate::run::{Db, Params};

/// Larger documents, in bytes, are written alone: with them it is not the commit that costs, and a
/// batch of them would take much memory.
const SMALL: usize = 64 * 1024;

/// The statements on the documents of one kind.
pub(crate) struct BatchStatements {
    pub(super) read: String,
    pub(super) swap: String,
}

/// A document that is not there, or is large, has no row in the answer.
///
/// `OFFSET 0` keeps PostgreSQL from joining in any other way than by looking up key after key: it
/// does not know how many there are.
const READ_OF_SESSIONS: &str = "SELECT w.place, s.{column}
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY
        AS w (app_id, tenant_id, session_handle, now, place)
    CROSS JOIN LATERAL (SELECT {column} FROM @session_info
        WHERE app_id = w.app_id AND tenant_id = w.tenant_id AND session_handle = w.session_handle
            AND expires_at > w.now OFFSET 0) s
    WHERE octet_length(coalesce(s.{column}, '')) <= {small}";

/// Answers with the places of what was written. What is missing may be gone, changed, or held by
/// somebody.
///
/// Rows are locked before any is written, in the order of their keys. Those that somebody holds are
/// left out, so this waits for nobody, and is never part of a deadlock. A row that has changed since
/// the statement began is looked at again as it became before it is locked; `UPDATE` then goes on to
/// that version.
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

/// As [`SWAP_OF_SESSIONS`]. Users without metadata are left out: rows are made one by one.
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

/// The writes on one document, in their order.
pub(crate) struct Group<'a> {
    pub(crate) document: &'a Document,
    pub(crate) writes: Vec<&'a DocumentWrite>,
    /// The latest instant of any of them: who is live then is live for all of them.
    pub(crate) now: UnixMillis,
}

/// A document that is to become another.
struct Swap<'a> {
    /// Among the groups.
    place: usize,
    group: &'a Group<'a>,
    /// Absent if it may be anything.
    expected: Option<JsonObject>,
    folded: Folded,
}

/// Does all groups, which are of this kind, as far as it can without waiting. Answers in their
/// order; `None` is a group of which nothing was done.
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
    /// Whether PostgreSQL can hold its key. What it cannot hold would make it refuse the batch.
    fn is_storable(&self) -> bool {
        match self.document {
            Document::OfSession(_, key) => can_be_stored(&key.handle),
            Document::Metadata(_, user) => can_be_stored(user),
        }
    }
}

impl<'a> Swap<'a> {
    /// `None` for large documents.
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

/// The keys of documents, one array for each column. Instants are for sessions only.
struct Keys<'a> {
    apps: Vec<&'a str>,
    tenants: Vec<&'a str>,
    /// Handles, or users.
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

/// What is stored, with its place among `groups`.
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
        // A damaged document is the trouble of those who write to it: they meet it alone.
        if let Ok(stored) = document(row, 1) {
            found.push((index(row)?, stored));
        }
    }
    Ok(found)
}

/// Which of `swaps` took place.
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

/// The column `place`, which counts from one, as an index.
fn index(row: &Row) -> Result<usize, Fault> {
    let place: i64 = column(row, 0)?;
    usize::try_from(place - 1).map_err(|_| Fault::Row("a place in a batch is out of bounds"))
}
