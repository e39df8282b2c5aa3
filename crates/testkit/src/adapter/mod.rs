//! The suite that every adapter must pass: one script of requests, and what must come back, to the
//! byte.
//!
//! An adapter has nothing to decide, so two of them differ only by mistake. The script here is
//! played through the adapter, and what it answers is written down as a transcript: status, headers,
//! cookies, body, and what every token says. Keys, time and randomness are fixed, so a transcript is
//! the same in every run, signatures included, and is compared with the file of its topic in
//! `transcripts/`. All adapters are held against the same files.
//!
//! # A new adapter
//! Write a [`Driver`]: an application with the routes that its documentation lists, in the idiom of
//! the adapter, and a function that sends it a request. What handlers do and answer is in [`app`];
//! a driver is about a hundred lines. Then, in a file of the adapter's `tests` directory, give
//! [`adapter_conformance!`](crate::adapter_conformance) an expression that makes it:
//! ```no_run
//! # use supersession::Sessions;
//! # use supersession_testkit::adapter::{Driver, WireRequest, WireResponse};
//! struct MyFramework;
//!
//! impl Driver for MyFramework {
//!     type App = (); // what the framework calls an application
//!
//!     fn layer_name(&self) -> &'static str {
//!         "supersession_my_framework::SessionLayer"
//!     }
//!
//!     async fn app(&self, sessions: Option<Sessions>) -> Self::App {
//!         # let _ = sessions;
//!         // the routes, and the layer around them if there are sessions
//!     }
//!
//!     async fn send(&self, app: &Self::App, request: WireRequest) -> WireResponse {
//!         # let _ = (app, request);
//!         # let (status, headers, body) = (200, Vec::new(), Vec::new());
//!         // through the application, in memory
//!         WireResponse { status, headers, body }
//!     }
//! }
//!
//! supersession_testkit::adapter_conformance!(MyFramework);
//! ```
//! A failure shows the first exchange that differs. The adapter is wrong then, not the file.
//!
//! # Changing what is said
//! When core says something else on purpose, run the tests of one adapter with
//! `UPDATE_TRANSCRIPTS=1`, which rewrites the files and refuses to where `CI=true`; twice, because
//! what differs with other algorithms is taken from the new files. Read the difference against the
//! specification before committing it, and run the other adapters against it.

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

pub use driver::Driver;
pub use signed::SignedBy;
pub use stage::{Terms, World};
pub use wire::{WireRequest, WireResponse};

use stage::Stage;
use supersession::SigningAlgorithm;

/// Plays the script through the [`Driver`](crate::adapter::Driver) that the expression makes, one
/// test for each topic; see [`adapter`](mod@crate::adapter).
#[macro_export]
macro_rules! adapter_conformance {
    ($driver:expr) => {
        $crate::adapter_conformance! { @tests $driver;
            creation verifying checking locating anti_csrf refreshing rotation legacy_rules duplicates
            signing_out claims handlers faults routes paths configured
        }
    };
    (@tests $driver:expr; $($topic:ident)*) => {
        // The topics have names of their own, which must not meet those of the driver's file.
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

/// Plays one topic and compares its transcript.
#[doc(hidden)]
pub fn run<D: Driver>(driver: D, topic: &str, script: impl AsyncFnOnce(&mut Stage<D>)) {
    if !driver.is_ready() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    // Frameworks whose futures stay on one thread spawn onto the local set.
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
