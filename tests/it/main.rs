//! Tests of the whole workspace, in one binary.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should say where, at once"
)]

mod support;

mod architecture;
mod engine;
mod faults;
mod ledger;
mod promises;
mod properties;
mod refreshing;
mod secrecy;
mod smoke;
mod telemetry;
mod tower;
mod verification;
