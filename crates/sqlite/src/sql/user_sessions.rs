//! Statements on all sessions of a user.

use rusqlite::{Connection, Row, ToSql, params};
use supersession::store::{SessionKey, SessionRecord, UserSessions};
use supersession::{SessionHandle, TenantId, UnixMillis};

use super::row::{instant, text};
use super::sessions::record;
use crate::fault::Fault;

macro_rules! selected {
    () => {
        "user_id = ?1 AND app_id = ?2 AND expires_at > ?3
            AND (?4 IS NULL OR tenant_id = ?4) AND (?5 IS NULL OR session_handle <> ?5)"
    };
}

macro_rules! oldest_first {
    () => {
        " ORDER BY created_at_time, session_handle, tenant_id"
    };
}

pub(super) const RECORDS: &str = concat!(
    "SELECT user_id, refresh_token_hash_2, prev_refresh_token_hash_2, refresh_token_rotated_at,
        session_data, jwt_user_payload, expires_at, created_at_time, use_static_key,
        device_user_agent, device_ip, device_label, last_seen_at, tenant_id, session_handle
        FROM session_info WHERE ",
    selected!(),
    oldest_first!()
);

pub(super) const HANDLES: &str = concat!(
    "SELECT session_handle FROM session_info WHERE ",
    selected!(),
    oldest_first!()
);

pub(super) const DELETE: &str = concat!(
    "DELETE FROM session_info WHERE ",
    selected!(),
    " RETURNING created_at_time, session_handle"
);

pub(crate) fn records(
    connection: &Connection,
    selection: &UserSessions,
    now: UnixMillis,
) -> Result<Vec<SessionRecord>, Fault> {
    collect(connection, RECORDS, selection, now, |row| {
        let key = SessionKey {
            app: selection.app.clone(),
            tenant: TenantId::from_stored(text(row, 13)?),
            handle: SessionHandle::from(text(row, 14)?),
        };
        record(row, key)
    })
}

pub(crate) fn handles(
    connection: &Connection,
    selection: &UserSessions,
    now: UnixMillis,
) -> Result<Vec<SessionHandle>, Fault> {
    collect(connection, HANDLES, selection, now, |row| {
        Ok(SessionHandle::from(text(row, 0)?))
    })
}

pub(crate) fn delete(
    connection: &Connection,
    selection: &UserSessions,
    now: UnixMillis,
) -> Result<Vec<SessionHandle>, Fault> {
    let mut deleted = collect(connection, DELETE, selection, now, |row| {
        Ok((instant(row, 0)?, SessionHandle::from(text(row, 1)?)))
    })?;
    // RETURNING has no defined order.
    deleted.sort_unstable();
    Ok(deleted.into_iter().map(|(_, handle)| handle).collect())
}

fn collect<T>(
    connection: &Connection,
    sql: &str,
    selection: &UserSessions,
    now: UnixMillis,
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let user: &[&dyn ToSql] = params![
        selection.user_id.as_str(),
        selection.app.as_str(),
        now.as_i64(),
        selection.tenant.as_ref().map(TenantId::as_str),
        selection.except.as_ref().map(SessionHandle::as_str),
    ];
    statement.query_and_then(user, read)?.collect()
}
