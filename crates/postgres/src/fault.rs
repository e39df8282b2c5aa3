//! Faults of a single verb, and their conversion to store errors.

use std::error::Error as _;
use std::io;

use deadpool_postgres::PoolError;
use supersession::JsonObjectError;
use supersession::store::{StoreError, StoreErrorKind};
use tokio::task::JoinError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Fault of a verb. Contains no document, no key and no hash: only the message of a PostgreSQL
/// error is kept, because its details quote rows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("PostgreSQL refused: {message} (SQLSTATE {}){}", code.code(), advice(code))]
    Refused { code: SqlState, message: String },
    #[error("the connection was lost")]
    Lost { source: Error },
    #[error("cannot connect")]
    Connect { source: Error },
    #[error("no answer within the time limit of a verb")]
    TimedOut,
    #[error(
        "no connection came free or could be made in time; is the pool too small for the load?"
    )]
    PoolTimedOut,
    #[error("the pool was closed")]
    PoolClosed,
    #[error("the driver refused")]
    Driver { source: Error },
    #[error("column `{column}` is not of its type")]
    Column { column: String, source: Error },
    #[error("column `{column}` does not hold a JSON object")]
    Document {
        column: String,
        source: JsonObjectError,
    },
    #[error("{0}")]
    Row(&'static str),
    #[error("a verb of the store panicked; this is a bug")]
    Panicked,
    #[error("the tokio runtime that the store was opened in has ended")]
    RuntimeEnded,
    #[error("the pool has no runtime")]
    NoRuntime,
}

/// Kind of access of a verb. Decides the error kind of a disk fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if let Some(refusal) = error.as_db_error() {
            return Self::Refused {
                code: refusal.code().clone(),
                message: refusal.message().to_owned(),
            };
        }
        let is_io = matches!(error.source(), Some(source) if source.is::<io::Error>());
        if error.is_closed() || is_io {
            Self::Lost { source: error }
        } else {
            Self::Driver { source: error }
        }
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(_) => Self::PoolTimedOut,
            PoolError::Backend(error) => match Self::from(error) {
                // No statement was sent yet, so no answer was lost.
                Self::Lost { source } | Self::Driver { source } => Self::Connect { source },
                refused => refused,
            },
            PoolError::Closed => Self::PoolClosed,
            PoolError::NoRuntimeSpecified => Self::NoRuntime,
            PoolError::PostCreateHook(_) => Self::Row("a hook of the pool refused a connection"),
        }
    }
}

impl Fault {
    /// Returns the fault of a task that ended without an outcome.
    pub(crate) fn of_task(error: &JoinError) -> Self {
        if error.is_panic() {
            Self::Panicked
        } else {
            Self::RuntimeEnded
        }
    }

    /// Returns `true` if the server rejected the statement, so that it had no effect. The cause is
    /// in the statement or in the rows, so parts of the statement may succeed on their own.
    pub(crate) fn was_undone(&self) -> bool {
        let Self::Refused { code, .. } = self else {
            return false;
        };
        !self.is_loss() && *code != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
    }

    /// Returns `true` if nothing was done: PostgreSQL rolled back, or never started.
    pub(crate) fn left_no_trace(&self) -> bool {
        let Self::Refused { code, .. } = self else {
            return false;
        };
        (code.code().starts_with("40") && *code != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN)
            || is_stale_statement(code)
    }

    /// Returns `true` if the connection was lost during a statement, which may or may not be
    /// committed.
    pub(crate) fn is_loss(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            Self::Refused { code, .. } => is_connection_trouble(code),
            _ => false,
        }
    }

    /// Returns `true` if the connection cannot be used for another verb.
    pub(crate) fn spoils_the_connection(&self) -> bool {
        match self {
            Self::TimedOut => true,
            Self::Refused { code, .. } => is_stale_statement(code),
            _ => false,
        }
    }

    pub(crate) fn is_missing_parent(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == SqlState::FOREIGN_KEY_VIOLATION)
    }

    /// Converts the fault to the error for the caller of the verb `operation`.
    pub(crate) fn into_store_error(self, operation: &'static str, access: Access) -> StoreError {
        StoreError::new(operation, self.kind(access)).with_source(self)
    }

    pub(crate) fn kind(&self, access: Access) -> StoreErrorKind {
        match self {
            Self::Refused { code, .. } => refusal_kind(code, access),
            Self::Lost { .. }
            | Self::Connect { .. }
            | Self::TimedOut
            | Self::PoolTimedOut
            | Self::PoolClosed
            | Self::RuntimeEnded => StoreErrorKind::Unavailable,
            Self::Column { .. } | Self::Document { .. } | Self::Row(_) => StoreErrorKind::Corrupt,
            Self::Driver { .. } | Self::Panicked | Self::NoRuntime => StoreErrorKind::Internal,
        }
    }
}

