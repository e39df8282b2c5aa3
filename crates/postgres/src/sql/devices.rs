//! Statements on the devices and the last use of sessions.

use std::collections::HashMap;

use supersession::UnixMillis;
use supersession::store::{Device, SessionKey, SessionUse};
use tokio_postgres::Row;

use super::can_be_stored;
use super::db::Db;
use super::row::{column, optional_instant};
use crate::fault::Fault;

/// Contains at most one record per session, because a statement can change a row only once.
///
/// Rows are locked in the order of their keys. The commit is asynchronous: after a crash of the
/// server, the latest records may be missing, and nothing else.
pub(super) const RECORD_USES: &str = "WITH quick AS MATERIALIZED (
        SELECT set_config('synchronous_commit', 'off', true) AS setting),
    used AS MATERIALIZED (
        SELECT s.app_id, s.tenant_id, s.session_handle, u.at, u.user_agent, u.ip
        FROM unnest($1::text[], $2::text[], $3::text[], $5::bigint[], $6::text[], $7::text[])
            AS u (app_id, tenant_id, session_handle, at, user_agent, ip)
        JOIN @session_info s ON s.app_id = u.app_id AND s.tenant_id = u.tenant_id
            AND s.session_handle = u.session_handle
        WHERE s.expires_at > $4 AND (s.last_seen_at IS NULL OR s.last_seen_at < u.at)
        ORDER BY s.app_id, s.tenant_id, s.session_handle FOR NO KEY UPDATE OF s)
    UPDATE @session_info s SET last_seen_at = u.at,
        device_user_agent = coalesce(u.user_agent, s.device_user_agent),
        device_ip = coalesce(u.ip, s.device_ip)
    FROM used u, quick WHERE quick.setting = 'off' AND s.app_id = u.app_id
        AND s.tenant_id = u.tenant_id AND s.session_handle = u.session_handle";

pub(super) const SET_LABEL: &str = "UPDATE @session_info SET device_label = $5
    WHERE app_id = $1 AND tenant_id = $2 AND session_handle = $3 AND expires_at > $4";

pub(crate) async fn record_uses(
    db: Db,
    uses: Vec<SessionUse>,
    now: UnixMillis,
) -> Result<(), Fault> {
    for round in rounds(&uses) {
        let text = |of: fn(&SessionUse) -> &str| round.iter().map(|used| of(used)).collect();
        let apps: Vec<&str> = text(|used| &used.key.app);
        let tenants: Vec<&str> = text(|used| &used.key.tenant);
        let handles: Vec<&str> = text(|used| &used.key.handle);
        let times: Vec<i64> = round.iter().map(|used| used.at.as_i64()).collect();
        let user_agents: Vec<_> = round
            .iter()
            .map(|used| used.user_agent.as_deref().map(storable))
            .collect();
        let ips: Vec<_> = round
            .iter()
            .map(|used| used.ip.map(|ip| ip.to_string()))
            .collect();
        db.execute(
            &db.sql.record_uses,
            &[
                &apps,
                &tenants,
                &handles,
                &now.as_i64(),
                &times,
                &user_agents,
                &ips,
            ],
        )
        .await?;
    }
    Ok(())
}

/// Splits the records into rounds with at most one record per session, and keeps the order of the
/// records of a session. There is almost always one round.
fn rounds(uses: &[SessionUse]) -> Vec<Vec<&SessionUse>> {
    let mut rounds: Vec<Vec<&SessionUse>> = Vec::new();
    let mut seen: HashMap<&SessionKey, usize> = HashMap::new();
    for used in uses.iter().filter(|used| can_be_stored(&used.key.handle)) {
        let round = seen.entry(&used.key).or_default();
        if *round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*round].push(used);
        *round += 1;
    }
    rounds
}

pub(crate) async fn set_label(
    db: Db,
    key: SessionKey,
    label: Option<String>,
    now: UnixMillis,
) -> Result<bool, Fault> {
    if !can_be_stored(&key.handle) {
        return Ok(false);
    }
    let changed = db
        .execute(
            &db.sql.set_label,
            &[
                &key.app.as_str(),
                &key.tenant.as_str(),
                &key.handle.as_str(),
                &now.as_i64(),
                &label.as_deref().map(storable),
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// Replaces NUL, the one character that PostgreSQL cannot store. The text is only displayed to
/// people.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Reads the columns `device_user_agent`, `device_ip`, `device_label` and `last_seen_at`, in this
/// order. An invalid address reads as absent, because it is only displayed and must not make the
/// session unreadable.
pub(super) fn device(row: &Row, first: usize) -> Result<Device, Fault> {
    let ip: Option<&str> = column(row, first + 1)?;
    let mut device = Device::default();
    device.user_agent = column(row, first)?;
    device.ip = ip.and_then(|ip| ip.parse().ok());
    device.label = column(row, first + 2)?;
    device.last_seen_at = optional_instant(row, first + 3)?;
    Ok(device)
}
