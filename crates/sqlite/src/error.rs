//! Errors when a database is opened.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::schema::SchemaProblem;

/// Error when a database cannot be opened. The text names the file and the fix.
#[derive(Debug)]
pub struct OpenError {
    path: Option<PathBuf>,
    kind: OpenErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Reason why a database cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenErrorKind {
    /// The name is neither a path nor a URL of a SQLite database.
    BadName,
    /// Another process kept the database locked for longer than the busy timeout.
    Busy,
    /// The directory of the file does not exist.
    DirectoryMissing,
    /// Any other reason; see the source.
    Internal,
    /// A newer version of this crate has migrated the database.
    NewerSchema,
    /// The options name neither a path nor memory.
    NoLocation,
    /// The file is not a SQLite database, or it is damaged.
    NotADatabase,
    /// The file or its directory cannot be written.
    NotWritable,
    /// The file is a SQLite database of another program.
    OtherProgram,
    /// An option is out of range; the text names it.
    OutOfRange,
    /// The database lacks one of its tables; the text names it.
    TableMissing,
    /// The file system does not support shared memory, which the write-ahead log needs. Network
    /// file systems do not.
    Unsupported,
}

impl OpenError {
    pub(crate) fn new(path: Option<&Path>, kind: OpenErrorKind) -> Self {
        Self {
            path: path.map(Path::to_path_buf),
            kind,
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn from_sqlite(path: Option<&Path>, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenErrorKind::Busy,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                OpenErrorKind::NotADatabase
            }
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::DiskFull
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly,
            ) => OpenErrorKind::NotWritable,
            _ => OpenErrorKind::Internal,
        };
        Self::new(path, kind).with_source(error)
    }

    pub(crate) fn from_io(path: Option<&Path>, error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => OpenErrorKind::DirectoryMissing,
            ErrorKind::IsADirectory => OpenErrorKind::NotADatabase,
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded => OpenErrorKind::NotWritable,
            _ => OpenErrorKind::Internal,
        };
        Self::new(path, kind).with_source(error)
    }

    pub(crate) fn from_schema(path: Option<&Path>, problem: SchemaProblem) -> Self {
        match problem {
            SchemaProblem::OtherProgram => Self::new(path, OpenErrorKind::OtherProgram),
            SchemaProblem::Newer => Self::new(path, OpenErrorKind::NewerSchema),
            SchemaProblem::Sqlite(error) => Self::from_sqlite(path, error),
        }
    }

    /// Returns the reason.
    #[must_use]
    pub fn kind(&self) -> OpenErrorKind {
        self.kind
    }

    /// Returns the file, or `None` for a database in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl OpenErrorKind {
    /// Returns `true` if the source is a text of this crate that completes the advice.
    fn is_explained_by_source(self) -> bool {
        matches!(self, Self::BadName | Self::OutOfRange | Self::TableMissing)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::BadName => "its name cannot be used",
            Self::Busy => {
                "another process keeps it locked; stop that process or raise the busy timeout"
            }
            Self::DirectoryMissing => "its directory does not exist; create the directory first",
            Self::Internal => "SQLite or the operating system refused",
            Self::NewerSchema => {
                "a newer version of supersession-sqlite has written it; upgrade this program or restore a backup"
            }
            Self::NoLocation => "no location was given; call `path` or `in_memory`",
            Self::NotADatabase => {
                "it is not a SQLite database, or it is damaged; restore it from a backup or choose another path"
            }
            Self::NotWritable => {
                "it cannot be written; check the permissions of the file and of its directory, and free space"
            }
            Self::OutOfRange => "an option is out of range",
            Self::OtherProgram => "it is the database of another program; choose another path",
            Self::TableMissing => "restore it from a backup; a table is missing",
            Self::Unsupported => {
                "its file system cannot hold a write-ahead log; choose a path on a local disk"
            }
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "cannot open the session database `{}`: ", path.display())?,
            None => f.write_str("cannot open the session database: ")?,
        }
        f.write_str(self.kind.advice())?;
        match &self.source {
            Some(detail) if self.kind.is_explained_by_source() => write!(f, ": {detail}"),
            _ => Ok(()),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