/// Returns `true` if a statement that was prepared on this connection no longer exists, or if its
/// table was replaced by one with other types ("cached plan must not change result type").
fn is_stale_statement(code: &SqlState) -> bool {
    [
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::FEATURE_NOT_SUPPORTED,
    ]
    .contains(code)
}

/// Fix for the operator, if the cause is certain.
fn advice(code: &SqlState) -> &'static str {
    if code.code().starts_with("28") {
        return ". Fix: check the user, the password and pg_hba.conf";
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return ". Fix: grant the user the rights that the documentation of supersession-postgres lists";
    }
    if is_missing(code) {
        return ". Fix: restore the table from a backup, or restart the program to have the problem named";
    }
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return ". Fix: connect to the primary, and check `default_transaction_read_only`";
    }
    ""
}

/// Returns `true` if a schema, a table or a column that this crate created no longer exists.
fn is_missing(code: &SqlState) -> bool {
    [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::INVALID_SCHEMA_NAME,
    ]
    .contains(code)
}

fn is_connection_trouble(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
        ]
        .contains(code)
}

fn refusal_kind(code: &SqlState, access: Access) -> StoreErrorKind {
    let code_text = code.code();
    let disk = match access {
        Access::Read => StoreErrorKind::Unavailable,
        Access::Write => StoreErrorKind::NotWritable,
    };
    if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) || is_missing(code) {
        return StoreErrorKind::Corrupt;
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return match access {
            Access::Read => StoreErrorKind::Denied,
            Access::Write => StoreErrorKind::NotWritable,
        };
    }
    if [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::DISK_FULL,
        SqlState::IO_ERROR,
    ]
    .contains(code)
    {
        return disk;
    }
    // Classes: login rejected, rolled back, out of resources, operator intervention. If the
    // password was changed and is corrected, the next connection works without a restart.
    let transient = ["28", "40", "53", "57"]
        .iter()
        .any(|class| code_text.starts_with(class));
    let database_gone = *code == SqlState::INVALID_CATALOG_NAME;
    if transient
        || database_gone
        || is_connection_trouble(code)
        || *code == SqlState::LOCK_NOT_AVAILABLE
    {
        return StoreErrorKind::Unavailable;
    }
    StoreErrorKind::Internal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Fault {
        Fault::Refused {
            code: SqlState::from_code(code),
            message: String::new(),
        }
    }

    #[track_caller]
    fn check(code: &str, read: StoreErrorKind, write: StoreErrorKind) {
        assert_eq!(refused(code).kind(Access::Read), read, "{code}");
        assert_eq!(refused(code).kind(Access::Write), write, "{code}");
    }

    #[test]
    fn refusals_become_kinds_that_an_operator_can_act_on() {
        use StoreErrorKind::{Corrupt, Denied, Internal, NotWritable, Unavailable};
        for code in [
            "08006", "28000", "28P01", "3D000", "40001", "40P01", "53300", "55P03", "57014",
            "57P01", "57P03",
        ] {
            check(code, Unavailable, Unavailable);
        }
        for code in ["25006", "53100", "58030"] {
            check(code, Unavailable, NotWritable);
        }
        check("42501", Denied, NotWritable);
        for code in ["XX001", "42P01", "42703", "3F000"] {
            check(code, Corrupt, Corrupt);
        }
        check("22001", Internal, Internal);
    }

    #[test]
    fn only_a_refusal_that_is_no_loss_was_undone() {
        for code in ["22021", "23514", "40P01", "57014", "53100"] {
            assert!(refused(code).was_undone(), "{code}");
        }
        for code in ["40003", "57P01", "08006"] {
            assert!(!refused(code).was_undone(), "{code}");
        }
        assert!(!Fault::TimedOut.was_undone());
    }

    #[test]
    fn only_what_was_rolled_back_left_no_trace() {
        for code in ["40001", "40P01", "26000", "0A000"] {
            assert!(refused(code).left_no_trace(), "{code}");
        }
        for code in ["40003", "57P01", "08006", "23503"] {
            assert!(!refused(code).left_no_trace(), "{code}");
        }
        assert!(refused("57P01").is_loss() && !refused("40001").is_loss());
    }
}
