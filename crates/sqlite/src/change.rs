//! The changes that can be folded, and their callers.

use supersession::store::{DocumentWrite, SessionDocument, SessionKey, WriteOutcome};
use supersession::{AppId, UnixMillis, UserId};

use crate::job::{Answer, Caller};

/// A document, in whichever table it is stored.
///
/// Only changes of documents can be folded, because a [`Change`] cannot contain anything else.
/// Every operation that creates, rotates or revokes a session is a job.
#[derive(Clone, Debug)]
pub(crate) enum Document {
    OfSession(SessionDocument, SessionKey),
    Metadata(AppId, UserId),
}

/// The row of a document. Both documents of a session are in one row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Row {
    Session(SessionKey),
    User(AppId, UserId),
}

impl Document {
    pub(crate) fn row(&self) -> Row {
        match self {
            Self::OfSession(_, key) => Row::Session(key.clone()),
            Self::Metadata(app, user) => Row::User(app.clone(), user.clone()),
        }
    }
}

/// A change of a document whose caller waits for the result.
pub(crate) struct Change {
    pub(crate) document: Document,
    pub(crate) write: DocumentWrite,
    pub(crate) now: UnixMillis,
    pub(crate) caller: Caller<WriteOutcome>,
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
