//! Tests of the server: requests to a service in this process, and the program itself.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "for tests, which fail by panicking"
)]

mod algorithms;
mod apps;
mod creation;
mod data;
mod defaults;
mod factors;
mod jwt;
mod legacy;
mod lists;
mod metadata;
mod older;
mod process;
mod refused;
mod rotation;
mod slow;
mod start;
mod storage;
mod support;
mod transport;
mod verification;
mod weaknesses;
