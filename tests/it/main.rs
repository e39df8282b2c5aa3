//! Tests of the whole workspace, in one binary.

mod support;

mod architecture;
mod faults;
mod promises;
mod properties;
mod secrecy;
mod smoke;
mod telemetry;
mod tower;
