//! A database of SuperTokens is taken over as it is, and its core can go on beside us.

use supersession::store::{
    DocumentWrite, KeyKind, RotateOutcome, Rotation, SessionDocument, TenantStore as _,
    WriteOutcome,
};
use supersession::{AppId, SecretText, Sessions, Store, UnixMillis};
use supersession_postgres::PostgresStore;
use supersession_postgres::deadpool_postgres::tokio_postgres::Client;

use crate::{NOW, Place, key, object, server};

/// The tables as the PostgreSQL plugin makes them, before core 12.1: without the columns of
/// rotation.
const DDL: &str = "
CREATE TABLE apps (
    app_id VARCHAR(64) NOT NULL DEFAULT 'public', created_at_time BIGINT,
    CONSTRAINT apps_pkey PRIMARY KEY(app_id));
CREATE TABLE tenants (
    app_id VARCHAR(64) NOT NULL DEFAULT 'public', tenant_id VARCHAR(64) NOT NULL DEFAULT 'public',
    created_at_time BIGINT,
    CONSTRAINT tenants_pkey PRIMARY KEY(app_id, tenant_id),
    CONSTRAINT tenants_app_id_fkey FOREIGN KEY(app_id) REFERENCES apps (app_id) ON DELETE CASCADE);
CREATE INDEX tenants_app_id_index ON tenants(app_id);
CREATE TABLE key_value (
    app_id VARCHAR(64) DEFAULT 'public', tenant_id VARCHAR(64) DEFAULT 'public',
    name VARCHAR(128), value TEXT, created_at_time BIGINT,
    CONSTRAINT key_value_pkey PRIMARY KEY(app_id, tenant_id, name),
    CONSTRAINT key_value_tenant_id_fkey FOREIGN KEY (app_id, tenant_id)
        REFERENCES tenants (app_id, tenant_id) ON DELETE CASCADE);
CREATE INDEX key_value_tenant_id_index ON key_value (app_id, tenant_id);
CREATE TABLE session_info (
    app_id VARCHAR(64) DEFAULT 'public', tenant_id VARCHAR(64) DEFAULT 'public',
    session_handle VARCHAR(255) NOT NULL, user_id VARCHAR(128) NOT NULL,
    refresh_token_hash_2 VARCHAR(128) NOT NULL, session_data TEXT, expires_at BIGINT NOT NULL,
    created_at_time BIGINT NOT NULL, jwt_user_payload TEXT, use_static_key BOOLEAN NOT NULL,
    CONSTRAINT session_info_pkey PRIMARY KEY(app_id, tenant_id, session_handle),
    CONSTRAINT session_info_tenant_id_fkey FOREIGN KEY (app_id, tenant_id)
        REFERENCES tenants (app_id, tenant_id) ON DELETE CASCADE);
CREATE INDEX session_expiry_index ON session_info (expires_at);
CREATE INDEX session_info_tenant_id_index ON session_info (app_id, tenant_id);
CREATE TABLE session_access_token_signing_keys (
    app_id VARCHAR(64) DEFAULT 'public', created_at_time BIGINT NOT NULL, value TEXT,
    CONSTRAINT session_access_token_signing_keys_pkey PRIMARY KEY(app_id, created_at_time),
    CONSTRAINT session_access_token_signing_keys_app_id_fkey FOREIGN KEY(app_id)
        REFERENCES apps (app_id) ON DELETE CASCADE);
CREATE INDEX access_token_signing_keys_app_id_index ON session_access_token_signing_keys (app_id);
CREATE TABLE jwt_signing_keys (
    app_id VARCHAR(64) DEFAULT 'public', key_id VARCHAR(255) NOT NULL, key_string TEXT NOT NULL,
    algorithm VARCHAR(10) NOT NULL, created_at BIGINT,
    CONSTRAINT jwt_signing_keys_pkey PRIMARY KEY(app_id, key_id),
    CONSTRAINT jwt_signing_keys_app_id_fkey FOREIGN KEY(app_id) REFERENCES apps (app_id)
        ON DELETE CASCADE);
