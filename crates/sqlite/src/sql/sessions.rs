//! Statements on single sessions, and the removal of expired sessions.

use rusqlite::{Connection, Row, params};
use supersession::store::{
    InsertOutcome, Lineage, RotateOutcome, Rotation, SessionKey, SessionRecord, SessionStatus,
};
use supersession::{JsonObject, UnixMillis, UserId};

use super::devices::device;
use super::row::{document, instant, key_kind, lineage, text, use_static_key};
use super::scope::registering;
use crate::fault::Fault;

const INSERT: &str = "INSERT INTO session_info
    (app_id, tenant_id, session_handle, user_id, refresh_token_hash_2, prev_refresh_token_hash_2,
     refresh_token_rotated_at, session_data, jwt_user_payload, expires_at, created_at_time,
     use_static_key, device_user_agent, device_ip, device_label, last_seen_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    ON CONFLICT (app_id, tenant_id, session_handle) DO NOTHING";

pub(super) const FIND: &str = "SELECT user_id, refresh_token_hash_2, prev_refresh_token_hash_2,
    refresh_token_rotated_at, session_data, jwt_user_payload, expires_at, created_at_time,
    use_static_key, device_user_agent, device_ip, device_label, last_seen_at
    FROM session_info
    WHERE app_id = ?1 AND tenant_id = ?2 AND session_handle = ?3 AND expires_at > ?4";

const FIND_STATUS: &str = "SELECT user_id, refresh_token_hash_2, prev_refresh_token_hash_2,
    refresh_token_rotated_at, jwt_user_payload, created_at_time
    FROM session_info
    WHERE app_id = ?1 AND tenant_id = ?2 AND session_handle = ?3 AND expires_at > ?4";

const FIND_LINEAGE: &str = "SELECT rowid, refresh_token_hash_2, prev_refresh_token_hash_2,
    refresh_token_rotated_at, jwt_user_payload
    FROM session_info
    WHERE app_id = ?1 AND tenant_id = ?2 AND session_handle = ?3 AND expires_at > ?4";

const ROTATE: &str = "UPDATE session_info SET refresh_token_hash_2 = ?2,
    prev_refresh_token_hash_2 = ?3, refresh_token_rotated_at = ?4, expires_at = ?5,
    use_static_key = ?6
    WHERE rowid = ?1";

pub(super) const DELETE: &str = "DELETE FROM session_info
    WHERE app_id = ?1 AND tenant_id = ?2 AND session_handle = ?3";

pub(super) const DELETE_EXPIRED: &str = "DELETE FROM session_info WHERE rowid IN
    (SELECT rowid FROM session_info WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";

pub(crate) fn insert(
    connection: &Connection,
    session: &SessionRecord,
) -> Result<InsertOutcome, Fault> {
    let SessionRecord {
        key,
        lineage,
        device,
        ..
    } = session;
    let previous = lineage.previous.as_ref();
    let inserted = registering(
        connection,
        &key.app,
        &key.tenant,
        Some(session.created_at),
        || {
            connection.prepare_cached(INSERT)?.execute(params![
                key.app.as_str(),
                key.tenant.as_str(),
                key.handle.as_str(),
                session.user_id.as_str(),
                lineage.current.as_str(),
                previous.map(|previous| previous.hash.as_str()),
                previous.map(|previous| previous.rotated_at.as_i64()),
                session.session_data.as_str(),
                session.payload.as_str(),
                session.expires_at.as_i64(),
                session.created_at.as_i64(),
                use_static_key(session.key_kind),
                device.user_agent,
                device.ip.map(|ip| ip.to_string()),
                device.label,
                device.last_seen_at.map(UnixMillis::as_i64),
            ])
        },
    )?;
    Ok(if inserted == 1 {
        InsertOutcome::Inserted
    } else {
        InsertOutcome::HandleTaken
    })
}

pub(crate) fn find(
    connection: &Connection,
    key: &SessionKey,
    now: UnixMillis,
) -> Result<Option<SessionRecord>, Fault> {
    find_live(connection, FIND, key, now, |row| record(row, key.clone()))
}

pub(crate) fn find_status(
    connection: &Connection,
    key: &SessionKey,
    now: UnixMillis,
) -> Result<Option<SessionStatus>, Fault> {
    find_live(connection, FIND_STATUS, key, now, |row| {
        Ok(SessionStatus::new(
            UserId::from(text(row, 0)?),
            lineage(row, 1)?,
            document(row, 4)?,
            instant(row, 5)?,
        ))
    })
}

pub(crate) fn rotate(
    connection: &Connection,
    key: &SessionKey,
    expected: &Lineage,
    expected_payload: &JsonObject,
    next: &Rotation,
    now: UnixMillis,
) -> Result<RotateOutcome, Fault> {
    let found = find_live(connection, FIND_LINEAGE, key, now, |row| {
        Ok((row.get::<_, i64>(0)?, lineage(row, 1)?, document(row, 4)?))
    })?;
    let Some((row, lineage, payload)) = found else {
        return Ok(RotateOutcome::Gone);
    };
    if lineage != *expected || payload != *expected_payload {
        return Ok(RotateOutcome::Changed);
    }
    let previous = next.lineage.previous.as_ref();
    connection.prepare_cached(ROTATE)?.execute(params![
        row,
        next.lineage.current.as_str(),
        previous.map(|previous| previous.hash.as_str()),
        previous.map(|previous| previous.rotated_at.as_i64()),
        next.expires_at.as_i64(),
        use_static_key(next.key_kind),
    ])?;
    Ok(RotateOutcome::Rotated)
}

pub(crate) fn delete(
    connection: &Connection,
    keys: &[SessionKey],
) -> Result<Vec<SessionKey>, Fault> {
    let mut delete = connection.prepare_cached(DELETE)?;
    let mut deleted = Vec::new();
    for key in keys {
        let row = params![key.app.as_str(), key.tenant.as_str(), key.handle.as_str()];
        if delete.execute(row)? == 1 {
            deleted.push(key.clone());
        }
    }
    Ok(deleted)
}

pub(crate) fn delete_expired(
    connection: &Connection,
    now: UnixMillis,
    limit: u32,
) -> Result<u64, Fault> {
    let deleted = connection
        .prepare_cached(DELETE_EXPIRED)?
        .execute(params![now.as_i64(), limit])?;
    Ok(deleted as u64)
}

/// Reads the columns of [`FIND`]. Lists append further columns.
pub(super) fn record(row: &Row<'_>, key: SessionKey) -> Result<SessionRecord, Fault> {
    let mut record = SessionRecord::new(
        key,
        UserId::from(text(row, 0)?),
        lineage(row, 1)?,
        instant(row, 7)?,
        instant(row, 6)?,
    );
    record.session_data = document(row, 4)?;
    record.payload = document(row, 5)?;
    record.key_kind = key_kind(row, 8)?;
    record.device = device(row, 9)?;
    Ok(record)
}

fn find_live<T>(
    connection: &Connection,
    sql: &str,
    key: &SessionKey,
    now: UnixMillis,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![
        key.app.as_str(),
        key.tenant.as_str(),
        key.handle.as_str(),
        now.as_i64()
    ])?;
    rows.next()?.map(read).transpose()
}
