//! The tables, and the migration of databases of older versions.

use rusqlite::{Connection, TransactionBehavior};

use crate::fault::Fault;

/// Identifies the file as ours, in the header field that SQLite reserves for this: "Supe".
const APPLICATION_ID: i64 = 0x5375_7065;

/// Each migrates the database from the version that is its index to the next one.
pub(crate) const MIGRATIONS: [&str; 3] = [
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
];

/// All tables of the newest version.
const TABLES: [&str; 10] = [
    "apps",
    "tenants",
    "key_value",
    "session_info",
    "session_access_token_signing_keys",
    "jwt_signing_keys",
    "user_metadata",
    "tenant_configs",
    "tenant_first_factors",
    "tenant_required_secondary_factors",
];

/// Reason why the tables cannot be used.
#[derive(Debug)]
pub(crate) enum SchemaProblem {
    /// The database has tables of another program.
    OtherProgram,
    /// A newer version of this crate has migrated the database.
    Newer,
    /// A query of the schema failed.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for SchemaProblem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Returns the number of migrations that were applied to the database. Only reads, so that a file
/// of another program is not changed.
pub(crate) fn version(connection: &Connection) -> Result<usize, SchemaProblem> {
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let found = number("user_version")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && number("application_id")? != APPLICATION_ID {
        return Err(SchemaProblem::OtherProgram);
    }
    usize::try_from(found)
        .ok()
        .filter(|version| *version <= MIGRATIONS.len())
        .ok_or(SchemaProblem::Newer)
}

/// Migrates the database to the newest version, in one transaction. If several processes start at
/// once, the first one migrates and the others find the work done.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), SchemaProblem> {
    if version(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let seen = version(&transaction)?;
    for migration in MIGRATIONS.iter().skip(seen) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

/// Checks, inside a write transaction, that the tables exist, and writes the version again: the
/// smallest write that reaches the disk.
pub(crate) fn check_ready(connection: &Connection) -> Result<(), Fault> {
    if let Some(table) = missing_table(connection)? {
        return Err(Fault::TableMissing(table));
    }
    connection.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    Ok(())
}

/// Returns a table that a migrated database lacks.
pub(crate) fn missing_table(connection: &Connection) -> rusqlite::Result<Option<&'static str>> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let missing = |table: &&str| !names.iter().any(|name| name == *table);
    Ok(TABLES.into_iter().find(missing))
}
