//! Faults of a single verb, and their conversion to store errors.

use redis::{ErrorKind, RedisError};
use supersession::JsonObjectError;
use supersession::store::{StoreError, StoreErrorKind};

/// Fault of a verb. Contains no document, no key and no hash.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the server is not reachable: {0}")]
    Unreachable(String),
    #[error("the server did not answer in time")]
    TimedOut,
    #[error("the server refused: {code} {detail}")]
    Refused { code: String, detail: String },
    #[error("the driver failed: {0}")]
    Driver(String),
    #[error("{0} is not what this store writes")]
    Damaged(&'static str),
    #[error("`{field}` does not hold a JSON object: {reason}")]
    Document { field: &'static str, reason: String },
    #[error("others changed the document {0} times while this change was under way")]
    Contended(u32),
    #[error("it is done, but only {confirmed} of {wanted} replicas have confirmed it in time")]
    TooFewReplicas { confirmed: i64, wanted: u32 },
    #[error(
        "the layout of the keys is version {found}, this program knows {known}; upgrade it or choose another prefix"
    )]
    NewerLayout { found: String, known: u32 },
    #[error("the tokio runtime in which the store was opened has ended; keep it running")]
    RuntimeEnded,
    #[error("a verb of the store panicked; this is a bug")]
    Panicked,
}

impl Fault {
    pub(crate) fn document(field: &'static str, error: &JsonObjectError) -> Self {
        Self::Document {
            field,
            reason: error.to_string(),
        }
    }

    /// Converts the fault to the error for the caller of the verb `operation`.
    pub(crate) fn into_store_error(self, operation: &'static str) -> StoreError {
        StoreError::new(operation, self.kind()).with_source(self)
    }

    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Unreachable(_)
            | Self::TimedOut
            | Self::Contended(_)
            | Self::TooFewReplicas { .. }
            | Self::RuntimeEnded => StoreErrorKind::Unavailable,
            Self::Damaged(_) | Self::Document { .. } => StoreErrorKind::Corrupt,
            Self::Driver(_) | Self::Panicked | Self::NewerLayout { .. } => StoreErrorKind::Internal,
            Self::Refused { code, detail } => match code.as_str() {
                // Before version 7, errors inside a script arrive as `ERR` with the code in the
                // text.
                "ERR"
                    if ["-OOM", "-READONLY", "-MISCONF", "-NOREPLICAS"]
                        .iter()
                        .any(|code| detail.contains(code)) =>
                {
                    StoreErrorKind::NotWritable
                }
                // Rights are also checked inside scripts. Such errors have no code of their own.
                "ERR" if detail.contains("The user executing the script can't") => {
                    StoreErrorKind::Denied
                }
                "OOM" | "READONLY" | "MISCONF" | "NOREPLICAS" => StoreErrorKind::NotWritable,
                "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "MOVED"
                | "ASK" | "NOAUTH" | "WRONGPASS" => StoreErrorKind::Unavailable,
                "NOPERM" => StoreErrorKind::Denied,
                "WRONGTYPE" => StoreErrorKind::Corrupt,
                _ => StoreErrorKind::Internal,
            },
        }
    }

    /// Returns `true` if a new connection may help.
    pub(crate) fn spoils_connection(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut | Self::Driver(_) => true,
            // After a failover, the name may already resolve to the new master.
            Self::Refused { code, .. } => {
                matches!(code.as_str(), "READONLY" | "NOAUTH" | "MASTERDOWN")
            }
            _ => false,
        }
    }

    /// Returns `true` if the server certainly did nothing, and may accept the verb soon.
    pub(crate) fn is_redirection(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                matches!(code.as_str(), "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN")
            }
            _ => false,
        }
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            _ if error.is_timeout() => Self::TimedOut,
            ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => {
                Self::Unreachable(error.to_string())
            }
            ErrorKind::AuthenticationFailed => Self::Refused {
                code: "WRONGPASS".to_owned(),
                detail: "the user name or the password is wrong".to_owned(),
            },
            ErrorKind::Server(_) | ErrorKind::Extension => {
                let code = error.code().unwrap_or("ERR");
                // The rest of the text contains arguments, including documents and keys.
                let detail = error.detail().unwrap_or_default();
                let detail = detail.split(", with args").next().unwrap_or_default();
                Self::Refused {
                    code: code.to_owned(),
                    detail: detail.to_owned(),
                }
            }
            kind => Self::Driver(format!("{kind:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, detail: &str, expected: StoreErrorKind) {
        let error = redis::make_extension_error(code.to_owned(), Some(detail.to_owned()));
        let error = Fault::from(error).into_store_error("rotate");
        assert_eq!(error.kind(), expected, "{code} {detail}");
        assert_eq!(error.operation(), "rotate");
    }

    #[test]
    fn errors_of_the_server_become_kinds_that_an_operator_can_act_on() {
        use StoreErrorKind::{Corrupt, Denied, Internal, NotWritable, Unavailable};
        check("OOM", "command not allowed", NotWritable);
        check("MISCONF", "unable to persist", NotWritable);
        check("READONLY", "a replica", NotWritable);
        check("NOREPLICAS", "not enough", NotWritable);
        check("ERR", "script: -OOM command not allowed", NotWritable);
        check("ERR", "script: -MISCONF errors writing", NotWritable);
        check("LOADING", "loading the dataset", Unavailable);
        check("BUSY", "a script runs", Unavailable);
        check("CLUSTERDOWN", "the cluster is down", Unavailable);
        check("NOAUTH", "Authentication required.", Unavailable);
        check("WRONGTYPE", "the wrong kind of value", Corrupt);
        check("NOPERM", "no permission", Denied);
        let in_script = "The user executing the script can't run this command or subcommand";
        check("ERR", in_script, Denied);
        check("ERR", "unknown command", Internal);
    }

    #[test]
    fn arguments_are_not_repeated() {
        let detail = "unknown command 'EVALSHA', with args beginning with: 'the secret'";
        let error = redis::make_extension_error("ERR".to_owned(), Some(detail.to_owned()));
        let fault = Fault::from(error);
        assert!(!format!("{fault} {fault:?}").contains("secret"));
    }
}
