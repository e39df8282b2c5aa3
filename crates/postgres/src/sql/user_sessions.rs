//! Statements on all sessions of a user.

use supersession::store::{SessionKey, SessionRecord, UserSessions};
use supersession::{SessionHandle, TenantId, UnixMillis};
use tokio_postgres::Row;

use super::can_be_stored;
use super::db::Db;
use super::row::column;
use super::sessions::record;
use super::telling::delete_doomed_and_tell;
use crate::fault::Fault;

macro_rules! selected {
    () => {
        "user_id = $1 AND app_id = $2 AND expires_at > $3
            AND ($4::text IS NULL OR tenant_id = $4)
            AND ($5::text IS NULL OR session_handle <> $5)"
    };
}

// Handles are compared by bytes, independent of the database's collation.
macro_rules! oldest_first {
    () => {
        " ORDER BY created_at_time, session_handle COLLATE \"C\", tenant_id COLLATE \"C\""
    };
}

pub(super) const RECORDS: &str = concat!(
    "SELECT user_id, refresh_token_hash_2, prev_refresh_token_hash_2, refresh_token_rotated_at,
        session_data, jwt_user_payload, expires_at, created_at_time, use_static_key,
        device_user_agent, device_ip, device_label, last_seen_at, tenant_id, session_handle
        FROM @session_info WHERE ",
    selected!(),
    oldest_first!()
);

pub(super) const HANDLES: &str = concat!(
    "SELECT session_handle FROM @session_info WHERE ",
    selected!(),
    oldest_first!()
);

/// Rows are locked in the order of their keys, as in the delete by key.
pub(super) const DELETE: &str = concat!(
    "WITH doomed AS MATERIALIZED (
        SELECT app_id, tenant_id, session_handle FROM @session_info WHERE ",
    selected!(),
    " ORDER BY app_id, tenant_id, session_handle FOR UPDATE),
    ",
    delete_doomed_and_tell!("$6"),
    " SELECT session_handle FROM deleted WHERE (SELECT count(*) FROM told) >= 0",
    oldest_first!()
);

pub(crate) async fn records(
    db: Db,
    selection: UserSessions,
    now: UnixMillis,
) -> Result<Vec<SessionRecord>, Fault> {
    let rows = rows(&db, &db.sql.user_records, &selection, now).await?;
    let records = rows.iter().map(|row| {
        let key = SessionKey {
            app: selection.app.clone(),
            tenant: TenantId::from_stored(column::<&str>(row, 13)?),
            handle: SessionHandle::from(column::<&str>(row, 14)?),
        };
        record(row, key)
    });
    records.collect()
}

pub(crate) async fn handles(
    db: Db,
    selection: UserSessions,
    now: UnixMillis,
) -> Result<Vec<SessionHandle>, Fault> {
    let rows = rows(&db, &db.sql.user_handles, &selection, now).await?;
    rows.iter().map(handle).collect()
}

pub(crate) async fn delete(
    db: Db,
    selection: UserSessions,
    now: UnixMillis,
) -> Result<Vec<SessionHandle>, Fault> {
    if !can_be_stored(&selection.user_id) {
        return Ok(Vec::new());
    }
    let rows = db
        .rows(
            &db.sql.delete_of_user,
            &[
                &selection.user_id.as_str(),
                &selection.app.as_str(),
                &now.as_i64(),
                &selection.tenant.as_ref().map(TenantId::as_str),
                &spared(&selection),
                &db.sql.channel,
            ],
        )
        .await?;
    rows.iter().map(handle).collect()
}

async fn rows(
    db: &Db,
    sql: &str,
    selection: &UserSessions,
    now: UnixMillis,
) -> Result<Vec<Row>, Fault> {
    if !can_be_stored(&selection.user_id) {
        return Ok(Vec::new());
    }
    db.rows(
        sql,
        &[
            &selection.user_id.as_str(),
            &selection.app.as_str(),
            &now.as_i64(),
            &selection.tenant.as_ref().map(TenantId::as_str),
            &spared(selection),
        ],
    )
    .await
}

fn spared(selection: &UserSessions) -> Option<&str> {
    let except = selection.except.as_ref().map(SessionHandle::as_str);
    except.filter(|handle| can_be_stored(handle))
}

fn handle(row: &Row) -> Result<SessionHandle, Fault> {
    column::<&str>(row, 0).map(SessionHandle::from)
}
