//! Statements on signing keys and on the master key of the refresh tokens.

use rusqlite::{Connection, Row, params};
use supersession::store::{KeyKind, StoredKey};
use supersession::{AppId, SecretText, TenantId, UnixMillis};

use super::row::{dynamic_kid, instant, key_kind, optional_text, text};
use super::scope::registering;
use crate::fault::Fault;

/// The algorithm of all keys in these tables. Rows with another algorithm belong to other programs
/// and are ignored.
const ALGORITHM: &str = "RS256";
/// Name of the master key of the refresh tokens in `key_value`.
const REFRESH_TOKEN_KEY: &str = "refresh_token_key";

const ALL: &str = "SELECT NULL, created_at_time AS made_at, value, 0
        FROM session_access_token_signing_keys WHERE app_id = ?1
    UNION ALL
    SELECT key_id, coalesce(created_at, 0), key_string, 1
        FROM jwt_signing_keys WHERE app_id = ?1 AND algorithm = ?2
    ORDER BY made_at DESC";

const ADD_DYNAMIC: &str = "INSERT INTO session_access_token_signing_keys
    (app_id, created_at_time, value)
    SELECT ?1, ?2, ?3 WHERE NOT EXISTS
        (SELECT 1 FROM session_access_token_signing_keys
            WHERE app_id = ?1 AND created_at_time >= ?4)
    ON CONFLICT (app_id, created_at_time) DO NOTHING";

const ADD_STATIC: &str = "INSERT INTO jwt_signing_keys
    (app_id, key_id, key_string, algorithm, created_at)
    SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS
        (SELECT 1 FROM jwt_signing_keys WHERE app_id = ?1 AND algorithm = ?4)
    ON CONFLICT (app_id, key_id) DO NOTHING";

const DELETE_DYNAMIC: &str =
    "DELETE FROM session_access_token_signing_keys WHERE app_id = ?1 AND created_at_time < ?2";

const FIND_VALUE: &str =
    "SELECT value FROM key_value WHERE app_id = ?1 AND tenant_id = ?2 AND name = ?3";

const ADD_VALUE: &str = "INSERT INTO key_value (app_id, tenant_id, name, value, created_at_time)
    VALUES (?1, ?2, ?3, ?4, ?5)";

pub(crate) fn all(connection: &Connection, app: &AppId) -> Result<Vec<StoredKey>, Fault> {
    let mut statement = connection.prepare_cached(ALL)?;
    let keys = statement.query_and_then(params![app.as_str(), ALGORITHM], stored_key)?;
    let mut keys = keys.collect::<Result<Vec<_>, _>>()?;
    // The ids of dynamic keys are not stored in a column, so SQL cannot order by them.
    keys.sort_by(|a, b| (b.created_at, &b.kid).cmp(&(a.created_at, &a.kid)));
    Ok(keys)
}

fn stored_key(row: &Row<'_>) -> Result<StoredKey, Fault> {
    let kind = key_kind(row, 3)?;
    let created_at = instant(row, 1)?;
    Ok(StoredKey::new(
        match kind {
            KeyKind::Dynamic => dynamic_kid(created_at),
            KeyKind::Static => text(row, 0)?.to_owned(),
        },
        kind,
        created_at,
        SecretText::new(text(row, 2)?),
    ))
}

pub(crate) fn add_dynamic(
    connection: &Connection,
    app: &AppId,
    candidate: &StoredKey,
    not_if_since: UnixMillis,
) -> Result<bool, Fault> {
    let at = candidate.created_at;
    let added = registering(connection, app, &TenantId::default(), Some(at), || {
        connection.prepare_cached(ADD_DYNAMIC)?.execute(params![
            app.as_str(),
            at.as_i64(),
            candidate.key_pair.expose(),
            not_if_since.as_i64()
        ])
    })?;
    Ok(added == 1)
}

pub(crate) fn add_static(
    connection: &Connection,
    app: &AppId,
    candidate: &StoredKey,
) -> Result<bool, Fault> {
    let at = candidate.created_at;
    let added = registering(connection, app, &TenantId::default(), Some(at), || {
        connection.prepare_cached(ADD_STATIC)?.execute(params![
            app.as_str(),
            candidate.kid,
            candidate.key_pair.expose(),
            ALGORITHM,
            at.as_i64()
        ])
    })?;
    Ok(added == 1)
}

pub(crate) fn delete_dynamic(
    connection: &Connection,
    app: &AppId,
    created_before: UnixMillis,
) -> Result<u64, Fault> {
    let row = params![app.as_str(), created_before.as_i64()];
    let deleted = connection.prepare_cached(DELETE_DYNAMIC)?.execute(row)?;
    Ok(deleted as u64)
}

pub(crate) fn refresh_token_key(
    connection: &Connection,
    app: &AppId,
    candidate: &SecretText,
    now: UnixMillis,
) -> Result<SecretText, Fault> {
    let tenant = TenantId::default();
    let mut statement = connection.prepare_cached(FIND_VALUE)?;
    let mut rows = statement.query(params![app.as_str(), tenant.as_str(), REFRESH_TOKEN_KEY])?;
    if let Some(row) = rows.next()? {
        let value = optional_text(row, 0)?;
        return value
            .map(SecretText::new)
            .ok_or(Fault::Row("the `refresh_token_key` is NULL"));
    }
    registering(connection, app, &tenant, Some(now), || {
        connection.prepare_cached(ADD_VALUE)?.execute(params![
            app.as_str(),
            tenant.as_str(),
            REFRESH_TOKEN_KEY,
            candidate.expose(),
            now.as_i64()
        ])
    })?;
    Ok(candidate.clone())
}
