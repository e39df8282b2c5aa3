//! Faults of a single job, and their conversion to store errors.

use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::types::FromSqlError;
use supersession::JsonObjectError;
use supersession::store::{StoreError, StoreErrorKind};

/// Fault of a job. Contains no document, no key and no hash.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("SQLite refused")]
    Sqlite(#[from] rusqlite::Error),
    #[error("SQLite could not {step} the transaction")]
    Transaction {
        step: &'static str,
        source: Arc<rusqlite::Error>,
    },
    #[error("column `{column}` is not of its type")]
    Column {
        column: String,
        source: FromSqlError,
    },
    #[error("column `{column}` does not hold a JSON object")]
    Document {
        column: String,
        source: JsonObjectError,
    },
    #[error("{0}")]
    Row(&'static str),
    #[error("a job of the store panicked; this is a bug")]
    Panicked,
    #[error("SQLite rolled back the transaction by itself")]
    RolledBack,
    #[error("table `{0}` is missing: restore the database from a backup")]
    TableMissing(&'static str),
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error("the threads of the store are gone")]
    Stopped,
}

/// State of the files in which reads or writes are rejected.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(
        "damage was found in the database, so nothing is written: restore it from a backup and restart"
    )]
    Damaged,
    #[error(
        "the database file was deleted or replaced while it was open: restart to open the one at its path"
    )]
    DatabaseReplaced,
    #[error(
        "the write-ahead log or its index was deleted or replaced while the database was open: restart"
    )]
    LogReplaced,
}

/// Kind of access of a verb. Decides the error kind of a disk fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Fault {
    /// Returns `true` if SQLite could not get a lock within the time limit.
    pub(crate) fn is_busy(&self) -> bool {
        let Self::Sqlite(error) = self else {
            return false;
        };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }

    /// Returns `true` if SQLite found the file itself damaged, not a value in it.
    pub(crate) fn is_damage(&self) -> bool {
        let code = match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            Self::Transaction { source, .. } => source.sqlite_error_code(),
            _ => None,
        };
        matches!(
            code,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }

    /// Converts the fault to the error for the caller of the verb `operation`.
    pub(crate) fn into_store_error(self, operation: &'static str, access: Access) -> StoreError {
        StoreError::new(operation, self.kind(access)).with_source(self)
    }

    fn kind(&self, access: Access) -> StoreErrorKind {
        match self {
            Self::Sqlite(error) => sqlite_kind(error, access),
            Self::Transaction { source, .. } => sqlite_kind(source, access),
            Self::Column { .. } | Self::Document { .. } | Self::Row(_) | Self::TableMissing(_) => {
                StoreErrorKind::Corrupt
            }
            Self::Trouble(_) => match access {
                Access::Read => StoreErrorKind::Unavailable,
                Access::Write => StoreErrorKind::NotWritable,
            },
            Self::Panicked | Self::RolledBack | Self::Stopped => StoreErrorKind::Internal,
        }
    }
}

fn sqlite_kind(error: &rusqlite::Error, access: Access) -> StoreErrorKind {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed,
        ) => StoreErrorKind::Unavailable,
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::DiskFull
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure,
        ) => match access {
            Access::Read => StoreErrorKind::Unavailable,
            Access::Write => StoreErrorKind::NotWritable,
        },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[track_caller]
    fn check(code: i32, read: StoreErrorKind, write: StoreErrorKind) {
        let fault = || Fault::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert_eq!(
            fault().into_store_error("session", Access::Read).kind(),
            read
        );
        assert_eq!(
            fault().into_store_error("rotate", Access::Write).kind(),
            write
        );
    }

    #[test]
    fn errors_of_sqlite_become_kinds_that_an_operator_can_act_on() {
        use StoreErrorKind::{Corrupt, Internal, NotWritable, Unavailable};
        check(ffi::SQLITE_BUSY, Unavailable, Unavailable);
        check(ffi::SQLITE_BUSY_SNAPSHOT, Unavailable, Unavailable);
        check(ffi::SQLITE_LOCKED, Unavailable, Unavailable);
        check(ffi::SQLITE_PROTOCOL, Unavailable, Unavailable);
        check(ffi::SQLITE_FULL, Unavailable, NotWritable);
        check(ffi::SQLITE_READONLY, Unavailable, NotWritable);
        check(ffi::SQLITE_CANTOPEN, Unavailable, NotWritable);
        check(ffi::SQLITE_IOERR_FSYNC, Unavailable, NotWritable);
        check(ffi::SQLITE_PERM, Unavailable, NotWritable);
        check(ffi::SQLITE_CORRUPT, Corrupt, Corrupt);
        check(ffi::SQLITE_NOTADB, Corrupt, Corrupt);
        check(ffi::SQLITE_CONSTRAINT, Internal, Internal);
    }
}
