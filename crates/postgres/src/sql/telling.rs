//! Revocation notices, sent by the statement that deletes the sessions. PostgreSQL delivers a
//! notification when the transaction commits, so listeners are notified if and only if the sessions
//! are deleted.

use supersession::store::SessionKey;
use supersession::{AppId, SessionHandle, TenantId};

/// Builds the common table expressions that delete the rows whose keys the expression `doomed` has
/// locked, and that notify the channel in the given parameter, unless it is NULL.
///
/// A notification payload is limited to 8000 bytes, so the keys are sent in batches of about 4000
/// bytes. No key is that long.
///
/// The enclosing statement must read `told`: PostgreSQL does not execute a `SELECT` in a common
/// table expression that is never referenced.
macro_rules! delete_doomed_and_tell {
    ($channel:literal) => {
        concat!(
            "deleted AS (
        DELETE FROM @session_info s USING doomed d
        WHERE s.app_id = d.app_id AND s.tenant_id = d.tenant_id
            AND s.session_handle = d.session_handle
        RETURNING s.app_id, s.tenant_id, s.session_handle, s.created_at_time),
    entries AS (
        SELECT json_build_array(app_id, tenant_id, session_handle)::text AS entry FROM deleted
        WHERE ",
            $channel,
            "::text IS NOT NULL),
    batches AS (
        SELECT entry, sum(octet_length(entry) + 1) OVER (ORDER BY entry) / 4000 AS batch
        FROM entries),
    told AS MATERIALIZED (
        SELECT pg_notify(",
            $channel,
            ", '[' || string_agg(entry, ',') || ']') FROM batches GROUP BY batch)"
        )
    };
}
pub(super) use delete_doomed_and_tell;

/// Parses the sessions of one notification. Returns `None` if this system did not send it.
pub(crate) fn heard(payload: &str) -> Option<Vec<SessionKey>> {
    let entries: Vec<(&str, &str, String)> = serde_json::from_str(payload).ok()?;
    let keys = entries.into_iter().map(|(app, tenant, handle)| SessionKey {
        app: AppId::from_stored(app),
        tenant: TenantId::from_stored(tenant),
        handle: SessionHandle::from(handle),
    });
    Some(keys.collect())
}
