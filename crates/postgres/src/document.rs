//! Names of the documents that a write can change.

use supersession::store::{SessionDocument, SessionKey};
use supersession::{AppId, UserId};

/// A document, in whichever table it is stored.
///
/// Only changes of documents can share a commit, because the batcher accepts nothing else. Every
/// verb that creates, rotates or revokes a session goes through the runner and has a commit of its
/// own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Document {
    OfSession(SessionDocument, SessionKey),
    Metadata(AppId, UserId),
}

/// The kind of a document. All documents of one kind are in one column of one table, so one
/// statement can write many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    OfSession(SessionDocument),
    Metadata,
}

impl Document {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::OfSession(which, _) => Kind::OfSession(*which),
            Self::Metadata(..) => Kind::Metadata,
        }
    }

    /// Returns the name of the `Store` method that changes it.
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::OfSession(..) => "write_document",
            Self::Metadata(..) => "write_user_metadata",
        }
    }
}
