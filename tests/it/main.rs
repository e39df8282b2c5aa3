//! Tests of the whole workspace, in one binary.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should say where, at once"
)]

mod support;

mod architecture;
mod cookie_spellings;
mod devices;
mod doctor;
mod emptied;
mod engine;
mod faults;
mod guarded_cookies;
mod guards;
mod history;
mod hooks;
mod in_place;
mod json_limits;
mod ledger;
mod model;
mod modules;
mod null_characters;
mod pages;
mod payload_sizes;
mod payloads;
mod printed;
mod promise_table;
mod promises;
mod properties;
mod prose;
mod ranges;
mod refreshing;
mod revocations;
mod secrecy;
mod session_entries;
mod smoke;
mod telemetry;
mod tower;
mod unusable;
mod verification;
