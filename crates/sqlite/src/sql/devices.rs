//! Statements on the devices and the last use of sessions.

use rusqlite::{Connection, Row, params};
use supersession::UnixMillis;
use supersession::store::{Device, SessionKey, SessionUse};

use super::row::{optional_instant, optional_text};
use crate::fault::Fault;

pub(super) const RECORD_USE: &str = "UPDATE session_info SET last_seen_at = ?5,
    device_user_agent = coalesce(?6, device_user_agent), device_ip = coalesce(?7, device_ip)
    WHERE app_id = ?1 AND tenant_id = ?2 AND session_handle = ?3 AND expires_at > ?4
        AND (last_seen_at IS NULL OR last_seen_at < ?5)";

pub(super) const SET_LABEL: &str = "UPDATE session_info SET device_label = ?5
    WHERE app_id = ?1 AND tenant_id = ?2 AND session_handle = ?3 AND expires_at > ?4";

pub(crate) fn record_uses(
    connection: &Connection,
    uses: &[SessionUse],
    now: UnixMillis,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(RECORD_USE)?;
    for used in uses {
        statement.execute(params![
            used.key.app.as_str(),
            used.key.tenant.as_str(),
            used.key.handle.as_str(),
            now.as_i64(),
            used.at.as_i64(),
            used.user_agent,
            used.ip.map(|ip| ip.to_string()),
        ])?;
    }
    Ok(())
}

pub(crate) fn set_label(
    connection: &Connection,
    key: &SessionKey,
    label: Option<&str>,
    now: UnixMillis,
) -> Result<bool, Fault> {
    let changed = connection.prepare_cached(SET_LABEL)?.execute(params![
        key.app.as_str(),
        key.tenant.as_str(),
        key.handle.as_str(),
        now.as_i64(),
        label,
    ])?;
    Ok(changed == 1)
}

/// Reads the columns `device_user_agent`, `device_ip`, `device_label` and `last_seen_at`, in this
/// order. An invalid address reads as absent, because it is only displayed and must not make the
/// session unreadable.
pub(super) fn device(row: &Row<'_>, first: usize) -> Result<Device, Fault> {
    let mut device = Device::default();
    device.user_agent = optional_text(row, first)?.map(str::to_owned);
    device.ip = optional_text(row, first + 1)?.and_then(|ip| ip.parse().ok());
    device.label = optional_text(row, first + 2)?.map(str::to_owned);
    device.last_seen_at = optional_instant(row, first + 3)?;
    Ok(device)
}
