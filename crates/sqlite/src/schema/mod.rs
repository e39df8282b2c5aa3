//! The tables, and how a database of an older program becomes one of this program.

use rusqlite::{Connection, TransactionBehavior};

use crate::fault::Fault;

/// Marks the file as ours, in the header field that SQLite reserves for this: "Supe".
const APPLICATION_ID: i64 = 0x5375_7065;

/// Each brings the database from the version that is its index to the next one.
pub(crate) const MIGRATIONS: [&str; 3] = [
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
];

/// Why the tables are not fit for use.
#[derive(Debug)]
pub(crate) enum SchemaProblem {
    /// There are tables, and they are not ours.
    OtherProgram,
    /// A newer program has migrated the database.
    Newer,
    /// SQLite could not tell.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for SchemaProblem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// How many of the migrations the database has seen. Reads only, so that a file of somebody else
/// stays as it is.
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

/// Brings the database to the newest version, in one transaction. Of several processes that try at
/// once the first one does it, and the others find it done.
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

/// Checks, inside a transaction that writes, that the tables are there, and writes the version
/// again: the smallest write that reaches the disk.
pub(crate) fn check_ready(connection: &Connection) -> Result<(), Fault> {
    let mut tables = connection.prepare_cached(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN (
            'session_info', 'user_metadata', 'key_value',
            'session_access_token_signing_keys', 'jwt_signing_keys')",
    )?;
    if tables.query_row([], |row| row.get::<_, i64>(0))? != 5 {
        return Err(Fault::Row("a table is missing"));
    }
    connection.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    Ok(())
}
