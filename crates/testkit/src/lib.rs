//! Test support for [Supersession](supersession), and for authors of stores and adapters.
//!
//! * [`store_conformance!`] runs the suite that every store must pass; see [`store`] for its usage.
//! * [`adapter_conformance!`] runs the script to which every adapter must give the same responses,
//!   byte for byte; see [`adapter`] for its usage.
//! * [`ManualClock`] advances only when a test advances it. [`FileClock`] does the same for several
//!   processes. [`SeededEntropy`] returns the same bytes in every run.
//! * [`servers`] starts database servers for tests that need real ones.
//! * [`history`] records the requests and responses of several nodes, and finds those that
//!   contradict the guarantees.
//! * [`FaultStore`] wraps a store, fails on demand, and records which operations were called.
//!
//! For tests only: the randomness is predictable, and assertions panic.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//! use supersession::store::{MemoryStore, StoreErrorKind};
//! use supersession::{AppId, Clock, Store, UnixMillis};
//! use supersession_testkit::{FaultStore, ManualClock, PlannedFault, Verb};
//!
//! # async fn example() -> Result<(), supersession::store::StoreError> {
//! let clock = ManualClock::new(UnixMillis::new(1_000));
//! clock.advance(Duration::from_secs(2));
//! assert_eq!(clock.now(), UnixMillis::new(3_000));
//!
//! let store = FaultStore::new(MemoryStore::new());
//! store.plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::SigningKeys));
//! assert!(store.signing_keys(&AppId::default()).await.is_err());
//! assert!(store.signing_keys(&AppId::default()).await?.is_empty());
//! assert_eq!(store.calls(), [Verb::SigningKeys, Verb::SigningKeys]);
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

pub mod adapter;
mod clock;
mod entropy;
mod fault;
pub mod history;
pub mod servers;
pub mod store;

pub use clock::{FileClock, ManualClock};
pub use entropy::SeededEntropy;
pub use fault::{FaultStore, FaultTiming, PlannedFault, Verb};
