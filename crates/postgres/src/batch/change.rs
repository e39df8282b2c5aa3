//! The changes that can share a commit, and their callers.

use std::sync::Arc;

use supersession::UnixMillis;
use supersession::store::{DocumentWrite, WriteOutcome};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::fault::Fault;

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
