//! What becomes of deleted sessions in the statement that deletes them: they are told to whoever
//! listens, if and only if they are gone, because PostgreSQL delivers when it commits.

use supersession::store::SessionKey;
use supersession::{AppId, SessionHandle, TenantId};

/// Deletes the rows whose keys the common table expression `doomed` has locked, and tells them on
/// the channel that is the last parameter, unless that is NULL.
///
/// A notice holds less than 8000 bytes, so sessions are told in batches of some 4000: no key has
/// that many.
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

/// The sessions of one notice; `None` if it is not one of ours.
pub(crate) fn heard(payload: &str) -> Option<Vec<SessionKey>> {
    let entries: Vec<(&str, &str, String)> = serde_json::from_str(payload).ok()?;
    let keys = entries.into_iter().map(|(app, tenant, handle)| SessionKey {
        app: AppId::from_stored(app),
        tenant: TenantId::from_stored(tenant),
        handle: SessionHandle::from(handle),
    });
    Some(keys.collect())
}
