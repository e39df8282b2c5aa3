//! Sessions over a scripted core, and over our own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod building;
#[path = "../../../../tests/it/support/capture.rs"]
mod capture;
mod documents;
mod failover;
mod fake;
mod fleet;
mod garbage;
mod key_set;
mod legacy;
mod real;
mod secrecy;
mod thefts;
mod tls;
mod transcripts;
