//! Statements on signing keys and on the master key of the refresh tokens.

use supersession::store::{KeyKind, StoredKey};
use supersession::{AppId, SecretText, TenantId, UnixMillis};
use tokio_postgres::Row;

use super::db::Db;
use super::row::{column, dynamic_kid, instant, key_kind};
use super::scope::Scope;
use crate::fault::Fault;

/// The algorithm of all keys in these tables. Rows with another algorithm belong to other programs
/// and are ignored.
const ALGORITHM: &str = "RS256";
/// Name of the master key of the refresh tokens in `key_value`.
const REFRESH_TOKEN_KEY: &str = "refresh_token_key";

pub(super) const ALL: &str = "SELECT NULL AS key_id, created_at_time, value, false AS is_static
        FROM @session_access_token_signing_keys WHERE app_id = $1
    UNION ALL
    SELECT key_id, coalesce(created_at, 0), key_string, true
        FROM @jwt_signing_keys WHERE app_id = $1 AND algorithm = $2";

/// Locks the app's row, so that only one node at a time adds a key to the app. The insert follows
/// as a separate statement: under READ COMMITTED it begins after the lock is held and therefore
/// sees a key that the previous holder has committed. A condition in this statement would not see
/// it. The lock does not block inserts of sessions and metadata of the app.
pub(super) const LOCK_APP: &str = "SELECT FROM @apps WHERE app_id = $1 FOR NO KEY UPDATE";

pub(super) const ADD_DYNAMIC: &str = "INSERT INTO @session_access_token_signing_keys
    (app_id, created_at_time, value)
    SELECT $1::text, $2::bigint, $3::text WHERE NOT EXISTS (SELECT FROM @session_access_token_signing_keys
        WHERE app_id = $1 AND created_at_time >= $4)
    ON CONFLICT (app_id, created_at_time) DO NOTHING";

pub(super) const ADD_STATIC: &str = "INSERT INTO @jwt_signing_keys
    (app_id, key_id, key_string, algorithm, created_at)
    SELECT $1::text, $2::text, $3::text, $4::text, $5::bigint WHERE NOT EXISTS (SELECT FROM @jwt_signing_keys
        WHERE app_id = $1 AND algorithm = $4)
    ON CONFLICT (app_id, key_id) DO NOTHING";

pub(super) const DELETE_DYNAMIC: &str =
    "DELETE FROM @session_access_token_signing_keys WHERE app_id = $1 AND created_at_time < $2";

pub(super) const FIND_VALUE: &str =
    "SELECT value FROM @key_value WHERE app_id = $1 AND tenant_id = $2 AND name = $3";

pub(super) const ADD_VALUE: &str = "INSERT INTO @key_value
    (app_id, tenant_id, name, value, created_at_time) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (app_id, tenant_id, name) DO NOTHING";

pub(crate) async fn all(db: Db, app: AppId) -> Result<Vec<StoredKey>, Fault> {
    let rows = db
        .rows(&db.sql.all_keys, &[&app.as_str(), &ALGORITHM])
        .await?;
    let keys = rows.iter().map(stored_key).collect::<Result<_, _>>();
    let mut keys: Vec<StoredKey> = keys?;
    // The ids of dynamic keys are not stored in a column, so SQL cannot order by them.
    keys.sort_by(|a, b| (b.created_at, &b.kid).cmp(&(a.created_at, &a.kid)));
    Ok(keys)
}

fn stored_key(row: &Row) -> Result<StoredKey, Fault> {
    let kind = key_kind(row, 3)?;
    let created_at = instant(row, 1)?;
    Ok(StoredKey::new(
        match kind {
            KeyKind::Dynamic => dynamic_kid(created_at),
            KeyKind::Static => column(row, 0)?,
        },
        kind,
        created_at,
        SecretText::new(column::<String>(row, 2)?),
    ))
}

pub(crate) async fn add_dynamic(
    db: Db,
    app: AppId,
    candidate: StoredKey,
    not_if_since: UnixMillis,
) -> Result<bool, Fault> {
    let added = holding_app(&db, &app, candidate.created_at, async {
        db.execute(
            &db.sql.add_dynamic_key,
            &[
                &app.as_str(),
                &candidate.created_at.as_i64(),
                &candidate.key_pair.expose(),
                &not_if_since.as_i64(),
            ],
        )
        .await
    });
    Ok(added.await? == 1)
}

pub(crate) async fn add_static(db: Db, app: AppId, candidate: StoredKey) -> Result<bool, Fault> {
    let added = holding_app(&db, &app, candidate.created_at, async {
        db.execute(
            &db.sql.add_static_key,
            &[
                &app.as_str(),
                &candidate.kid,
                &candidate.key_pair.expose(),
                &ALGORITHM,
                &candidate.created_at.as_i64(),
            ],
        )
        .await
    });
    Ok(added.await? == 1)
}

/// Runs `work` while no other node adds a key to this app. A key is added once in days, so the
/// round trips of a transaction do not matter.
async fn holding_app(
    db: &Db,
    app: &AppId,
    at: UnixMillis,
    work: impl Future<Output = Result<u64, Fault>>,
) -> Result<u64, Fault> {
    db.in_transaction(async {
        if db.row(&db.sql.lock_app, &[&app.as_str()]).await?.is_none() {
            let scope = Scope {
                app,
                tenant: &TenantId::default(),
                at: Some(at),
            };
            scope.register(db).await?;
            db.row(&db.sql.lock_app, &[&app.as_str()]).await?;
        }
        work.await
    })
    .await
}

pub(crate) async fn delete_dynamic(
    db: Db,
    app: AppId,
    created_before: UnixMillis,
) -> Result<u64, Fault> {
    let delete = &db.sql.delete_dynamic_keys;
    db.execute(delete, &[&app.as_str(), &created_before.as_i64()])
        .await
}

pub(crate) async fn refresh_token_key(
    db: Db,
    app: AppId,
    candidate: SecretText,
    now: UnixMillis,
) -> Result<SecretText, Fault> {
    let tenant = TenantId::default();
    let place: [&str; 3] = [&app, &tenant, REFRESH_TOKEN_KEY];
    if let Some(key) = value(&db, place).await? {
        return Ok(key);
    }
    let scope = Scope {
        app: &app,
        tenant: &tenant,
        at: Some(now),
    };
    let add = &db.sql.add_value;
    let [app, tenant, name] = place;
    scope
        .execute(
            &db,
            add,
            &[&app, &tenant, &name, &candidate.expose(), &now.as_i64()],
        )
        .await?;
    // Another node may have inserted its key first. The primary key admits one, and all nodes use
    // that one.
    let stored = value(&db, place).await?;
    stored.ok_or(Fault::Row("the `refresh_token_key` is gone again"))
}

async fn value(db: &Db, place: [&str; 3]) -> Result<Option<SecretText>, Fault> {
    let [app, tenant, name] = place;
    let row = db.row(&db.sql.find_value, &[&app, &tenant, &name]).await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let value: Option<String> = column(&row, 0)?;
    let value = value.ok_or(Fault::Row("the `refresh_token_key` is NULL"))?;
    Ok(Some(SecretText::new(value)))
}