CREATE INDEX jwt_signing_keys_app_id_index ON jwt_signing_keys (app_id);
CREATE TABLE user_metadata (
    app_id VARCHAR(64) DEFAULT 'public', user_id VARCHAR(128) NOT NULL,
    user_metadata TEXT NOT NULL,
    CONSTRAINT user_metadata_pkey PRIMARY KEY(app_id, user_id),
    CONSTRAINT user_metadata_app_id_fkey FOREIGN KEY(app_id) REFERENCES apps (app_id)
        ON DELETE CASCADE);
CREATE INDEX user_metadata_app_id_index ON user_metadata (app_id);
CREATE TABLE tenant_configs (
    connection_uri_domain VARCHAR(256) DEFAULT '', app_id VARCHAR(64) DEFAULT 'public',
    tenant_id VARCHAR(64) DEFAULT 'public', core_config TEXT, email_password_enabled BOOLEAN,
    passwordless_enabled BOOLEAN, third_party_enabled BOOLEAN,
    CONSTRAINT tenant_configs_pkey PRIMARY KEY (connection_uri_domain, app_id, tenant_id));
CREATE TABLE userid_mapping (app_id VARCHAR(64), supertokens_user_id CHAR(36));
";

/// Rows as the core writes them.
const ROWS: &str = "
INSERT INTO apps VALUES ('public', 1700000000000);
INSERT INTO tenants VALUES ('public', 'public', 1700000000000), ('public', 't1', NULL);
INSERT INTO key_value VALUES
    ('public', 'public', 'refresh_token_key', '1000:aabb:ccdd', 1700000000000),
    ('public', 'public', 'access_token_signing_key', 'old;pair', 1690000000000),
    ('public', 'public', 'TELEMETRY_ID', 'an id', 1700000000000);
INSERT INTO session_access_token_signing_keys VALUES ('public', 1700000000001, 'new|pair');
INSERT INTO jwt_signing_keys VALUES
    ('public', 's-1', 'static|pair', 'RS256', 1700000000002),
    ('public', 's-0', 'older|pair', 'RS256', NULL),
    ('public', 'hmac', 'symmetric', 'HS256', 1700000000003);
INSERT INTO user_metadata VALUES ('public', 'user', '{\"b\":1,\"a\":{\"z\":1.0}}');
INSERT INTO tenant_configs VALUES ('', 'public', 'public', '{}', true, true, true);
";

/// A tenant as a core before 9.1 inserts it.
const INSERT_TENANT: &str = "INSERT INTO tenant_configs(connection_uri_domain, app_id, tenant_id,
    core_config, email_password_enabled, passwordless_enabled, third_party_enabled)
    VALUES ('', 'public', 't1', '{}', true, true, true)";

/// The migration to core 9.1, as upstream prints it.
const UPSTREAM_9_1: &str = "
    ALTER TABLE tenant_configs ADD COLUMN IF NOT EXISTS is_first_factors_null BOOLEAN DEFAULT TRUE;
    ALTER TABLE tenant_configs ALTER COLUMN is_first_factors_null DROP DEFAULT;";

/// The insert of the core, before 12.1: with the columns that it knows.
const INSERT: &str = "INSERT INTO session_info(app_id, tenant_id, session_handle, user_id,
    refresh_token_hash_2, session_data, expires_at, jwt_user_payload, created_at_time,
    use_static_key) VALUES ('public', $1, $2, 'user', 'aa', $3, 1800000001000, $4, 1700000000000, false)";

