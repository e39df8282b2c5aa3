//! What may be folded, and who waits for it.

use supersession::store::{DocumentWrite, SessionDocument, SessionKey, WriteOutcome};
use supersession::{AppId, UnixMillis, UserId};

use crate::job::{Answer, Caller};

/// A document, wherever it is stored.
///
/// The changes of these, and nothing else, are folded: there is no way to make a [`Change`] of
/// anything else. Whatever makes, moves on or ends a session is a job.
#[derive(Clone, Debug)]
pub(crate) enum Document {
    OfSession(SessionDocument, SessionKey),
    Metadata(AppId, UserId),
}

/// Where a document is. Both documents of a session are in one row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Row {
    Session(SessionKey),
    User(AppId, UserId),
}

impl Document {
    pub(super) fn row(&self) -> Row {
        match self {
            Self::OfSession(_, key) => Row::Session(key.clone()),
            Self::Metadata(app, user) => Row::User(app.clone(), user.clone()),
        }
    }
}

/// A change of a document that somebody waits for.
pub(crate) struct Change {
    pub(crate) document: Document,
    pub(crate) write: DocumentWrite,
    pub(crate) now: UnixMillis,
    pub(super) caller: Caller<WriteOutcome>,
}

impl Change {
    pub(crate) fn new(
        document: Document,
        write: DocumentWrite,
        now: UnixMillis,
    ) -> (Self, Answer<WriteOutcome>) {
        let (caller, answer) = Caller::new();
        let change = Self {
            document,
            write,
            now,
            caller,
        };
        (change, answer)
    }
}
