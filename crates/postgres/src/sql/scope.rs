//! Apps and tenants, which are registered as they are met.

use supersession::{AppId, TenantId, UnixMillis};

use crate::fault::Fault;
use crate::run::{Db, Params};

// Foreign keys are checked after the statement, so the tenants find their app. Every app has the
// public tenant: its keys live there.
pub(super) const REGISTER: &str = "WITH app AS (
        INSERT INTO @apps (app_id, created_at_time) VALUES ($1::text, $3::bigint) ON CONFLICT DO NOTHING)
    INSERT INTO @tenants (app_id, tenant_id, created_at_time)
    SELECT DISTINCT $1::text, tenant_id, $3::bigint FROM (VALUES ('public'), ($2::text)) AS t (tenant_id)
    ORDER BY 2 ON CONFLICT DO NOTHING";

/// The place that a row belongs to, and when it was met.
pub(super) struct Scope<'a> {
    pub(super) app: &'a AppId,
    pub(super) tenant: &'a TenantId,
    pub(super) at: Option<UnixMillis>,
}

impl Scope<'_> {
    /// Does `sql`; if it fails because its app or tenant is not registered, registers both and does
    /// it again.
    ///
    /// A scope is new once in its life, so nobody else pays for the question whether it is.
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

    /// Tells whether a tenant was new.
    pub(super) async fn register(&self, db: &Db) -> Result<bool, Fault> {
        let at = self.at.map(UnixMillis::as_i64);
        let params: Params<'_> = &[&self.app.as_str(), &self.tenant.as_str(), &at];
        Ok(db.execute(&db.sql.register, params).await? > 0)
    }
}
