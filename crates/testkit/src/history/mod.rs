//! Did a store keep its promises, whatever happened meanwhile? A [`History`] of what was asked and
//! answered, and [`judge`], which reads it afterwards.
//!
//! Tasks drive [`Node`]s, each with a [`Sessions`](supersession::Sessions) value and connections of
//! its own; every operation is noted with when it began, when it ended, what was asked and what was
//! answered. An error leaves open whether the operation took place ([`Answer::Unknown`]). The judge
//! knows no more than that: of two operations the first came first only if it ended before the
//! second began. What it reports is therefore wrong in *every* order that is possible. See [`Rule`]
//! for what it looks at.
//!
//! One thing is up to the workload: the refresh tokens of a session are used in turn, by anybody and
//! any number of times at once, but the successor of a token only when nobody uses the token itself
//! any more. Whoever breaks this asks for a [`Call::Replay`].
//!
//! What the passing of time allows and demands, the judge knows from [`Terms`], and from a clock that
//! all nodes share and that goes forward only ([`History::with_clock`]). Without one, no session
//! expires and no grace window ends.
//!
//! A node asks an [`Engine`]: one in this process ([`Local`]), or whatever carries an [`Ask`] to
//! another process and its answer back.
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//! use supersession::{Sessions, store::MemoryStore};
//! use supersession_testkit::history::{History, Node, Place, Terms, judge};
//!
//! # async fn example() -> Result<(), supersession::BuildError> {
//! let sessions = Sessions::builder(MemoryStore::new())
//!     .api_domain("https://api.example.com")
//!     .website_domain("https://example.com")
//!     .build()
//!     .await?;
//! let history = Arc::new(History::new());
//! let node = Node::new(0, sessions, &history);
//! if let Some(held) = node.create("alice").await {
//!     let data = Place::SessionData(held.handle().to_owned());
//!     node.increment(&data).await;
//!     node.revoke(held.handle()).await;
//!     node.read(&data).await;
//! }
//! let report = judge(&history.operations(), Terms::default());
//! assert!(report.violations.is_empty(), "{report}");
//! assert_eq!((report.judged, report.unknown), (4, 0));
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

mod documents;
mod engine;
mod expiry;
mod feed;
mod judge;
mod life;
mod lineage;
mod node;

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use supersession::{Clock, RefreshHash2, RefreshToken, UnixMillis};

use crate::ManualClock;

pub use engine::{Ask, Engine, Held, Local};
pub use judge::{Report, Rule, Terms, Violation, judge};
pub use node::Node;

/// Tells refresh tokens apart, without being of use to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenId(pub u64);

impl TokenId {
    /// The id of a token.
    #[must_use]
    pub fn of(token: &RefreshToken) -> Self {
        let mut hasher = DefaultHasher::new();
        RefreshHash2::of(token).as_str().hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A document, by its session or its user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// The data of a session.
    SessionData(String),
    /// The access token payload of a session, as it is stored.
    Payload(String),
    /// The metadata of a user.
    Metadata(String),
}

impl Place {
    /// The session; none if it is of a user.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::SessionData(session) | Self::Payload(session) => Some(session),
            Self::Metadata(_) => None,
        }
    }
}

/// What was asked. Sessions go by their handles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A new session of this user.
    Create(String),
    /// Whether the database has this session.
    Verify(String),
    /// Whether a guard that relies on the store's feed of endings lets the session through.
    Guard(String),
    /// To be told when the session ends.
    Await(String),
    /// A document.
    Read(Place),
    /// One more on the counter in a document, by a modification.
    Increment(Place),
    /// A member of its own in a document, by a merge.
    Merge(Place, String),
    /// The successor of a refresh token that is current, or was until a moment ago.
    Refresh(String, TokenId),
    /// A refresh with a token that is known to be good no more: it must be refused, and ends the
    /// session.
    Replay(String, TokenId),
    /// The end of a session.
    Revoke(String),
    /// The end of all sessions of a user.
    RevokeAll(String),
    /// The sessions of a user.
    List(String),
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// An error, or nothing yet: it may have taken place, may still do so, or not.
    Unknown,
    /// A session, and its first refresh token.
    Created(String, TokenId),
    /// The session is there.
    Alive,
    /// There is no such session, or not any more.
    Gone,
    /// The access token is of an older branch, or has expired; says nothing about the session.
    RotatedOut,
    /// The document, after what was asked for.
    Document(Document),
    /// The next refresh token, and the payload in the access token beside it.
    Refreshed(TokenId, Document),
    /// A refresh token was used again, and its session ended for it.
    Theft,
    /// These sessions ended by this call.
    Revoked(Vec<String>),
    /// These sessions are there.
    Listed(Vec<String>),
}

/// What the documents of a history hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// How often it was counted.
    pub counter: u64,
    /// What was merged.
    pub members: BTreeSet<String>,
}

/// One operation. `start` and `end` are moments of one order that all tasks of the process share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The node that was asked.
    pub node: usize,
    /// When it was asked.
    pub start: u64,
    /// When it was answered; [`u64::MAX`] if it never was.
    pub end: u64,
    /// What the clock of the nodes showed before it was asked.
    pub asked: UnixMillis,
    /// What it showed after the answer.
    pub answered: UnixMillis,
    /// What was asked.
    pub call: Call,
    /// What was answered.
    pub answer: Answer,
}

impl Operation {
    /// Whether this one was over when the other began. One of unknown outcome may never be: whoever
    /// has given up does not know what is still under way.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.answer != Answer::Unknown && self.end < other.start
    }
}

/// All operations of a run, by all nodes.
pub struct History {
    /// Counts moments. A count that is taken later is greater, on every thread, which no clock that
    /// measures time can promise.
    moments: AtomicU64,
    clock: Arc<dyn Clock>,
    operations: Mutex<Vec<Operation>>,
    answered: AtomicUsize,
    unknown: AtomicUsize,
}

impl History {
    /// Nothing has happened, and no time passes.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(ManualClock::new(UnixMillis::default()))
    }

    /// Nothing has happened. The clock is the one of all nodes.
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

    /// Notes that something is asked. To be given to [`Self::end`].
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

    /// Notes what was answered.
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

    /// How many operations were answered so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    /// How many ended in an error so far.
    pub fn unknown(&self) -> usize {
        self.unknown.load(Ordering::SeqCst)
    }

    /// What has happened, in the order in which it was asked.
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

#[cfg(test)]
mod tests;
