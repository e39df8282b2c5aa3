//! Errors when a store is opened.

use std::error::Error;
use std::fmt;

use crate::fault::Fault;

/// Error when a store cannot be opened. The text names the server, without its password, and the
/// fix.
#[derive(Debug)]
pub struct OpenError {
    server: Option<String>,
    kind: OpenErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Reason why a store cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenErrorKind {
    /// The user name or the password is wrong, or the user lacks a right that the store needs.
    AccessDenied,
    /// The server evicts keys when its memory is full.
    Evicts,
    /// Any other reason; see the source.
    Internal,
    /// The URL is invalid, or requires a feature that is not compiled in.
    InvalidUrl,
    /// The prefix of the keys contains invalid characters.
    InvalidPrefix,
    /// A newer version of this crate has written the keys.
    NewerLayout,
    /// The caller is not in a tokio runtime.
    NoRuntime,
    /// The options name no server.
    NoServer,
    /// The server is a node of a cluster and the options name a single server, or the reverse.
    NotAsDescribed,
    /// An option is out of range; the text names it.
    OutOfRange,
    /// The server is a replica.
    Replica,
    /// The version of the server is too old.
    TooOld,
    /// The server is unreachable.
    Unreachable,
    /// The options combine confirmed revocations with a cluster.
    Unsupported,
}

impl OpenError {
    pub(crate) fn new(kind: OpenErrorKind) -> Self {
        Self {
            server: None,
            kind,
            source: None,
        }
    }

    pub(crate) fn at(mut self, server: &str) -> Self {
        self.server = Some(server.to_owned());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the reason.
    #[must_use]
    pub fn kind(&self) -> OpenErrorKind {
        self.kind
    }

    /// Returns the server, or the first node of a cluster, without user name and password.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        let kind = match &fault {
            Fault::Unreachable(_) | Fault::TimedOut => OpenErrorKind::Unreachable,
            Fault::Refused { code, .. } => match code.as_str() {
                "NOAUTH" | "WRONGPASS" | "NOPERM" => OpenErrorKind::AccessDenied,
                "LOADING" | "BUSY" | "CLUSTERDOWN" | "MASTERDOWN" => OpenErrorKind::Unreachable,
                "READONLY" => OpenErrorKind::Replica,
                "MOVED" | "CROSSSLOT" => OpenErrorKind::NotAsDescribed,
                _ => OpenErrorKind::Internal,
            },
            Fault::NewerLayout { .. } => OpenErrorKind::NewerLayout,
            _ => OpenErrorKind::Internal,
        };
        Self::new(kind).with_source(fault)
    }
}

impl OpenErrorKind {
    fn advice(self) -> &'static str {
        match self {
            Self::AccessDenied => {
                "it refuses user name, password or permissions; correct the URL, or grant the user the commands and the channel that the documentation of supersession-redis lists"
            }
            Self::Evicts => {
                "it throws sessions and keys away when its memory is full; set `maxmemory-policy noeviction`, or call `allow_eviction` if losing sessions is no harm"
            }
            Self::Internal => "it refused, or the driver failed",
            Self::OutOfRange => "an option is out of range",
            Self::InvalidUrl => {
                "the URL has a parameter that is not supported, or is not of the form `redis://user:password@host:port/database`; `rediss://` needs the feature `tls`"
            }
            Self::InvalidPrefix => {
                "the prefix of the keys must be letters, digits and any of `:._-`, and not empty"
            }
            Self::NewerLayout => {
                "a newer version of supersession-redis has written its keys; upgrade this program or choose another prefix"
            }
            Self::NoRuntime => "open it inside a tokio runtime, and keep that runtime running",
            Self::NoServer => "no server was given; call `url` or `cluster`",
            Self::NotAsDescribed => {
                "whether it is a cluster is not as the options say; call `cluster` for a cluster, and `url` for a single server"
            }
            Self::Replica => "it is a replica, which cannot be written; connect to the master",
            Self::TooOld => "it is too old; Redis 6.2 or Valkey 7.2 is needed",
            Self::Unreachable => {
                "nobody answers there in time; start the server, or correct host and port"
            }
            Self::Unsupported => {
                "a cluster cannot confirm revocations; leave out `confirm_revocations`"
            }
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(server) => write!(f, "cannot open the session store at `{server}`: ")?,
            None => f.write_str("cannot open the session store: ")?,
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
