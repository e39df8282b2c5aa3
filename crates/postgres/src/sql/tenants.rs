//! Statements on apps and tenants, and their configuration.

use supersession::store::TenantRecord;
use supersession::{AppId, TenantId, UnixMillis};
use tokio_postgres::Row;

use super::db::Db;
use super::row::{column, document};
use super::scope::Scope;
use super::telling::delete_doomed_and_tell;
use crate::fault::Fault;

pub(super) const ALL: &str = "SELECT t.app_id, t.tenant_id, c.core_config,
    COALESCE(c.is_first_factors_null, TRUE),
    ARRAY(SELECT f.factor_id::text FROM @tenant_first_factors f WHERE f.connection_uri_domain = ''
        AND f.app_id = t.app_id AND f.tenant_id = t.tenant_id ORDER BY f.factor_id COLLATE \"C\"),
    ARRAY(SELECT f.factor_id::text FROM @tenant_required_secondary_factors f
        WHERE f.connection_uri_domain = '' AND f.app_id = t.app_id AND f.tenant_id = t.tenant_id
        ORDER BY f.factor_id COLLATE \"C\"),
    COALESCE(c.email_password_enabled, TRUE), COALESCE(c.passwordless_enabled, TRUE),
    COALESCE(c.third_party_enabled, TRUE)
    FROM @tenants t LEFT JOIN @tenant_configs c
    ON c.connection_uri_domain = '' AND c.app_id = t.app_id AND c.tenant_id = t.tenant_id
    ORDER BY t.app_id COLLATE \"C\", t.tenant_id COLLATE \"C\"";

/// Locks the row, so that of two concurrent calls that create a tenant, exactly one reports it as
/// new.
pub(super) const EXISTS: &str =
    "SELECT FROM @tenants WHERE app_id = $1 AND tenant_id = $2 FOR UPDATE";

pub(super) const PUT: &str = "INSERT INTO @tenant_configs
    (connection_uri_domain, app_id, tenant_id, core_config, email_password_enabled,
     passwordless_enabled, third_party_enabled, is_first_factors_null)
    VALUES ('', $1, $2, $3, $5, $6, $7, $4)
    ON CONFLICT (connection_uri_domain, app_id, tenant_id) DO UPDATE SET
    core_config = excluded.core_config, is_first_factors_null = excluded.is_first_factors_null,
    email_password_enabled = excluded.email_password_enabled,
    passwordless_enabled = excluded.passwordless_enabled,
    third_party_enabled = excluded.third_party_enabled";

pub(super) const CLEAR_FIRST_FACTORS: &str = "DELETE FROM @tenant_first_factors
    WHERE connection_uri_domain = '' AND app_id = $1 AND tenant_id = $2";
pub(super) const ADD_FIRST_FACTORS: &str = "INSERT INTO @tenant_first_factors
    (connection_uri_domain, app_id, tenant_id, factor_id)
    SELECT '', $1::text, $2::text, factor FROM unnest($3::text[]) AS f (factor)
    ON CONFLICT DO NOTHING";

pub(super) const CLEAR_SECONDARY_FACTORS: &str = "DELETE FROM @tenant_required_secondary_factors
    WHERE connection_uri_domain = '' AND app_id = $1 AND tenant_id = $2";
pub(super) const ADD_SECONDARY_FACTORS: &str = "INSERT INTO @tenant_required_secondary_factors
    (connection_uri_domain, app_id, tenant_id, factor_id)
    SELECT '', $1::text, $2::text, factor FROM unnest($3::text[]) AS f (factor)
    ON CONFLICT DO NOTHING";

/// Deletes the sessions before the cascade, which would not send revocation notices.
pub(super) const DELETE_SESSIONS: &str = concat!(
    "WITH doomed AS MATERIALIZED (
        SELECT app_id, tenant_id, session_handle FROM @session_info
        WHERE app_id = $1 AND ($2::text IS NULL OR tenant_id = $2)
        ORDER BY app_id, tenant_id, session_handle FOR UPDATE),
    ",
    delete_doomed_and_tell!("$3"),
    " SELECT count(*) FROM deleted WHERE (SELECT count(*) FROM told) >= 0"
);

pub(super) const DELETE_CONFIGS: &str = "DELETE FROM @tenant_configs
    WHERE app_id = $1 AND ($2::text IS NULL OR tenant_id = $2)";
// The foreign keys delete the remaining rows.
pub(super) const DELETE_TENANT: &str = "DELETE FROM @tenants WHERE app_id = $1 AND tenant_id = $2";
pub(super) const DELETE_APP: &str = "DELETE FROM @apps WHERE app_id = $1";

pub(crate) async fn all(db: Db) -> Result<Vec<TenantRecord>, Fault> {
    let rows = db.rows(&db.sql.all_tenants, &[]).await?;
    rows.iter().map(record).collect()
}

fn record(row: &Row) -> Result<TenantRecord, Fault> {
    let no_first_factors: bool = column(row, 3)?;
    let first_factors: Vec<String> = column(row, 4)?;
    let secondary: Vec<String> = column(row, 5)?;
    let mut record = TenantRecord::new(
        AppId::from_stored(column(row, 0)?),
        TenantId::from_stored(column(row, 1)?),
    );
    record.core_config = document(row, 2)?;
    // As SuperTokens' core reads them: the flag counts only if no factor is listed.
    record.first_factors =
        (!first_factors.is_empty() || !no_first_factors).then_some(first_factors);
    record.login_methods.email_password = column(row, 6)?;
    record.login_methods.passwordless = column(row, 7)?;
    record.login_methods.third_party = column(row, 8)?;
    record.required_secondary_factors = (!secondary.is_empty()).then_some(secondary);
    Ok(record)
}

pub(crate) async fn put(db: Db, tenant: TenantRecord, now: UnixMillis) -> Result<bool, Fault> {
    let (app, name) = (tenant.app.as_str(), tenant.tenant.as_str());
    let nobody = Vec::new();
    let first_factors = tenant.first_factors.as_ref().unwrap_or(&nobody);
    let secondary = tenant.required_secondary_factors.as_ref();
    let secondary = secondary.unwrap_or(&nobody);
    let scope = Scope {
        app: &tenant.app,
        tenant: &tenant.tenant,
        at: Some(now),
    };
    db.in_transaction(async {
        let sql = &db.sql;
        let existed = db.row(&sql.tenant_exists, &[&app, &name]).await?.is_some();
        let registered = scope.register(&db).await?;
        db.execute(
            &sql.put_tenant,
            &[
                &app,
                &name,
                &tenant.core_config.as_str(),
                &tenant.first_factors.is_none(),
                &tenant.login_methods.email_password,
                &tenant.login_methods.passwordless,
                &tenant.login_methods.third_party,
            ],
        )
        .await?;
        db.execute(&sql.clear_first_factors, &[&app, &name]).await?;
        db.execute(&sql.add_first_factors, &[&app, &name, first_factors])
            .await?;
        db.execute(&sql.clear_secondary_factors, &[&app, &name])
            .await?;
        db.execute(&sql.add_secondary_factors, &[&app, &name, secondary])
            .await?;
        // Another node may have registered the tenant after the check.
        Ok(!existed && registered)
    })
    .await
}

pub(crate) async fn delete(db: Db, app: AppId, tenant: TenantId) -> Result<bool, Fault> {
    if tenant == TenantId::default() {
        return Ok(false);
    }
    let (app, tenant) = (app.as_str(), tenant.as_str());
    db.in_transaction(async {
        let sql = &db.sql;
        db.rows(
            &sql.delete_tenant_sessions,
            &[&app, &Some(tenant), &sql.channel],
        )
        .await?;
        db.execute(&sql.delete_tenant_configs, &[&app, &Some(tenant)])
            .await?;
        Ok(db.execute(&sql.delete_tenant, &[&app, &tenant]).await? == 1)
    })
    .await
}

pub(crate) async fn delete_app(db: Db, app: AppId) -> Result<bool, Fault> {
    let (app, all) = (app.as_str(), None::<&str>);
    db.in_transaction(async {
        let sql = &db.sql;
        db.rows(&sql.delete_tenant_sessions, &[&app, &all, &sql.channel])
            .await?;
        db.execute(&sql.delete_tenant_configs, &[&app, &all])
            .await?;
        Ok(db.execute(&sql.delete_app, &[&app]).await? == 1)
    })
    .await
}

pub(super) const ACTIVE_USERS: &str = "SELECT count(DISTINCT user_id) FROM @session_info
    WHERE app_id = $1 AND expires_at > $3 AND GREATEST(created_at_time,
        refresh_token_rotated_at, last_seen_at) >= $2";

pub(crate) async fn count_active_users(
    db: Db,
    app: AppId,
    since: UnixMillis,
    now: UnixMillis,
) -> Result<u64, Fault> {
    let (app, since, now) = (app.as_str(), since.as_i64(), now.as_i64());
    let row = db.row(&db.sql.active_users, &[&app, &since, &now]).await?;
    let count: i64 = row.as_ref().map_or(Ok(0), |row| column(row, 0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}
