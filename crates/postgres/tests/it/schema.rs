//! Tables, columns, constraints and indexes, as SuperTokens has them.

use std::collections::BTreeSet;

use supersession::store::DocumentWrite;
use supersession::{AppId, Store, UserId};

use crate::{NOW, Place, insert, key, object, server};

async fn names(client: &tokio_postgres::Client, sql: &str, schema: &str) -> BTreeSet<String> {
    let rows = client.query(sql, &[&schema]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

use supersession_postgres::deadpool_postgres::tokio_postgres;

const COLUMNS: &str = "
apps.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
apps.created_at_time bigint
jwt_signing_keys.algorithm character varying(10) NOT NULL
jwt_signing_keys.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
jwt_signing_keys.created_at bigint
jwt_signing_keys.key_id character varying(255) NOT NULL
jwt_signing_keys.key_string text NOT NULL
key_value.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
key_value.created_at_time bigint
key_value.name character varying(128) NOT NULL
key_value.tenant_id character varying(64) NOT NULL DEFAULT 'public'::character varying
key_value.value text
session_access_token_signing_keys.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
session_access_token_signing_keys.created_at_time bigint NOT NULL
session_access_token_signing_keys.value text
session_info.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
session_info.created_at_time bigint NOT NULL
session_info.device_ip character varying(45)
session_info.device_label text
session_info.device_user_agent text
session_info.expires_at bigint NOT NULL
session_info.jwt_user_payload text
session_info.last_seen_at bigint
session_info.prev_refresh_token_hash_2 character varying(128)
session_info.refresh_token_hash_2 character varying(128) NOT NULL
session_info.refresh_token_rotated_at bigint
session_info.session_data text
session_info.session_handle character varying(255) NOT NULL
session_info.tenant_id character varying(64) NOT NULL DEFAULT 'public'::character varying
session_info.use_static_key boolean NOT NULL
session_info.user_id character varying(128) NOT NULL
supersession_schema.version integer NOT NULL
tenant_configs.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
tenant_configs.connection_uri_domain character varying(256) NOT NULL DEFAULT ''::character varying
tenant_configs.core_config text
tenant_configs.email_password_enabled boolean
tenant_configs.is_first_factors_null boolean DEFAULT true
tenant_configs.passwordless_enabled boolean
tenant_configs.tenant_id character varying(64) NOT NULL DEFAULT 'public'::character varying
tenant_configs.third_party_enabled boolean
tenant_first_factors.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
tenant_first_factors.connection_uri_domain character varying(256) NOT NULL DEFAULT ''::character varying
tenant_first_factors.factor_id character varying(128) NOT NULL
tenant_first_factors.tenant_id character varying(64) NOT NULL DEFAULT 'public'::character varying
tenant_required_secondary_factors.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
tenant_required_secondary_factors.connection_uri_domain character varying(256) NOT NULL DEFAULT ''::character varying
tenant_required_secondary_factors.factor_id character varying(128) NOT NULL
tenant_required_secondary_factors.tenant_id character varying(64) NOT NULL DEFAULT 'public'::character varying
tenants.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
tenants.created_at_time bigint
tenants.tenant_id character varying(64) NOT NULL DEFAULT 'public'::character varying
user_metadata.app_id character varying(64) NOT NULL DEFAULT 'public'::character varying
user_metadata.user_id character varying(128) NOT NULL
user_metadata.user_metadata text NOT NULL
";

const CONSTRAINTS: &str = "
apps_pkey PRIMARY KEY (app_id)
jwt_signing_keys_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps(app_id) ON DELETE CASCADE
jwt_signing_keys_pkey PRIMARY KEY (app_id, key_id)
key_value_pkey PRIMARY KEY (app_id, tenant_id, name)
key_value_tenant_id_fkey FOREIGN KEY (app_id, tenant_id) REFERENCES tenants(app_id, tenant_id) ON DELETE CASCADE
session_access_token_signing_keys_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps(app_id) ON DELETE CASCADE
session_access_token_signing_keys_pkey PRIMARY KEY (app_id, created_at_time)
session_info_pkey PRIMARY KEY (app_id, tenant_id, session_handle)
session_info_tenant_id_fkey FOREIGN KEY (app_id, tenant_id) REFERENCES tenants(app_id, tenant_id) ON DELETE CASCADE
supersession_schema_pkey PRIMARY KEY (version)
tenant_configs_pkey PRIMARY KEY (connection_uri_domain, app_id, tenant_id)
tenant_first_factors_pkey PRIMARY KEY (connection_uri_domain, app_id, tenant_id, factor_id)
tenant_first_factors_tenant_id_fkey FOREIGN KEY (connection_uri_domain, app_id, tenant_id) REFERENCES tenant_configs(connection_uri_domain, app_id, tenant_id) ON DELETE CASCADE
tenant_secondary_factors_fkey FOREIGN KEY (connection_uri_domain, app_id, tenant_id) REFERENCES tenant_configs(connection_uri_domain, app_id, tenant_id) ON DELETE CASCADE
tenant_secondary_factors_pkey PRIMARY KEY (connection_uri_domain, app_id, tenant_id, factor_id)
tenants_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps(app_id) ON DELETE CASCADE
tenants_pkey PRIMARY KEY (app_id, tenant_id)
user_metadata_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps(app_id) ON DELETE CASCADE
user_metadata_pkey PRIMARY KEY (app_id, user_id)
";

const INDEXES: &str = "
access_token_signing_keys_app_id_index (app_id)
jwt_signing_keys_app_id_index (app_id)
key_value_tenant_id_index (app_id, tenant_id)
session_expiry_index (expires_at)
session_info_tenant_id_index (app_id, tenant_id)
session_info_user_id_app_id_index (user_id, app_id)
tenants_app_id_index (app_id)
user_metadata_app_id_index (app_id)
";

const FIND_COLUMNS: &str = "SELECT concat(c.relname, '.', a.attname, ' ',
        format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' NOT NULL' END,
        ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE n.nspname = $1 AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped";

const FIND_CONSTRAINTS: &str = "SELECT concat(conname, ' ', pg_get_constraintdef(c.oid))
    FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
    WHERE n.nspname = $1 AND contype IN ('p', 'f')";

const FIND_INDEXES: &str = "SELECT concat(indexname, ' ', substring(indexdef FROM '\\(.*\\)'))
    FROM pg_indexes WHERE schemaname = $1 AND indexname NOT LIKE '%_pkey'";

fn lines(text: &str) -> BTreeSet<String> {
    text.trim().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_tables_are_those_of_the_specification() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    drop(place.store().await);
    let other = place.connection().await;
    let found = async |sql| names(&other, sql, &place.schema).await;
    assert_eq!(found(FIND_COLUMNS).await, lines(COLUMNS));
    assert_eq!(found(FIND_CONSTRAINTS).await, lines(CONSTRAINTS));
    assert_eq!(found(FIND_INDEXES).await, lines(INDEXES));
}

#[tokio::test]
async fn a_prefix_is_before_every_name() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    drop(place.store().await);
    drop(place.options().table_prefix("st").open().await.unwrap());
    let other = place.connection().await;
    let (with, without): (BTreeSet<_>, BTreeSet<_>) = names(&other, FIND_INDEXES, &place.schema)
        .await
        .into_iter()
        .partition(|name| name.starts_with("st_"));
    assert_eq!(without, lines(INDEXES));
    let expected = lines(INDEXES)
        .iter()
        .map(|name| format!("st_{name}"))
        .collect();
    assert_eq!(with, expected);
}

#[tokio::test]
async fn removing_an_app_removes_all_that_is_in_it() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let store = place.store().await;
    let (app, user) = (AppId::default(), UserId::from("user"));
    insert(&store, "h").await;
    insert(&store, "h_t1").await;
    let write = DocumentWrite::Overwrite(object("{}"));
    let metadata = store.write_user_metadata(&app, &user, &write).await;
    metadata.unwrap();
    let other = place.connection().await;
    let delete = "DELETE FROM tenants WHERE tenant_id = 't1'";
    other.batch_execute(delete).await.unwrap();
    assert_eq!(store.session(&key("h_t1"), NOW).await.unwrap(), None);
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    other.batch_execute("DELETE FROM apps").await.unwrap();
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), None);
    assert_eq!(store.user_metadata(&app, &user).await.unwrap(), None);
    // And the scope is registered anew when it is met again.
    insert(&store, "h_t1").await;
    let tenants = "SELECT tenant_id FROM tenants WHERE $1 <> ''";
    let tenants = names(&other, tenants, &place.schema).await;
    assert_eq!(tenants, ["public", "t1"].map(str::to_owned).into());
}
