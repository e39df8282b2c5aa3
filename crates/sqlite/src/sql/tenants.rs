//! Statements on apps and tenants, and their configuration.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use supersession::store::TenantRecord;
use supersession::{AppId, TenantId, UnixMillis};

use super::row::{document, text};
use super::scope::register;
use crate::fault::Fault;

const ALL: &str = "SELECT t.app_id, t.tenant_id, COALESCE(c.core_config, '{}'),
    COALESCE(c.is_first_factors_null, TRUE), COALESCE(c.email_password_enabled, TRUE),
    COALESCE(c.passwordless_enabled, TRUE), COALESCE(c.third_party_enabled, TRUE)
    FROM tenants t LEFT JOIN tenant_configs c
    ON c.connection_uri_domain = '' AND c.app_id = t.app_id AND c.tenant_id = t.tenant_id
    ORDER BY t.app_id, t.tenant_id";

const EXISTS: &str = "SELECT 1 FROM tenants WHERE app_id = ?1 AND tenant_id = ?2";

const PUT: &str = "INSERT INTO tenant_configs
    (app_id, tenant_id, core_config, email_password_enabled, passwordless_enabled,
     third_party_enabled, is_first_factors_null)
    VALUES (?1, ?2, ?3, ?5, ?6, ?7, ?4)
    ON CONFLICT (connection_uri_domain, app_id, tenant_id) DO UPDATE SET
    core_config = excluded.core_config, is_first_factors_null = excluded.is_first_factors_null,
    email_password_enabled = excluded.email_password_enabled,
    passwordless_enabled = excluded.passwordless_enabled,
    third_party_enabled = excluded.third_party_enabled";

const FIRST_FACTORS: FactorTable = FactorTable {
    all: "SELECT app_id, tenant_id, factor_id FROM tenant_first_factors
        WHERE connection_uri_domain = '' ORDER BY factor_id",
    clear: "DELETE FROM tenant_first_factors
        WHERE connection_uri_domain = '' AND app_id = ?1 AND tenant_id = ?2",
    add: "INSERT INTO tenant_first_factors (app_id, tenant_id, factor_id)
        VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
};

const SECONDARY_FACTORS: FactorTable = FactorTable {
    all: "SELECT app_id, tenant_id, factor_id FROM tenant_required_secondary_factors
        WHERE connection_uri_domain = '' ORDER BY factor_id",
    clear: "DELETE FROM tenant_required_secondary_factors
        WHERE connection_uri_domain = '' AND app_id = ?1 AND tenant_id = ?2",
    add: "INSERT INTO tenant_required_secondary_factors (app_id, tenant_id, factor_id)
        VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
};

// The foreign keys delete the remaining rows.
const DELETE_TENANT: &str =
    "DELETE FROM tenants WHERE app_id = ?1 AND tenant_id = ?2 AND tenant_id <> 'public'";
const DELETE_APP: &str = "DELETE FROM apps WHERE app_id = ?1";

/// A table of factors.
struct FactorTable {
    all: &'static str,
    clear: &'static str,
    add: &'static str,
}

type Factors = HashMap<(String, String), Vec<String>>;

impl FactorTable {
    /// Returns the factors by app and tenant. Few tenants have any, so all are read at once.
    fn all(&self, db: &Connection) -> Result<Factors, Fault> {
        let mut statement = db.prepare_cached(self.all)?;
        let mut rows = statement.query([])?;
        let mut factors = Factors::new();
        while let Some(row) = rows.next()? {
            let place = (text(row, 0)?.to_owned(), text(row, 1)?.to_owned());
            let factor = text(row, 2)?.to_owned();
            factors.entry(place).or_default().push(factor);
        }
        Ok(factors)
    }

    fn set(&self, db: &Connection, of: &TenantRecord, factors: &[String]) -> Result<(), Fault> {
        let (app, tenant) = (of.app.as_str(), of.tenant.as_str());
        db.prepare_cached(self.clear)?
            .execute(params![app, tenant])?;
        let mut add = db.prepare_cached(self.add)?;
        for factor in factors {
            add.execute(params![app, tenant, factor])?;
        }
        Ok(())
    }
}

pub(crate) fn all(db: &Connection) -> Result<Vec<TenantRecord>, Fault> {
    let mut first_factors = FIRST_FACTORS.all(db)?;
    let mut secondary_factors = SECONDARY_FACTORS.all(db)?;
    let mut statement = db.prepare_cached(ALL)?;
    let mut rows = statement.query([])?;
    let mut tenants = Vec::new();
    while let Some(row) = rows.next()? {
        let (app, tenant) = (text(row, 0)?, text(row, 1)?);
        let place = (app.to_owned(), tenant.to_owned());
        let no_first_factors: bool = row.get(3)?;
        let first = first_factors.remove(&place).unwrap_or_default();
        tenants.push({
            let mut record =
                TenantRecord::new(AppId::from_stored(app), TenantId::from_stored(tenant));
            record.core_config = document(row, 2)?;
            record.login_methods.email_password = row.get(4)?;
            record.login_methods.passwordless = row.get(5)?;
            record.login_methods.third_party = row.get(6)?;
            record.first_factors = (!no_first_factors).then_some(first);
            record.required_secondary_factors = secondary_factors.remove(&place);
            record
        });
    }
    Ok(tenants)
}

pub(crate) fn put(db: &Connection, tenant: &TenantRecord, now: UnixMillis) -> Result<bool, Fault> {
    let place = params![tenant.app.as_str(), tenant.tenant.as_str()];
    let is_new = !db.prepare_cached(EXISTS)?.exists(place)?;
    register(db, &tenant.app, &tenant.tenant, Some(now))?;
    db.prepare_cached(PUT)?.execute(params![
        tenant.app.as_str(),
        tenant.tenant.as_str(),
        tenant.core_config.as_str(),
        tenant.first_factors.is_none(),
        tenant.login_methods.email_password,
        tenant.login_methods.passwordless,
        tenant.login_methods.third_party,
    ])?;
    let factors = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    FIRST_FACTORS.set(db, tenant, &factors(&tenant.first_factors))?;
    SECONDARY_FACTORS.set(db, tenant, &factors(&tenant.required_secondary_factors))?;
    Ok(is_new)
}

pub(crate) fn delete(db: &Connection, app: &AppId, tenant: &TenantId) -> Result<bool, Fault> {
    let place = params![app.as_str(), tenant.as_str()];
    Ok(db.prepare_cached(DELETE_TENANT)?.execute(place)? == 1)
}

pub(crate) fn delete_app(db: &Connection, app: &AppId) -> Result<bool, Fault> {
    let deleted = db
        .prepare_cached(DELETE_APP)?
        .execute(params![app.as_str()])?;
    Ok(deleted == 1)
}

const ACTIVE_USERS: &str = "SELECT count(DISTINCT user_id) FROM session_info
    WHERE app_id = ?1 AND expires_at > ?3 AND max(created_at_time,
        COALESCE(refresh_token_rotated_at, 0), COALESCE(last_seen_at, 0)) >= ?2";

pub(crate) fn count_active_users(
    db: &Connection,
    app: &AppId,
    since: UnixMillis,
    now: UnixMillis,
) -> Result<u64, Fault> {
    let count: i64 = db
        .prepare_cached(ACTIVE_USERS)?
        .query_row(params![app.as_str(), since.as_i64(), now.as_i64()], |row| {
            row.get(0)
        })?;
    Ok(u64::try_from(count).unwrap_or_default())
}
