//! The error of a store.

use std::error::Error;

/// A failure of the store. Never a verdict on a session.
///
/// Logged once for the operator and answered with 503 or 500. The client never receives its text.
#[derive(Debug, thiserror::Error)]
#[error("store: {operation} failed: {kind}")]
pub struct StoreError {
    operation: &'static str,
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kind of a [`StoreError`], which determines the operator's reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Busy, locked, unreachable, or rejecting the login. A retry may succeed; answered with 503.
    #[error("the store is busy, locked, not reachable or refuses the login")]
    Unavailable,
    /// The database user lacks a privilege. Answered with 503.
    #[error("the store denies access: check the rights of its user")]
    Denied,
    /// The disk is full or read-only. Answered with 503.
    #[error("the store cannot be written: check free space and permissions")]
    NotWritable,
    /// Stored values are corrupt. Answered with 500.
    #[error("stored data is damaged: restore the database from a backup")]
    Corrupt,
    /// Any other failure, such as a bug. Answered with 500.
    #[error("internal error of the store")]
    Internal,
}

impl StoreError {
    /// Creates an error of `kind` in `operation`, a method name such as `"rotate"`.
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

    /// Returns the kind of error.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Returns the operation that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns `true` if a retry may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            StoreErrorKind::Unavailable | StoreErrorKind::Denied | StoreErrorKind::NotWritable
        )
    }
}
