//! The core of Supersession as a server. It implements the core driver interface (CDI) of
//! SuperTokens over any of our stores, so that the unmodified Node, Python and Go backend SDKs can
//! use it instead of the SuperTokens core.
//!
//! The program is `supersession`; its guide is `docs/server.md`. This library contains the
//! program's parts for tests: a [`Service`] answers requests, [`serve()`] accepts connections.
//! Applications in Rust do not need it: they use [`supersession`] directly.

mod answer;
mod api_keys;
mod background;
mod cdi;
mod core_config;
mod handlers;
mod input;
mod ip_rules;
mod metrics;
pub mod options;
mod path;
mod probes;
mod registry;
mod serve;
mod service;
mod start;
mod stats;
mod store;

pub use answer::Answer;
pub use core_config::{BadValue, Limits, Values};
pub use registry::OpenError;
pub use serve::{Bound, Reserved, ServeOptions, serve};
pub use service::{Service, ServiceOptions};
pub use start::{Start, StartError, report};
pub use store::{AnyStore, StoreFailure, StoreOptions, StoreUrl, UnknownStore};
