//! The parts of the demo that do not depend on the web framework: settings, process, and the rules
//! and response bodies of the API. `examples/axum` and `examples/actix` have the rest: every call of
//! a session is there.

mod api;
mod process;
mod settings;

pub use api::{
    Login, ROLE, UserError, admin_page, check_payload_patch, describe_all, describe_current, feed,
    signed_in,
};
pub use process::{announce, start_logging, stop_signal, warn_of_theft};
pub use settings::Settings;
