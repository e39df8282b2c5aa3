//! The core of Supersession as a server. It implements the core driver interface (CDI) of
//! SuperTokens over any of our stores, so that the unmodified Node, Python and Go backend SDKs can
//! use it instead of the SuperTokens core.
//!
//! The program is `supersession`; its guide is `docs/server.md`. This library contains the
//! program's parts for tests: a [`Service`] answers requests, [`serve()`] accepts connections.
//! Applications in Rust do not need it: they use [`supersession`] directly.

mod api_keys;
mod background;
mod call;
mod cdi;
mod config_error;
mod core_config;
mod handlers;
mod input;
mod ip_rules;
mod metrics;
pub mod options;
mod path;
mod pipeline;
mod probes;
mod registry;
mod response;
mod serve;
mod service;
mod start;
mod stats;
mod store;

pub use config_error::ConfigError;
pub use core_config::{Limits, Values};
pub use registry::OpenError;
pub use response::HttpResponse;
pub use serve::{Bound, Reserved, ServeOptions, serve};
pub use service::{Service, ServiceOptions};
pub use start::{Start, StartError, report};
pub use store::{AnyStore, StoreFailure, StoreOptions, StoreUrl, UnknownStore};
