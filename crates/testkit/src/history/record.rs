//! Operations, their answers, and the history that records them.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use supersession::{Clock, RefreshHash2, RefreshToken, UnixMillis};

use crate::ManualClock;

/// Identifies a refresh token in a history without being usable as a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenId(pub u64);

impl TokenId {
    /// Returns the id of a token.
    #[must_use]
    pub fn of(token: &RefreshToken) -> Self {
        let mut hasher = DefaultHasher::new();
        RefreshHash2::of(token).as_str().hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A document, identified by its session or its user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// The session data of a session.
    SessionData(String),
    /// The stored access token payload of a session.
    Payload(String),
    /// The metadata of a user.
    Metadata(String),
}

impl Place {
    /// Returns the session, or `None` for a document of a user.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::SessionData(session) | Self::Payload(session) => Some(session),
            Self::Metadata(_) => None,
        }
    }
}

/// An operation's request. Sessions are identified by their handles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Creates a session for this user.
    Create(String),
    /// Checks in the database that the session is live.
    Verify(String),
    /// Checks the session as a guard does that relies on the store's revocation feed.
    Guard(String),
    /// Waits until the session ends.
    Await(String),
    /// Reads a document.
    Read(Place),
    /// Increments the counter in a document by a modification.
    Increment(Place),
    /// Adds a unique member to a document by a merge.
    Merge(Place, String),
    /// Exchanges a refresh token that is current, or that was replaced a moment ago.
    Refresh(String, TokenId),
    /// Presents a refresh token that is known to be invalid. It must be rejected, and the session
    /// is revoked.
    Replay(String, TokenId),
    /// Revokes a session.
    Revoke(String),
    /// Revokes all sessions of a user.
    RevokeAll(String),
    /// Lists the sessions of a user.
    List(String),
}

/// An operation's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// An error, or no answer yet. The operation may have taken place, may still take place, or may
    /// never take place.
    Unknown,
    /// The new session and its first refresh token.
    Created(String, TokenId),
    /// The session is live.
    Alive,
    /// The session does not exist, or no longer exists.
    Gone,
    /// The access token belongs to a rotated-out branch, or has expired. Says nothing about the
    /// session.
    RotatedOut,
    /// The document after the operation.
    Document(Document),
    /// The next refresh token, and the payload of the access token that was issued with it.
    Refreshed(TokenId, Document),
    /// A refresh token was reused, and the session was revoked.
    Theft,
    /// The sessions that this call revoked.
    Revoked(Vec<String>),
    /// The sessions that exist.
    Listed(Vec<String>),
}

impl Answer {
    /// Returns `true` if the answer is a list that contains this session.
    pub(super) fn names(&self, handle: &str) -> bool {
        match self {
            Self::Revoked(handles) | Self::Listed(handles) => {
                handles.iter().any(|listed| listed == handle)
            }
            _ => false,
        }
    }
}

/// The content of a document in a history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Value of the counter.
    pub counter: u64,
    /// The merged members.
    pub members: BTreeSet<String>,
}

/// A recorded operation. `start` and `end` are positions in a single order that all tasks of the
/// process share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The node that performed it.
    pub node: usize,
    /// Position at which it began.
    pub start: u64,
    /// Position at which it was answered, or [`u64::MAX`] if it never was.
    pub end: u64,
    /// Time of the nodes' clock before the operation.
    pub asked: UnixMillis,
    /// Time of the nodes' clock after the answer.
    pub answered: UnixMillis,
    /// The request.
    pub call: Call,
    /// The answer.
    pub answer: Answer,
}

impl Operation {
    /// Returns `true` if this operation ended before `other` began. An operation with an unknown
    /// outcome is never before another one, because it may still be executed after its caller has
    /// given up.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.answer != Answer::Unknown && self.end < other.start
    }
}

/// All operations of a run, on all nodes.
pub struct History {
    /// Counts positions. A later increment returns a greater value on every thread, which no clock
    /// guarantees.
    moments: AtomicU64,
    clock: Arc<dyn Clock>,
    operations: Mutex<Vec<Operation>>,
    answered: AtomicUsize,
    unknown: AtomicUsize,
}

impl History {
    /// Creates an empty history in which no time passes.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(ManualClock::new(UnixMillis::default()))
    }

    /// Creates an empty history. All nodes must use this clock.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        Self {
            moments: AtomicU64::new(0),
            clock: Arc::new(clock),
            operations: Mutex::default(),
            answered: AtomicUsize::new(0),
            unknown: AtomicUsize::new(0),
        }
    }

    /// Records the start of an operation. The result must be passed to [`Self::end`].
    pub fn begin(&self, node: usize, call: Call) -> usize {
        let asked = self.clock.now();
        let mut operations = self.lock();
        operations.push(Operation {
            node,
            start: self.moments.fetch_add(1, Ordering::SeqCst),
            end: u64::MAX,
            asked,
            answered: UnixMillis::new(u64::MAX),
            call,
            answer: Answer::Unknown,
        });
        operations.len() - 1
    }

    /// Records the answer of an operation.
    pub fn end(&self, operation: usize, answer: Answer) {
        let answered = self.clock.now();
        let moment = self.moments.fetch_add(1, Ordering::SeqCst);
        let count = if answer == Answer::Unknown {
            &self.unknown
        } else {
            &self.answered
        };
        count.fetch_add(1, Ordering::SeqCst);
        if let Some(operation) = self.lock().get_mut(operation) {
            if answer != Answer::Unknown {
                operation.answered = answered;
            }
            operation.end = moment;
            operation.answer = answer;
        }
    }

    /// Returns the number of operations answered so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    /// Returns the number of operations that have failed so far.
    pub fn unknown(&self) -> usize {
        self.unknown.load(Ordering::SeqCst)
    }

    /// Returns the recorded operations, ordered by start.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Operation>> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("answered", &self.answered())
            .field("unknown", &self.unknown())
            .finish_non_exhaustive()
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}
