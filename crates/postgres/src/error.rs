//! Errors when a database is opened.

use std::error::Error;
use std::fmt;

use tokio_postgres::error::SqlState;

use crate::fault::Fault;
use crate::schema::SchemaProblem;

/// Error when a database cannot be opened. The text names the database, without its password, and
/// the fix.
#[derive(Debug)]
pub struct OpenError {
    database: Option<String>,
    kind: OpenErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Reason why a database cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenErrorKind {
    /// Another node, or a long transaction, held a lock that a migration needs.
    Busy,
    /// A certificate cannot be read, or no trusted certificates exist.
    Certificates,
    /// The database that the URL names does not exist.
    DatabaseMissing,
    /// The encoding of the database is not UTF8.
    Encoding,
    /// A table or a column is missing although the tables were migrated.
    Incomplete,
    /// Any other reason; see the source.
    Internal,
    /// The name of a schema or a prefix is invalid.
    InvalidName,
    /// The URL is invalid.
    InvalidUrl,
    /// A newer version of this crate has migrated the database.
    NewerSchema,
    /// The options name neither a URL nor a pool.
    NoLocation,
    /// The caller is not in a tokio runtime.
    NoRuntime,
    /// The user or the password is wrong, or the server rejects this user.
    NotAllowed,
    /// The tables are missing or old, and this user may not create or change them.
    NotWritable,
    /// An option is out of range; the text names it.
    OutOfRange,
    /// Tables of these names belong to another program, or to a SuperTokens core that is too old.
    OtherProgram,
    /// The server cannot be reached, or does not answer.
    Unreachable,
    /// The TLS mode in the URL protects less than its name suggests.
    WeakSslMode,
}

impl OpenError {
    pub(crate) fn new(database: Option<&str>, kind: OpenErrorKind) -> Self {
        Self {
            database: database.map(str::to_owned),
            kind,
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn from_fault(database: Option<&str>, fault: Fault) -> Self {
        let kind = match &fault {
            Fault::Connect { .. }
            | Fault::Lost { .. }
            | Fault::TimedOut
            | Fault::PoolTimedOut
            | Fault::PoolClosed => OpenErrorKind::Unreachable,
            Fault::Refused { code, .. } => refusal_kind(code),
            _ => OpenErrorKind::Internal,
        };
        Self::new(database, kind).with_source(fault)
    }

    pub(crate) fn from_schema(database: Option<&str>, problem: SchemaProblem) -> Self {
        match problem {
            SchemaProblem::OtherProgram { table, column } => {
                Self::new(database, OpenErrorKind::OtherProgram)
                    .with_source(format!("table `{table}` has no column `{column}`"))
            }
            SchemaProblem::Missing { table, column } => {
                let what = match column {
                    Some(column) => format!("the column `{column}` of table `{table}` is missing"),
                    None => format!("the table `{table}` is missing"),
                };
                Self::new(database, OpenErrorKind::Incomplete).with_source(what)
            }
            SchemaProblem::Newer => Self::new(database, OpenErrorKind::NewerSchema),
            SchemaProblem::Fault(fault) => Self::from_fault(database, fault),
        }
    }

    /// Returns the reason.
    #[must_use]
    pub fn kind(&self) -> OpenErrorKind {
        self.kind
    }
}

fn refusal_kind(code: &SqlState) -> OpenErrorKind {
    if *code == SqlState::INVALID_CATALOG_NAME {
        OpenErrorKind::DatabaseMissing
    } else if code.code().starts_with("28") {
        OpenErrorKind::NotAllowed
    } else if [
        SqlState::INSUFFICIENT_PRIVILEGE,
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ]
    .contains(code)
    {
        OpenErrorKind::NotWritable
    } else if [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        SqlState::T_R_DEADLOCK_DETECTED,
    ]
    .contains(code)
    {
        OpenErrorKind::Busy
    } else if ["08", "53", "57"]
        .iter()
        .any(|class| code.code().starts_with(class))
    {
        OpenErrorKind::Unreachable
    } else {
        OpenErrorKind::Internal
    }
}

impl OpenErrorKind {
    fn advice(self) -> &'static str {
        match self {
            Self::Busy => {
                "another node or a long transaction holds a lock that the migration needs; try again"
            }
            Self::Certificates => {
                "there are no certificates to trust; give the authority's, in PEM, with `root_certificates` or `sslrootcert`, or install ca-certificates"
            }
            Self::DatabaseMissing => "it does not exist; create it with `createdb`",
            Self::Encoding => {
                "its encoding cannot hold all user ids and documents; create a database with `createdb --encoding=UTF8 --template=template0`"
            }
            Self::Incomplete => {
                "a table or a column is missing; restore it from a backup, or run `DELETE FROM supersession_schema` to have what is missing created empty when the database is opened next"
            }
            Self::Internal => "PostgreSQL or the driver refused",
            Self::InvalidName => {
                "the schema or the prefix cannot be used: a schema has letters, digits, `_` and `-`, a prefix at most 16 lower-case letters, digits and `_`"
            }
            Self::InvalidUrl => {
                "the URL cannot be read, or has a parameter that is not supported; it has the form postgres://user:password@host:5432/database?sslmode=require, with special characters in percent encoding"
            }
            Self::NewerSchema => {
                "a newer version of supersession-postgres has migrated it; upgrade this program"
            }
            Self::NoLocation => "no database was given; call `url` or `pool`",
            Self::NoRuntime => "there is no tokio runtime; open it inside one with I/O and time",
            Self::NotAllowed => {
                "the server lets this user not in; check user, password and pg_hba.conf"
            }
            Self::NotWritable => {
                "its tables are missing or old and this user may not change them; open it once as the owner of the schema, on a server that can be written"
            }
            Self::OtherProgram => {
                "it has tables of these names that are not SuperTokens' of core 6.0 or later; upgrade that core first, or choose another schema or prefix"
            }
            Self::OutOfRange => "an option is out of range",
            Self::Unreachable => {
                "the server cannot be reached; check that it runs, host, port, and whether it demands or refuses TLS (`sslmode`)"
            }
            Self::WeakSslMode => {
                "`sslmode=verify-ca`, and a mode below `verify-full` beside `sslrootcert=system`, would take a certificate for another name; use `sslmode=verify-full`"
            }
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(database) => write!(f, "cannot open the session database `{database}`: ")?,
            None => f.write_str("cannot open the session database: ")?,
        }
        f.write_str(self.kind.advice())?;
        match &self.source {
            Some(option) if self.kind == OpenErrorKind::OutOfRange => write!(f, ": {option}"),
            _ => Ok(()),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
