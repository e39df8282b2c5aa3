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
//! Two things are up to the workload. The refresh tokens of a session are used in turn, by anybody
//! and any number of times at once, but the successor of a token only when nobody uses the token
//! itself any more; whoever breaks this asks for a [`Call::Replay`]. And no session expires.
//!
//! # Examples
//! ```
//! use std::sync::Arc;
//! use supersession::{Sessions, store::MemoryStore};
//! use supersession_testkit::history::{History, Node, judge};
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
//!     node.increment(held.handle()).await;
//!     node.revoke(held.handle()).await;
//!     node.read(held.handle()).await;
//! }
//! let report = judge(&history.operations());
//! assert!(report.violations.is_empty(), "{report}");
//! assert_eq!((report.judged, report.unknown), (4, 0));
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

mod documents;
mod judge;
mod life;
mod lineage;
mod node;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use supersession::{RefreshHash2, RefreshToken};

pub use judge::{Report, Rule, Violation, judge};
pub use node::{Held, Node};

/// Tells refresh tokens apart, without being of use to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// What was asked. Sessions go by their handles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A new session of this user.
    Create(String),
    /// Whether the database has this session.
    Verify(String),
    /// The session's data.
    Read(String),
    /// One more on the counter in the session's data, by a modification.
    Increment(String),
    /// A member of its own in the session's data, by a merge.
    Merge(String, String),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An error, or nothing yet: it may have taken place, may still do so, or not.
    Unknown,
    /// A session, and its first refresh token.
    Created(String, TokenId),
    /// The session is there.
    Alive,
    /// There is no such session.
    Gone,
    /// The access token is of an older branch; says nothing about the session.
    RotatedOut,
    /// The session's data, after what was asked for.
    Document(Document),
    /// The next refresh token.
    Refreshed(TokenId),
    /// A refresh token was used again, and its session ended for it.
    Theft,
    /// These sessions ended by this call.
    Revoked(Vec<String>),
    /// These sessions are there.
    Listed(Vec<String>),
}

/// What the sessions of a history keep as their data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// What was asked.
    pub call: Call,
    /// What was answered.
    pub answer: Answer,
}

impl Operation {
    /// Whether this one was over when the other began.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.end < other.start
    }
}

/// All operations of a run, by all nodes.
#[derive(Debug, Default)]
pub struct History {
    /// Counts moments. A count that is taken later is greater, on every thread, which no clock that
    /// measures time can promise.
    moments: AtomicU64,
    operations: Mutex<Vec<Operation>>,
    answered: AtomicUsize,
    unknown: AtomicUsize,
}

impl History {
    /// Nothing has happened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that something is asked. To be given to [`Self::end`].
    pub fn begin(&self, node: usize, call: Call) -> usize {
        let mut operations = self.lock();
        operations.push(Operation {
            node,
            start: self.moments.fetch_add(1, Ordering::SeqCst),
            end: u64::MAX,
            call,
            answer: Answer::Unknown,
        });
        operations.len() - 1
    }

    /// Notes what was answered.
    pub fn end(&self, operation: usize, answer: Answer) {
        let moment = self.moments.fetch_add(1, Ordering::SeqCst);
        let count = if answer == Answer::Unknown {
            &self.unknown
        } else {
            &self.answered
        };
        count.fetch_add(1, Ordering::SeqCst);
        if let Some(operation) = self.lock().get_mut(operation) {
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

#[cfg(test)]
mod tests;
