//! Statements on single sessions, and the removal of expired sessions.

use std::collections::HashSet;

use supersession::store::{
    InsertOutcome, Lineage, RotateOutcome, Rotation, SessionKey, SessionRecord, SessionStatus,
};
use supersession::{AppId, JsonObject, SessionHandle, TenantId, UnixMillis, UserId};
use tokio_postgres::Row;

use super::can_be_stored;
use super::db::Db;
use super::devices::device;
use super::row::{column, document, instant, key_kind, lineage, use_static_key};
use super::scope::Scope;
use super::telling::delete_doomed_and_tell;
use crate::fault::Fault;

pub(super) const INSERT: &str = "INSERT INTO @session_info
    (app_id, tenant_id, session_handle, user_id, refresh_token_hash_2, prev_refresh_token_hash_2,
     refresh_token_rotated_at, session_data, jwt_user_payload, expires_at, created_at_time,
     use_static_key, device_user_agent, device_ip, device_label, last_seen_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT (app_id, tenant_id, session_handle) DO NOTHING";

pub(super) const FIND: &str = "SELECT user_id, refresh_token_hash_2, prev_refresh_token_hash_2,
    refresh_token_rotated_at, session_data, jwt_user_payload, expires_at, created_at_time,
    use_static_key, device_user_agent, device_ip, device_label, last_seen_at
    FROM @session_info
    WHERE app_id = $1 AND tenant_id = $2 AND session_handle = $3 AND expires_at > $4";

/// [`FIND`] without the session data and the other columns that a guard does not need.
pub(super) const FIND_STATUS: &str = "SELECT user_id, refresh_token_hash_2,
    prev_refresh_token_hash_2, refresh_token_rotated_at, jwt_user_payload, created_at_time
    FROM @session_info
    WHERE app_id = $1 AND tenant_id = $2 AND session_handle = $3 AND expires_at > $4";

/// Returns no row if the session is gone, or else whether it was rotated.
///
/// The lock waits for a concurrent change of the row and then reads the changed row. Of several
/// callers that expect the same lineage, the first one therefore rotates, and the others find
/// another lineage or no row. `UPDATE` first reads the row as of the start of the statement,
/// detects that it has changed since, and proceeds to the newest version, which is the locked one.
pub(super) const ROTATE: &str = "WITH found AS MATERIALIZED (
        SELECT app_id, tenant_id, session_handle, (refresh_token_hash_2 = $5
            AND prev_refresh_token_hash_2 IS NOT DISTINCT FROM $6
            AND refresh_token_rotated_at IS NOT DISTINCT FROM $7
            AND btrim(coalesce(jwt_user_payload, '{}'), E' \\t\\n\\r') = $8) AS expected
        FROM @session_info
        WHERE app_id = $1 AND tenant_id = $2 AND session_handle = $3 AND expires_at > $4
        FOR NO KEY UPDATE),
    rotated AS (
        UPDATE @session_info s SET refresh_token_hash_2 = $9, prev_refresh_token_hash_2 = $10,
            refresh_token_rotated_at = $11, expires_at = $12, use_static_key = $13
        FROM found f WHERE f.expected AND s.app_id = f.app_id AND s.tenant_id = f.tenant_id
            AND s.session_handle = f.session_handle
        RETURNING 1)
    SELECT EXISTS (SELECT FROM rotated) FROM found";

/// Rows are locked in the order of their keys, so that two callers cannot deadlock.
pub(super) const DELETE: &str = concat!(
    "WITH doomed AS MATERIALIZED (
        SELECT s.app_id, s.tenant_id, s.session_handle
        FROM unnest($1::text[], $2::text[], $3::text[]) AS k (app_id, tenant_id, session_handle)
        JOIN @session_info s ON s.app_id = k.app_id AND s.tenant_id = k.tenant_id
            AND s.session_handle = k.session_handle
        ORDER BY s.app_id, s.tenant_id, s.session_handle FOR UPDATE OF s),
    ",
    delete_doomed_and_tell!("$4"),
    " SELECT app_id, tenant_id, session_handle FROM deleted WHERE (SELECT count(*) FROM told) >= 0"
);

/// Deletes the oldest expired rows that are not locked, and never waits. A row that is updated
/// meanwhile has a new `ctid` and is left for the next run.
pub(super) const DELETE_EXPIRED: &str = "DELETE FROM @session_info WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM @session_info WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
    FOR UPDATE SKIP LOCKED))";

