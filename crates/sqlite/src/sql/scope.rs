//! Apps and tenants, which are registered on first use.

use rusqlite::{Connection, ffi, params};
use supersession::{AppId, TenantId, UnixMillis};

/// Executes `write`. If it fails because the app or tenant is not registered, registers both and
/// executes it again.
///
/// A scope is unregistered only once, so this costs other writes nothing.
pub(super) fn registering<T>(
    connection: &Connection,
    app: &AppId,
    tenant: &TenantId,
    at: Option<UnixMillis>,
    write: impl Fn() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    match write() {
        Err(error) if is_missing_parent(&error) => {
            register(connection, app, tenant, at)?;
            write()
        }
        outcome => outcome,
    }
}

fn is_missing_parent(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|error| error.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}

pub(super) fn register(
    connection: &Connection,
    app: &AppId,
    tenant: &TenantId,
    at: Option<UnixMillis>,
) -> rusqlite::Result<()> {
    let at = at.map(UnixMillis::as_i64);
    connection
        .prepare_cached(
            "INSERT INTO apps (app_id, created_at_time) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![app.as_str(), at])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO tenants (app_id, tenant_id, created_at_time) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
    )?;
    // Every app has the public tenant, which holds the app's keys.
    for tenant in [&TenantId::default(), tenant] {
        insert.execute(params![app.as_str(), tenant.as_str(), at])?;
    }
    Ok(())
}
