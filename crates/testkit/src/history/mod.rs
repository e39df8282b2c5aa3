//! Consistency checks of concurrent executions: a [`History`] records operations and their answers,
//! and [`judge`] checks it afterwards for violations of the promises.
//!
//! Tasks drive [`Node`]s, each with its own [`Sessions`](supersession::Sessions) and its own
//! connections. Every operation is recorded with its start, its end, the call and the answer. After
//! an error it is unknown if the operation took place ([`Answer::Unknown`]). The judge has no other
//! information: one operation precedes another only if it ended before the other began. It
//! therefore reports only histories that are wrong in *every* possible order. [`Rule`] lists the
//! violations that it looks for.
//!
//! The workload must follow one rule. The refresh tokens of a session are used in sequence: any
//! number of tasks may present the same token at once, but its successor may be presented only
//! after the last use of the token itself. A workload that violates this on purpose makes a
//! [`Call::Replay`].
//!
//! The judge takes the lifetimes from [`Terms`], and the time from a clock that all nodes share and
//! that never goes back ([`History::with_clock`]). Without them, no session expires and no grace
//! period ends.
//!
//! To read the module, begin with `record` (operations, answers and the history) and `report` (the
//! rules). `judge` groups the operations by session (`story`) and passes each group to the files
//! with the rules: `life` (existence, revocation and lists), `lineage` (refresh tokens), `expiry`
//! (lifetimes), `feed` (the revocation feed) and `documents` (writes). `node` and `engine` perform
//! operations and do not judge. `tests` has small histories written by hand, good and bad.
//!
//! A node forwards each operation to an [`Engine`]: one in this process ([`Local`]), or one that
//! sends an [`Ask`] to another process and returns its answer.
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
mod record;
mod report;
mod story;

pub use engine::{Ask, Engine, Held, Local};
pub use judge::judge;
pub use node::Node;
pub use record::{Answer, Call, Document, History, Operation, Place, TokenId};
pub use report::{Report, Rule, Terms, Violation};

#[cfg(test)]
mod tests;
