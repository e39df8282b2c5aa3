//! What may share a commit, and who waits for it.

use std::sync::Arc;

use supersession::store::{DocumentWrite, SessionDocument, SessionKey, WriteOutcome};
use supersession::{AppId, UnixMillis, UserId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::run::Db;
use crate::sql::{documents, metadata};

/// A document, wherever it is stored.
///
/// The changes of these, and nothing else, may share a commit: there is no way to hand anything
/// else to the [`Batcher`](super::Batcher). Whatever makes, moves on or ends a session goes through
/// [`Runner::run`](crate::run::Runner::run) and has a commit to itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Document {
    OfSession(SessionDocument, SessionKey),
    Metadata(AppId, UserId),
}

/// Documents of one kind are in one column of one table, so one statement can write many of them.
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

    /// The verb of the contract that changes it.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::OfSession(..) => "write_document",
            Self::Metadata(..) => "write_user_metadata",
        }
    }

    /// Changes it in a statement of its own.
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

/// What a caller is told. A fault may be that of a whole batch.
pub(super) type Answer = Result<WriteOutcome, Arc<Fault>>;

/// A change of a document that somebody waits for.
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

    /// Nobody waits any more: the time of the verb is over, and its caller was told so.
    pub(super) fn is_overdue(&self) -> bool {
        self.caller.is_closed()
    }

    pub(super) fn answer(self, answer: Answer) {
        // Whose time was over in between has an answer already.
        let _ = self.caller.send(answer);
    }
}
