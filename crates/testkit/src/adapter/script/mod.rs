//! The script: one file for each subject, one function for each topic.
//!
//! A topic starts a world with a configuration, and sends requests. Their names describe the
//! expected results. The expected responses are in the topic's transcript.

mod anti_csrf;
mod checking;
mod claims;
mod configured;
mod creation;
mod cross_origin;
mod duplicates;
mod faults;
mod handlers;
mod in_place;
mod legacy_rules;
mod locating;
mod pages;
mod refreshing;
mod rotation;
mod routes;
mod signing_out;
mod verifying;

pub use anti_csrf::anti_csrf;
pub use checking::checking;
pub use claims::claims;
pub use configured::configured;
pub use creation::creation;
pub use cross_origin::cross_origin;
pub use duplicates::duplicates;
pub use faults::faults;
pub use handlers::handlers;
pub use in_place::in_place;
pub use legacy_rules::legacy_rules;
pub use locating::locating;
pub use pages::pages;
pub use refreshing::refreshing;
pub use rotation::rotation;
pub use routes::{paths, routes};
pub use signing_out::signing_out;
pub use verifying::verifying;

use super::driver::Driver;
use super::stage::Stage;
use super::wire::{Tokens, WireRequest as Req};
use super::world::Terms;

use supersession::SessionsBuilder;

const DEFAULT: &str = "default configuration";

fn default(builder: SessionsBuilder) -> SessionsBuilder {
    builder
}
