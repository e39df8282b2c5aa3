//! The adapter by itself: what actix-web makes of core's decisions.
#![expect(
    clippy::unwrap_used,
    reason = "a test that fails should say where, at once"
)]

mod algorithms;
mod built_in;
mod cors;
mod doctor;
mod driver;
mod errors;
mod extractors;
mod guards;
mod kinds;
mod layers;
mod middleware_errors;
mod on_postgres;
mod on_redis;
mod support;
mod transcripts;