pub(crate) async fn insert(db: Db, session: SessionRecord) -> Result<InsertOutcome, Fault> {
    let SessionRecord {
        key,
        lineage,
        device,
        ..
    } = &session;
    let previous = lineage.previous.as_ref();
    let scope = Scope {
        app: &key.app,
        tenant: &key.tenant,
        at: Some(session.created_at),
    };
    let inserted = scope
        .execute(
            &db,
            &db.sql.insert_session,
            &[
                &key.app.as_str(),
                &key.tenant.as_str(),
                &key.handle.as_str(),
                &session.user_id.as_str(),
                &lineage.current.as_str(),
                &previous.map(|previous| previous.hash.as_str()),
                &previous.map(|previous| previous.rotated_at.as_i64()),
                &session.session_data.as_str(),
                &session.payload.as_str(),
                &session.expires_at.as_i64(),
                &session.created_at.as_i64(),
                &use_static_key(session.key_kind),
                &device.user_agent,
                &device.ip.map(|ip| ip.to_string()),
                &device.label,
                &device.last_seen_at.map(UnixMillis::as_i64),
            ],
        )
        .await?;
    Ok(if inserted == 1 {
        InsertOutcome::Inserted
    } else {
        InsertOutcome::HandleTaken
    })
}

pub(crate) async fn find(
    db: Db,
    key: SessionKey,
    now: UnixMillis,
) -> Result<Option<SessionRecord>, Fault> {
    let row = find_live(&db, &db.sql.find_session, &key, now).await?;
    row.map(|row| record(&row, key)).transpose()
}

pub(crate) async fn find_status(
    db: Db,
    key: SessionKey,
    now: UnixMillis,
) -> Result<Option<SessionStatus>, Fault> {
    let row = find_live(&db, &db.sql.find_status, &key, now).await?;
    let read = |row: Row| {
        Ok(SessionStatus::new(
            UserId::from(column::<&str>(&row, 0)?),
            lineage(&row, 1)?,
            document(&row, 4)?,
            instant(&row, 5)?,
        ))
    };
    row.map(read).transpose()
}

async fn find_live(
    db: &Db,
    sql: &str,
    key: &SessionKey,
    now: UnixMillis,
) -> Result<Option<Row>, Fault> {
    if !can_be_stored(&key.handle) {
        return Ok(None);
    }
    let (app, tenant, handle) = (key.app.as_str(), key.tenant.as_str(), key.handle.as_str());
    db.row(sql, &[&app, &tenant, &handle, &now.as_i64()]).await
}

pub(crate) async fn rotate(
    db: Db,
    key: SessionKey,
    expected: Lineage,
    expected_payload: JsonObject,
    next: Rotation,
    now: UnixMillis,
) -> Result<RotateOutcome, Fault> {
    if !can_be_stored(&key.handle) {
        return Ok(RotateOutcome::Gone);
    }
    let [old, new] = [&expected, &next.lineage].map(|lineage| lineage.previous.as_ref());
    let row = db
        .row(
            &db.sql.rotate,
            &[
                &key.app.as_str(),
                &key.tenant.as_str(),
                &key.handle.as_str(),
                &now.as_i64(),
                &expected.current.as_str(),
                &old.map(|previous| previous.hash.as_str()),
                &old.map(|previous| previous.rotated_at.as_i64()),
                &expected_payload.as_str(),
                &next.lineage.current.as_str(),
                &new.map(|previous| previous.hash.as_str()),
                &new.map(|previous| previous.rotated_at.as_i64()),
                &next.expires_at.as_i64(),
                &use_static_key(next.key_kind),
            ],
        )
        .await?;
    match row {
        None => Ok(RotateOutcome::Gone),
        Some(row) if column(&row, 0)? => Ok(RotateOutcome::Rotated),
        Some(_) => Ok(RotateOutcome::Changed),
    }
}

pub(crate) async fn delete(db: Db, keys: Vec<SessionKey>) -> Result<Vec<SessionKey>, Fault> {
    let storable: Vec<_> = keys
        .iter()
        .filter(|key| can_be_stored(&key.handle))
        .collect();
    if storable.is_empty() {
        return Ok(Vec::new());
    }
    let apps: Vec<_> = storable.iter().map(|key| key.app.as_str()).collect();
    let tenants: Vec<_> = storable.iter().map(|key| key.tenant.as_str()).collect();
    let handles: Vec<_> = storable.iter().map(|key| key.handle.as_str()).collect();
    let rows = db
        .rows(
            &db.sql.delete_sessions,
            &[&apps, &tenants, &handles, &db.sql.channel],
        )
        .await?;
    let mut deleted = HashSet::with_capacity(rows.len());
    for row in &rows {
        deleted.insert(SessionKey {
            app: AppId::from_stored(column::<&str>(row, 0)?),
            tenant: TenantId::from_stored(column::<&str>(row, 1)?),
            handle: SessionHandle::from(column::<&str>(row, 2)?),
        });
    }
    Ok(keys.into_iter().filter(|key| deleted.remove(key)).collect())
}

pub(crate) async fn delete_expired(db: Db, now: UnixMillis, limit: u32) -> Result<u64, Fault> {
    let params: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[&now.as_i64(), &i64::from(limit)];
    db.execute(&db.sql.delete_expired, params).await
}

/// Reads the columns of [`FIND`]. Lists append further columns.
pub(super) fn record(row: &Row, key: SessionKey) -> Result<SessionRecord, Fault> {
    let mut record = SessionRecord::new(
        key,
        UserId::from(column::<&str>(row, 0)?),
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
