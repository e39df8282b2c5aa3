//! Tables, columns and cascades, as SuperTokens has them.

use rusqlite::Connection;
use supersession::store::DocumentWrite;
use supersession::{AppId, Store, UserId};

use crate::{NOW, Place, insert, key, object};

/// Name, type, whether NULL is refused, place in the primary key.
type Column = (&'static str, &'static str, bool, i64);

const ID: &str = "VARCHAR(64)";

const TABLES: [(&str, &[Column]); 10] = [
    (
        "apps",
        &[
            ("app_id", ID, true, 1),
            ("created_at_time", "BIGINT", false, 0),
        ],
    ),
    (
        "tenants",
        &[
            ("app_id", ID, true, 1),
            ("tenant_id", ID, true, 2),
            ("created_at_time", "BIGINT", false, 0),
        ],
    ),
    (
        "key_value",
        &[
            ("app_id", ID, true, 1),
            ("tenant_id", ID, true, 2),
            ("name", "VARCHAR(128)", true, 3),
            ("value", "TEXT", false, 0),
            ("created_at_time", "BIGINT", false, 0),
        ],
    ),
    (
        "session_info",
        &[
            ("app_id", ID, true, 1),
            ("tenant_id", ID, true, 2),
            ("session_handle", "VARCHAR(255)", true, 3),
            ("user_id", "VARCHAR(128)", true, 0),
            ("refresh_token_hash_2", "VARCHAR(128)", true, 0),
            ("session_data", "TEXT", false, 0),
            ("expires_at", "BIGINT", true, 0),
            ("created_at_time", "BIGINT", true, 0),
            ("jwt_user_payload", "TEXT", false, 0),
            ("use_static_key", "BOOLEAN", true, 0),
            ("prev_refresh_token_hash_2", "VARCHAR(128)", false, 0),
            ("refresh_token_rotated_at", "BIGINT", false, 0),
            ("device_user_agent", "TEXT", false, 0),
            ("device_ip", "VARCHAR(45)", false, 0),
            ("device_label", "TEXT", false, 0),
            ("last_seen_at", "BIGINT", false, 0),
        ],
    ),
    (
        "session_access_token_signing_keys",
        &[
            ("app_id", ID, true, 1),
            ("created_at_time", "BIGINT", true, 2),
            ("value", "TEXT", false, 0),
        ],
    ),
    (
        "jwt_signing_keys",
        &[
            ("app_id", ID, true, 1),
            ("key_id", "VARCHAR(255)", true, 2),
            ("key_string", "TEXT", true, 0),
            ("algorithm", "VARCHAR(10)", true, 0),
            ("created_at", "BIGINT", false, 0),
        ],
    ),
    (
        "tenant_configs",
        &[
            ("connection_uri_domain", "VARCHAR(256)", true, 1),
            ("app_id", ID, true, 2),
            ("tenant_id", ID, true, 3),
            ("core_config", "TEXT", false, 0),
            ("email_password_enabled", "BOOLEAN", false, 0),
            ("passwordless_enabled", "BOOLEAN", false, 0),
            ("third_party_enabled", "BOOLEAN", false, 0),
            ("is_first_factors_null", "BOOLEAN", false, 0),
        ],
    ),
    (
        "tenant_first_factors",
        &[
            ("connection_uri_domain", "VARCHAR(256)", true, 1),
            ("app_id", ID, true, 2),
            ("tenant_id", ID, true, 3),
            ("factor_id", "VARCHAR(128)", true, 4),
        ],
    ),
    (
        "tenant_required_secondary_factors",
        &[
            ("connection_uri_domain", "VARCHAR(256)", true, 1),
            ("app_id", ID, true, 2),
            ("tenant_id", ID, true, 3),
            ("factor_id", "VARCHAR(128)", true, 4),
        ],
    ),
    (
        "user_metadata",
        &[
            ("app_id", ID, true, 1),
            ("user_id", "VARCHAR(128)", true, 2),
            ("user_metadata", "TEXT", true, 0),
        ],
    ),
];

fn names(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

#[tokio::test]
async fn the_tables_are_those_of_the_specification() {
    let place = Place::new();
    drop(place.store().await);
    let connection = place.connection();
    let mut tables = TABLES.map(|(name, _)| name);
    tables.sort_unstable();
    let found = names(
        &connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
    );
    assert_eq!(found, tables);
    for (table, columns) in TABLES {
        let mut statement = connection
            .prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1) ORDER BY cid")
            .unwrap();
        let found: Vec<(String, String, bool, i64)> = statement
            .query_map([table], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let expected: Vec<_> = columns
            .iter()
            .map(|(name, kind, not_null, key)| {
                ((*name).to_owned(), (*kind).to_owned(), *not_null, *key)
            })
            .collect();
        assert_eq!(found, expected, "{table}");
    }
    let indexes = names(
        &connection,
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
    );
    let expected = [
        "key_value_tenant_id_index",
        "session_expiry_index",
        "session_info_user_id_app_id_index",
    ];
    assert_eq!(indexes, expected);
}

#[tokio::test]
async fn values_have_the_types_that_other_programs_expect() {
    let place = Place::new();
    let store = place.store().await;
    insert(&store, "h").await;
    let types: String = place
        .connection()
        .query_row(
            "SELECT concat_ws(' ', typeof(session_data), typeof(expires_at), typeof(use_static_key),
                use_static_key, typeof(prev_refresh_token_hash_2))
             FROM session_info",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(types, "text integer integer 0 null");
}

#[tokio::test]
async fn removing_an_app_removes_all_that_is_in_it() {
    let place = Place::new();
    let store = place.store().await;
    let (app, user) = (AppId::default(), UserId::from("user"));
    insert(&store, "h").await;
    insert(&store, "h_t1").await;
    let write = DocumentWrite::Overwrite(object("{}"));
    store
        .write_user_metadata(&app, &user, &write)
        .await
        .unwrap();
    let other = place.connection();
    other
        .execute("DELETE FROM tenants WHERE tenant_id = 't1'", [])
        .unwrap();
    assert_eq!(store.session(&key("h_t1"), NOW).await.unwrap(), None);
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    other.execute("DELETE FROM apps", []).unwrap();
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), None);
    assert_eq!(store.user_metadata(&app, &user).await.unwrap(), None);
    // And the scope is registered anew when it is met again.
    insert(&store, "h_t1").await;
    let tenants = names(&other, "SELECT tenant_id FROM tenants ORDER BY tenant_id");
    assert_eq!(tenants, ["public", "t1"]);
}
