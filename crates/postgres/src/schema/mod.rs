//! The tables, and the migration of an empty database or a SuperTokens database.

use std::collections::HashSet;

use tokio_postgres::Client;

use crate::fault::Fault;
use crate::names::Names;

/// Version of the schema that this crate writes. Older versions are migrated to it.
pub(crate) const VERSION: i32 = 3;

const TABLES: &str = include_str!("tables.sql");

/// Columns that identify a table as SuperTokens'. All are in SuperTokens' schema since its core 6.0
/// (version 4.0 of its PostgreSQL plugin), the first with apps and tenants.
const NEEDED: [(&str, &[&str]); 8] = [
    ("apps", &["app_id", "created_at_time"]),
    ("tenants", &["app_id", "tenant_id", "created_at_time"]),
    (
        "key_value",
        &["app_id", "tenant_id", "name", "value", "created_at_time"],
    ),
    (
        "session_info",
        &[
            "app_id",
            "tenant_id",
            "session_handle",
            "user_id",
            "refresh_token_hash_2",
            "session_data",
            "expires_at",
            "created_at_time",
            "jwt_user_payload",
            "use_static_key",
        ],
    ),
    (
        "session_access_token_signing_keys",
        &["app_id", "created_at_time", "value"],
    ),
    (
        "jwt_signing_keys",
        &["app_id", "key_id", "key_string", "algorithm", "created_at"],
    ),
    ("user_metadata", &["app_id", "user_id", "user_metadata"]),
    (
        "tenant_configs",
        &[
            "connection_uri_domain",
            "app_id",
            "tenant_id",
            "core_config",
            "email_password_enabled",
            "passwordless_enabled",
            "third_party_enabled",
        ],
    ),
];

/// Columns that may be missing, each as upstream's own migration defines it:
///
/// | column | since | upstream's migration | here |
/// | --- | --- | --- | --- |
/// | `prev_refresh_token_hash_2`, `refresh_token_rotated_at` | core 12.1 | nullable, no default, no backfill | the same |
/// | `is_first_factors_null` | core 9.1 | nullable, `DEFAULT TRUE` for existing rows, then no default | nullable, `DEFAULT TRUE` |
/// | `device_*`, `last_seen_at` | ours | none | nullable, no default |
///
/// All are nullable, so that a core that does not know them can keep writing. The default of
/// `is_first_factors_null` is kept for three reasons: a core before 9.1 inserts tenants without the
/// column, upstream's migration adds a column only if it is missing, and a core from 9.1 on reads
/// NULL as "no login method is on".
const ADDED: [(&str, &str, &str); 7] = [
    ("session_info", "prev_refresh_token_hash_2", "VARCHAR(128)"),
    ("session_info", "refresh_token_rotated_at", "BIGINT"),
    ("session_info", "device_user_agent", "TEXT"),
    ("session_info", "device_ip", "VARCHAR(45)"),
    ("session_info", "device_label", "TEXT"),
    ("session_info", "last_seen_at", "BIGINT"),
    (
        "tenant_configs",
        "is_first_factors_null",
        "BOOLEAN DEFAULT TRUE",
    ),
];

/// Versions 1 and 2 of this schema added `is_first_factors_null` without a value. No other program
/// writes NULL there, so each NULL is a tenant of a core before 9.1.
const REPAIR_FIRST_FACTORS: &str = "
    ALTER TABLE @tenant_configs ALTER COLUMN is_first_factors_null SET DEFAULT TRUE;
    UPDATE @tenant_configs SET is_first_factors_null = TRUE WHERE is_first_factors_null IS NULL;";

const FACTOR_TABLES: [&str; 2] = ["tenant_first_factors", "tenant_required_secondary_factors"];

const INDEXES: [(&str, &str, &str); 8] = [
    ("tenants", "tenants_app_id_index", "app_id"),
    (
        "key_value",
        "key_value_tenant_id_index",
        "app_id, tenant_id",
    ),
    ("session_info", "session_expiry_index", "expires_at"),
    (
        "session_info",
        "session_info_user_id_app_id_index",
        "user_id, app_id",
    ),
    (
        "session_info",
        "session_info_tenant_id_index",
        "app_id, tenant_id",
    ),
    (
        "session_access_token_signing_keys",
        "access_token_signing_keys_app_id_index",
        "app_id",
    ),
    (
        "jwt_signing_keys",
        "jwt_signing_keys_app_id_index",
        "app_id",
    ),
    ("user_metadata", "user_metadata_app_id_index", "app_id"),
];

/// Moves the one rotating key that SuperTokens kept in `key_value` before it had a table for keys.
/// Its core moves the key in the same way when it starts.
const MOVE_LEGACY_KEYS: &str = "WITH legacy AS (
        DELETE FROM @key_value WHERE name = 'access_token_signing_key' AND tenant_id = 'public'
            AND value IS NOT NULL AND created_at_time IS NOT NULL
        RETURNING app_id, created_at_time, value)
    INSERT INTO @session_access_token_signing_keys (app_id, created_at_time, value)
    SELECT app_id, created_at_time, value FROM legacy ON CONFLICT DO NOTHING";

