//! The check that reads and writes can succeed.

use super::db::Db;
use crate::fault::Fault;

/// Every kind of statement that the verbs of sessions need, on no row. PostgreSQL checks that the
/// tables and columns exist, that the user has each right, and that the transaction may write.
///
/// The message for logical decoding is the smallest possible write: it changes no table, and its
/// commit waits for the disk, and for standbys, as every other commit does.
pub(super) const CHECK: &str = "WITH
    i1 AS (INSERT INTO @apps (app_id) SELECT 'public' WHERE false),
    u1 AS (UPDATE @apps SET app_id = app_id WHERE false),
    i2 AS (INSERT INTO @tenants (app_id, tenant_id) SELECT 'public', 'public' WHERE false),
    i3 AS (INSERT INTO @session_info (app_id, tenant_id, session_handle, user_id,
            refresh_token_hash_2, session_data, expires_at, created_at_time, jwt_user_payload,
            use_static_key)
        SELECT 'public', 'public', '', '', '', '', 0, 0, '', false WHERE false),
    u3 AS (UPDATE @session_info SET prev_refresh_token_hash_2 = NULL,
            refresh_token_rotated_at = NULL, device_user_agent = NULL, device_ip = NULL,
            device_label = NULL, last_seen_at = NULL WHERE false),
    d3 AS (DELETE FROM @session_info WHERE false),
    i4 AS (INSERT INTO @user_metadata (app_id, user_id, user_metadata)
        SELECT 'public', '', '' WHERE false),
    u4 AS (UPDATE @user_metadata SET user_metadata = '' WHERE false),
    d4 AS (DELETE FROM @user_metadata WHERE false),
    i5 AS (INSERT INTO @key_value (app_id, tenant_id, name, value, created_at_time)
        SELECT 'public', 'public', '', '', 0 WHERE false),
    i6 AS (INSERT INTO @session_access_token_signing_keys (app_id, created_at_time, value)
        SELECT 'public', 0, '' WHERE false),
    d6 AS (DELETE FROM @session_access_token_signing_keys WHERE false),
    i7 AS (INSERT INTO @jwt_signing_keys (app_id, key_id, key_string, algorithm, created_at)
        SELECT 'public', '', '', '', 0 WHERE false)
    SELECT pg_logical_emit_message(true, 'supersession', '') IS NOT NULL
    WHERE NOT EXISTS (SELECT FROM @apps WHERE false)
        AND NOT EXISTS (SELECT FROM @session_info WHERE false)
        AND NOT EXISTS (SELECT FROM @user_metadata WHERE false)
        AND NOT EXISTS (SELECT FROM @key_value WHERE false)
        AND NOT EXISTS (SELECT FROM @session_access_token_signing_keys WHERE false)
        AND NOT EXISTS (SELECT FROM @jwt_signing_keys WHERE false)";

pub(crate) async fn check(db: Db) -> Result<(), Fault> {
    db.row(&db.sql.check_ready, &[]).await.map(drop)
}
