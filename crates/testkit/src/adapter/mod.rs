//! The suite that every adapter must pass: a script of requests, and the expected responses, byte
//! for byte.
//!
//! An adapter makes no decisions, so two adapters differ only by mistake. The suite runs the script
//! through the adapter and records the responses as a transcript: status, headers, cookies, body,
//! and the content of every token. Keys, time and randomness are fixed, so a transcript is the same
//! in every run, signatures included. It is compared with the file of its topic in `transcripts/`.
//! All adapters are compared with the same files.
//!
//! # A new adapter
//! Implement [`Driver`]: an application with the routes that its documentation lists, written as
//! usual for the adapter, and a function that sends it a request. The logic of the handlers is in
//! [`app`], so a driver has about a hundred lines. Then, in a file of the adapter's `tests`
//! directory, pass an expression that creates the driver to
//! [`adapter_conformance!`](crate::adapter_conformance):
//! ```no_run
//! # use supersession::Sessions;
//! # use supersession_testkit::adapter::{Driver, WireRequest, WireResponse};
//! struct MyFramework;
//!
//! impl Driver for MyFramework {
//!     type App = (); // the framework's type of an application
//!
//!     fn layer_name(&self) -> &'static str {
//!         "supersession_my_framework::SessionLayer"
//!     }
//!
//!     async fn app(&self, sessions: Option<Sessions>) -> Self::App {
//!         # let _ = sessions;
//!         // build the routes, inside the layer if there are sessions
//!     }
//!
//!     async fn send(&self, app: &Self::App, request: WireRequest) -> WireResponse {
//!         # let _ = (app, request);
//!         # let (status, headers, body) = (200, Vec::new(), Vec::new());
//!         // call the application in memory
//!         WireResponse { status, headers, body }
//!     }
//! }
//!
//! supersession_testkit::adapter_conformance!(MyFramework);
//! ```
//! A failure shows the first exchange that differs. In that case the adapter is wrong, not the
//! file.
//!
//! # Changing the transcripts
//! After an intended change of core's responses, run the tests of one adapter with
//! `UPDATE_TRANSCRIPTS=1`, which rewrites the files (and is refused if `CI=true`). Run them twice,
//! because the files for other algorithms are derived from the new files. Compare the changes with
//! the specification before committing them, and run the other adapters against the new files.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "part of a test, which fails by panicking"
)]

pub mod app;
mod differences;
mod driver;
mod golden;
mod keys;
#[doc(hidden)]
pub mod script;
mod signed;
mod stage;
mod transcript;
mod wire;
mod world;

pub use driver::Driver;
pub use signed::SignedBy;
pub use wire::{WireRequest, WireResponse};
pub use world::{Terms, World};

use stage::Stage;
use supersession::SigningAlgorithm;

/// Runs the script through the [`Driver`](crate::adapter::Driver) that the expression creates, with
/// one test for each topic; see [`adapter`](mod@crate::adapter).
#[macro_export]
macro_rules! adapter_conformance {
    ($driver:expr) => {
        $crate::adapter_conformance! { @tests $driver;
            creation verifying checking locating anti_csrf cross_origin refreshing in_place pages rotation legacy_rules duplicates
            signing_out claims handlers faults routes paths configured
        }
    };
    (@tests $driver:expr; $($topic:ident)*) => {
        // A separate module, because names of topics may collide with names in the driver's file.
        mod adapter_conformance {
            use super::*;

            $(
                #[test]
                fn $topic() {
                    $crate::adapter::run(
                        $driver,
                        stringify!($topic),
                        $crate::adapter::script::$topic,
                    );
                }
            )*
        }
    };
}

/// Runs one topic and compares its transcript.
#[doc(hidden)]
pub fn run<D: Driver>(driver: D, topic: &str, script: impl AsyncFnOnce(&mut Stage<D>)) {
    if !driver.is_ready() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    // Frameworks with futures that are not `Send` spawn them onto the local set.
    let local = tokio::task::LocalSet::new();
    let (differences, algorithm) = (driver.differences(), driver.algorithm());
    let transcript = local.block_on(&runtime, async {
        let mut stage = Stage::new(driver);
        script(&mut stage).await;
        stage.into_transcript()
    });
    match (differences, algorithm) {
        (Some(folder), _) => {
            let read = differences::without_order;
            differences::compare(folder, topic, &transcript, read, read);
        }
        (None, SigningAlgorithm::Rs256) => golden::compare(topic, &transcript),
        (None, algorithm) => {
            let folder = signed::folder(algorithm);
            let expected = |line: &str| signed::expected(line, algorithm);
            let said = signed::without_signature;
            differences::compare(&folder, topic, &transcript, expected, said);
        }
    }
}