async fn supertokens(place: &Place<'_>) -> Client {
    let client = place.connection().await;
    let schema = format!("CREATE SCHEMA {}", place.schema);
    client.batch_execute(&schema).await.unwrap();
    client.batch_execute(DDL).await.unwrap();
    client.batch_execute(ROWS).await.unwrap();
    insert(&client, "public", "h", Some(r#"{"b":1,"a":2}"#), Some("{}")).await;
    insert(&client, "t1", "h_t1", None, None).await;
    client
}

async fn insert(
    client: &Client,
    tenant: &str,
    handle: &str,
    data: Option<&str>,
    payload: Option<&str>,
) {
    let inserted = client
        .execute(INSERT, &[&tenant, &handle, &data, &payload])
        .await;
    assert_eq!(inserted.unwrap(), 1);
}

#[tokio::test]
async fn sessions_keys_and_metadata_are_read_as_they_are() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let _core = supertokens(&place).await;
    let store = place.store().await;
    let app = AppId::default();
    let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
    assert_eq!(found.session_data.as_str(), r#"{"b":1,"a":2}"#);
    assert_eq!(found.lineage.previous, None);
    assert_eq!(found.lineage.current.as_str(), "aa");
    assert_eq!(found.device, supersession::store::Device::default());
    let found = store.session(&key("h_t1"), NOW).await.unwrap().unwrap();
    assert_eq!(found.payload.as_str(), "{}");
    let metadata = store.user_metadata(&app, &"user".into()).await.unwrap();
    assert_eq!(metadata.unwrap().as_str(), r#"{"b":1,"a":{"z":1.0}}"#);
    let keys = store.signing_keys(&app).await.unwrap();
    let keys: Vec<_> = keys
        .iter()
        .map(|key| (key.kid.as_str(), key.key_pair.expose()))
        .collect();
    assert_eq!(
        keys,
        [
            ("s-1", "static|pair"),
            ("d-1700000000001", "new|pair"),
            ("d-1690000000000", "old;pair"),
            ("s-0", "older|pair"),
        ]
    );
    let candidate = SecretText::new("candidate");
    let key = store.refresh_token_key(&app, &candidate, NOW).await;
    assert_eq!(key.unwrap().expose(), "1000:aabb:ccdd");
}

#[tokio::test]
async fn sessions_of_the_core_can_be_written_and_refreshed() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let core = supertokens(&place).await;
    let store = place.store().await;
    // White space around a document is the same document.
    let pad = "UPDATE session_info SET jwt_user_payload = E' \\n{} ' WHERE session_handle = 'h'";
    core.batch_execute(pad).await.unwrap();
    for handle in ["h", "h_t1"] {
        let found = store.session(&key(handle), NOW).await.unwrap().unwrap();
        for document in [SessionDocument::SessionData, SessionDocument::Payload] {
            let merge = DocumentWrite::Merge(object(r#"{"n":1}"#));
            let outcome = store
                .write_document(&key(handle), document, &merge, NOW)
                .await;
            assert!(matches!(outcome.unwrap(), WriteOutcome::Written(_)));
        }
        let back = "UPDATE session_info SET jwt_user_payload = NULL";
        core.batch_execute(back).await.unwrap();
        let next = Rotation::new(
            found.lineage.clone(),
            UnixMillis::new(NOW.get() + 5_000),
            KeyKind::Static,
        );
        let outcome = store
            .rotate(&key(handle), &found.lineage, &object("{}"), &next, NOW)
            .await;
        assert_eq!(outcome.unwrap(), RotateOutcome::Rotated);
    }
}

#[tokio::test]
async fn the_core_goes_on_writing_beside_us() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let core = supertokens(&place).await;
    let store = place.store().await;
    insert(&core, "public", "theirs", Some("{}"), Some("{}")).await;
    assert!(store.session(&key("theirs"), NOW).await.unwrap().is_some());
    crate::insert(&store, "ours").await;
    let theirs = "SELECT session_handle, user_id, refresh_token_hash_2, session_data, expires_at,
        created_at_time, jwt_user_payload, use_static_key FROM session_info
        WHERE app_id = 'public' AND tenant_id = 'public' AND session_handle = 'ours'";
    let row = core.query_one(theirs, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>("jwt_user_payload"), "{}");
    // Nothing that it had is changed but what its own core would have changed at its start.
    let legacy = "SELECT count(*) FROM key_value WHERE name = 'access_token_signing_key'";
    assert_eq!(
        core.query_one(legacy, &[]).await.unwrap().get::<_, i64>(0),
        0
    );
    let indexes = "SELECT indexname::text FROM pg_indexes
        WHERE schemaname = $1 AND tablename = 'session_info' ORDER BY 1";
    let rows = core.query(indexes, &[&place.schema]).await.unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let expected = [
        "session_expiry_index",
        "session_info_pkey",
        "session_info_tenant_id_index",
        "session_info_user_id_app_id_index",
    ];
    assert_eq!(names, expected);
}

/// Tenants whose login methods a core from 9.1 on would read as switched off.
async fn tenants_without_login_methods(core: &Client) -> i64 {
    let sql = "SELECT count(*) FROM tenant_configs WHERE is_first_factors_null IS NOT TRUE";
    core.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_later_core_finds_every_login_method_on() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let core = supertokens(&place).await;
    let store = place.store().await;
    // The older core goes on for a while, and is then migrated.
    core.batch_execute(INSERT_TENANT).await.unwrap();
    core.batch_execute(UPSTREAM_9_1).await.unwrap();
    assert_eq!(tenants_without_login_methods(&core).await, 0);
    let tenants = store.tenants().await.unwrap();
    assert!(tenants.iter().all(|tenant| tenant.first_factors.is_none()));
}

#[tokio::test]
async fn a_database_that_an_earlier_version_adopted_is_repaired() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let core = supertokens(&place).await;
    let earlier = "ALTER TABLE tenant_configs ADD COLUMN is_first_factors_null BOOLEAN;
        CREATE TABLE supersession_schema (version INTEGER NOT NULL PRIMARY KEY);
        INSERT INTO supersession_schema VALUES (1), (2);";
    core.batch_execute(earlier).await.unwrap();
    core.batch_execute(INSERT_TENANT).await.unwrap();
    assert_eq!(tenants_without_login_methods(&core).await, 2);
    let configured = "INSERT INTO tenant_configs VALUES ('', 'public', 't2', '{}', true, true,
        true, false)";
    core.batch_execute(configured).await.unwrap();
    for _ in 0..2 {
        drop(place.store().await);
        // A tenant's own factors are kept.
        assert_eq!(tenants_without_login_methods(&core).await, 1);
    }
}

/// To a core from 9.1 on, the flag counts only if no factor is listed.
#[tokio::test]
async fn first_factors_of_a_core_before_9_1_are_kept() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let core = supertokens(&place).await;
    let store = place.store().await;
    let factors = "INSERT INTO tenant_first_factors VALUES ('', 'public', 'public', 'otp-email')";
    core.batch_execute(factors).await.unwrap();
    let tenants = store.tenants().await.unwrap();
    let public = tenants
        .iter()
        .find(|tenant| tenant.tenant == supersession::TenantId::default())
        .unwrap();
    assert_eq!(
        public.first_factors.as_deref(),
        Some(&["otp-email".to_owned()][..])
    );
}

/// With keys that are none, every use of the system would be a fault: so this makes its own.
#[tokio::test]
async fn the_whole_system_runs_on_it() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let core = supertokens(&place).await;
    let only_real_keys = "DELETE FROM session_access_token_signing_keys;
        DELETE FROM jwt_signing_keys; DELETE FROM key_value";
    core.batch_execute(only_real_keys).await.unwrap();
    let store: PostgresStore = place.store().await;
    core.batch_execute("DELETE FROM session_access_token_signing_keys")
        .await
        .unwrap();
    let sessions = Sessions::builder(store)
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .build()
        .await
        .unwrap();
    let session = sessions.create("alice").await.unwrap();
    let handles = sessions.handles_for_user("alice").await.unwrap();
    assert_eq!(handles, [session.handle().clone()]);
}
