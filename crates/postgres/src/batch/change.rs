//! The changes that can share a commit, and their callers.

use std::sync::Arc;

use supersession::store::{DocumentWrite, SessionDocument, SessionKey, WriteOutcome};
use supersession::{AppId, UnixMillis, UserId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::run::Db;
use crate::sql::{documents, metadata};

/// A document, in whichever table it is stored.
///
/// Only changes of documents can share a commit, because the [`Batcher`](super::Batcher) accepts
/// nothing else. Every operation that creates, rotates or revokes a session goes through
/// [`Runner::run`](crate::run::Runner::run) and has a commit of its own.
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
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::OfSession(..) => "write_document",
            Self::Metadata(..) => "write_user_metadata",
        }
    }

    /// Changes the document in a statement of its own.
    pub(super) async fn write(
        self,
        db: Db,
        write: DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, Fault> {
        match self {
            Self::OfSession(which, key) => documents::write(db, key, which, write, now).await,
            Self::Metadata(app, user) => metadata::write(db, app, user, write).await,
        }
    }
}

/// The result for one caller. All callers of a batch can share a fault.
pub(super) type Answer = Result<WriteOutcome, Arc<Fault>>;

/// A change of a document whose caller waits for the result.
pub(super) struct Change {
    pub(super) write: DocumentWrite,
    pub(super) now: UnixMillis,
    pub(super) deadline: Instant,
    caller: oneshot::Sender<Answer>,
}

impl Change {
    pub(super) fn new(
        write: DocumentWrite,
        now: UnixMillis,
        deadline: Instant,
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (caller, answer) = oneshot::channel();
        let change = Self {
            write,
            now,
            deadline,
            caller,
        };
        (change, answer)
    }

    /// Returns `true` if the caller no longer waits, because the time limit was reached and the
    /// caller has received an error.
    pub(super) fn is_overdue(&self) -> bool {
        self.caller.is_closed()
    }

    pub(super) fn answer(self, answer: Answer) {
        // The caller may have timed out in the meantime and already have an error.
        let _ = self.caller.send(answer);
    }
}
