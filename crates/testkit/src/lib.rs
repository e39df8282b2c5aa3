//! What the tests of [Supersession](supersession) share, and what the author of a store or an
//! adapter needs.
//!
//! * [`store_conformance!`] runs the suite that every store must pass; see [`store`] for how to
//!   call it.
//! * [`adapter_conformance!`] plays the script whose answers every adapter must give, to the byte;
//!   see [`adapter`] for what to write.
//! * [`ManualClock`] stands still until a test moves it, [`FileClock`] does so for several processes,
//!   [`SeededEntropy`] gives the same bytes in every run.
//! * [`servers`] starts database servers for tests that need real ones.
//! * [`history`] notes what several nodes were asked and answered, and finds what contradicts the
//!   promises.
//! * [`FaultStore`] wraps a store, fails on demand, and remembers which verbs were called.
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
pub use fault::{FaultStore, Moment, PlannedFault, Verb};
