//! Apps and tenants, which are registered on first use.

use supersession::{AppId, TenantId, UnixMillis};

use super::db::{Db, Params};
use crate::fault::Fault;

// Foreign keys are checked at the end of the statement, so the tenants find their app. Every app
// has the public tenant, which holds the app's keys.
pub(super) const REGISTER: &str = "WITH app AS (
        INSERT INTO @apps (app_id, created_at_time) VALUES ($1::text, $3::bigint) ON CONFLICT DO NOTHING)
    INSERT INTO @tenants (app_id, tenant_id, created_at_time)
    SELECT DISTINCT $1::text, tenant_id, $3::bigint FROM (VALUES ('public'), ($2::text)) AS t (tenant_id)
    ORDER BY 2 ON CONFLICT DO NOTHING";

/// The app and tenant of a row, and the time of their first use.
pub(super) struct Scope<'a> {
    pub(super) app: &'a AppId,
    pub(super) tenant: &'a TenantId,
    pub(super) at: Option<UnixMillis>,
}

impl Scope<'_> {
    /// Executes `sql`. If it fails because the app or tenant is not registered, registers both and
    /// executes it again.
    ///
    /// A scope is unregistered only once, so this costs other statements nothing. A check before
    /// each statement would cost a round trip.
    pub(super) async fn execute(
        &self,
        db: &Db,
        sql: &str,
        params: Params<'_>,
    ) -> Result<u64, Fault> {
        match db.execute(sql, params).await {
            Err(fault) if fault.is_missing_parent() => {
                self.register(db).await?;
                db.execute(sql, params).await
            }
            outcome => outcome,
        }
    }

    /// Registers the app and tenant. Returns `true` if a tenant was new.
    pub(super) async fn register(&self, db: &Db) -> Result<bool, Fault> {
        let at = self.at.map(UnixMillis::as_i64);
        let params: Params<'_> = &[&self.app.as_str(), &self.tenant.as_str(), &at];
        Ok(db.execute(&db.sql.register, params).await? > 0)
    }
}
