//! The axum adapter speaks the wire, to the byte.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod algorithms;
mod cors;
mod driver;
mod extractors;
mod kinds;
mod layers;
mod on_postgres;
mod on_redis;
mod sensitive;
mod support;

use driver::Axum;

supersession_testkit::adapter_conformance!(Axum);
