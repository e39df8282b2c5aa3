//! What a store says when it cannot do its work.

use std::error::Error;

/// The store could not do its work. Never a verdict on a session.
///
/// Logged once for the operator and answered with 503 or 500; its text never reaches a client.
#[derive(Debug, thiserror::Error)]
#[error("store: {operation} failed: {kind}")]
pub struct StoreError {
    operation: &'static str,
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What the operator can do about a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Busy, locked, not reachable, or refusing the login. Worth another try; answered with 503.
    #[error("the store is busy, locked, not reachable or refuses the login")]
    Unavailable,
    /// The user of the store lacks a right. Answered with 503.
    #[error("the store denies access: check the rights of its user")]
    Denied,
    /// No room, or no permission to write. Answered with 503.
    #[error("the store cannot be written: check free space and permissions")]
    NotWritable,
    /// What was read back makes no sense. Answered with 500.
    #[error("stored data is damaged: restore the database from a backup")]
    Corrupt,
    /// Anything else, such as a bug. Answered with 500.
    #[error("internal error of the store")]
    Internal,
}

impl StoreError {
    /// An error of `kind` during `operation`, a verb such as `"rotate"`.
    #[must_use]
    pub fn new(operation: &'static str, kind: StoreErrorKind) -> Self {
        Self {
            operation,
            kind,
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The verb that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether another try may work.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            StoreErrorKind::Unavailable | StoreErrorKind::Denied | StoreErrorKind::NotWritable
        )
    }
}