/// Reason why the tables cannot be used.
#[derive(Debug)]
pub(crate) enum SchemaProblem {
    /// A table of that name exists, but belongs to another program.
    OtherProgram { table: String, column: &'static str },
    /// A table, or a column of it, no longer exists.
    Missing {
        table: String,
        column: Option<&'static str>,
    },
    /// A newer version of this crate has migrated the tables.
    Newer,
    /// A query of the schema failed.
    Fault(Fault),
}

impl From<tokio_postgres::Error> for SchemaProblem {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Migrates the tables to the newest version, in one transaction. If several nodes start at once,
/// the first one migrates and the others find the work done. If nothing is to be migrated, the user
/// needs no right to change tables.
pub(crate) async fn migrate(client: &mut Client, names: &Names) -> Result<(), SchemaProblem> {
    if version(client, names).await? == Some(VERSION) {
        return check_columns(client, names).await;
    }
    let transaction = client.transaction().await?;
    // Another node may be migrating, and an index of a large table may take long.
    let patient = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
    transaction.batch_execute(patient).await?;
    transaction
        .execute(
            "SELECT pg_advisory_xact_lock($1)",
            &[&names.migration_lock()],
        )
        .await?;
    // Adding a column waits for all users of the table, and all later users wait for the addition.
    // Giving up is better than stalling a running application.
    let considerate = "SET LOCAL lock_timeout = '10s'";
    transaction.batch_execute(considerate).await?;
    let seen = version(transaction.client(), names).await?;
    if seen != Some(VERSION) {
        create(transaction.client(), names).await?;
        let version = names.statement(
            "INSERT INTO @supersession_schema (version) VALUES ($1) ON CONFLICT DO NOTHING",
        );
        transaction.execute(&version, &[&VERSION]).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Finds tables and columns that are missing although the schema was migrated, such as after a
/// restore of some of the tables. They are not created again: an empty table would revoke all
/// sessions.
async fn check_columns(client: &Client, names: &Names) -> Result<(), SchemaProblem> {
    let there = columns(client, names).await?;
    let needed = NEEDED
        .iter()
        .flat_map(|(table, columns)| columns.iter().map(move |column| (*table, *column)));
    let added = ADDED.iter().map(|(table, column, _)| (*table, *column));
    let factors = FACTOR_TABLES.iter().map(|table| (*table, "factor_id"));
    for (table, column) in needed.chain(added).chain(factors) {
        let table = names.table(table);
        let place = (table, column.to_owned());
        if !there.contains(&place) {
            let table_is_there = there.iter().any(|(found, _)| *found == place.0);
            return Err(SchemaProblem::Missing {
                table: place.0,
                column: table_is_there.then_some(column),
            });
        }
    }
    Ok(())
}

/// Returns the version of the tables, or `None` if none are ours.
async fn version(client: &Client, names: &Names) -> Result<Option<i32>, SchemaProblem> {
    let marker = names.statement("@supersession_schema");
    let exists = "SELECT to_regclass($1) IS NOT NULL";
    let exists = client.query_one(exists, &[&marker]).await?;
    if !exists.get::<_, bool>(0) {
        return Ok(None);
    }
    let newest = names.statement("SELECT max(version) FROM @supersession_schema");
    let found: Option<i32> = client.query_one(&newest, &[]).await?.get(0);
    match found {
        Some(version) if version > VERSION => Err(SchemaProblem::Newer),
        found => Ok(found),
    }
}

async fn create(client: &Client, names: &Names) -> Result<(), SchemaProblem> {
    let schema = "SELECT FROM pg_namespace WHERE nspname = $1";
    let schema = client.query_opt(schema, &[&names.schema()]).await?;
    if schema.is_none() {
        let create = format!("CREATE SCHEMA \"{}\"", names.schema());
        client.batch_execute(&create).await?;
    }
    let there = columns(client, names).await?;
    for (table, needed) in NEEDED {
        let table = names.table(table);
        let is_there = there.iter().any(|(found, _)| *found == table);
        let missing = needed
            .iter()
            .find(|column| !there.contains(&(table.clone(), (**column).to_owned())));
        if let (true, Some(column)) = (is_there, missing) {
            return Err(SchemaProblem::OtherProgram { table, column });
        }
    }
    client.batch_execute(&names.statement(TABLES)).await?;
    let there = columns(client, names).await?;
    for (table, column, kind) in ADDED {
        if !there.contains(&(names.table(table), column.to_owned())) {
            let add = names.statement(&format!("ALTER TABLE @{table} ADD COLUMN "));
            client
                .batch_execute(&format!("{add}{column} {kind}"))
                .await?;
        }
    }
    client
        .batch_execute(&names.statement(REPAIR_FIRST_FACTORS))
        .await?;
    let there = indexes(client, names).await?;
    for (table, index, columns) in INDEXES {
        // SuperTokens does not add the tables' prefix to its indexes.
        let names_of_it = [index.to_owned(), names.table(index)];
        if !names_of_it
            .into_iter()
            .any(|name| there.contains(&(names.table(table), name)))
        {
            let create = names.statement(&format!("CREATE INDEX %{index} ON @{table} ({columns})"));
            client.batch_execute(&create).await?;
        }
    }
    client
        .batch_execute(&names.statement(MOVE_LEGACY_KEYS))
        .await?;
    Ok(())
}

/// Returns table and column of every column in the schema.
async fn columns(
    client: &Client,
    names: &Names,
) -> Result<HashSet<(String, String)>, tokio_postgres::Error> {
    let sql = "SELECT c.relname::text, a.attname::text FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND a.attnum > 0 AND NOT a.attisdropped";
    pairs(client, sql, names).await
}

/// Returns table and index of every index in the schema.
async fn indexes(
    client: &Client,
    names: &Names,
) -> Result<HashSet<(String, String)>, tokio_postgres::Error> {
    let sql = "SELECT tablename::text, indexname::text FROM pg_indexes WHERE schemaname = $1";
    pairs(client, sql, names).await
}

async fn pairs(
    client: &Client,
    sql: &str,
    names: &Names,
) -> Result<HashSet<(String, String)>, tokio_postgres::Error> {
    let rows = client.query(sql, &[&names.schema()]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
