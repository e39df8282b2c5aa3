//! The cases. Each one receives a fresh store.
//!
//! A new case belongs in the file of its subject and in the list of
//! [`store_conformance!`](crate::store_conformance). A test compares the two.

#![expect(
    clippy::unwrap_used,
    reason = "a case is a test; it fails by panicking"
)]
// The lint does not fire when the crate is compiled for its own tests.
#![cfg_attr(
    not(test),
    expect(
        clippy::wildcard_imports,
        reason = "the fixtures are the words of the cases"
    )
)]

pub mod deletes;
pub mod devices;
pub mod documents;
pub mod empty;
pub mod expiry;
pub mod keys;
pub mod lists;
pub mod metadata;
pub mod races;
pub mod revocations;
pub mod rotation;
pub mod sessions;

/// The source text of the files above, for the comparison with the list.
pub const SOURCES: &[(&str, &str)] = &[
    ("deletes", include_str!("deletes.rs")),
    ("devices", include_str!("devices.rs")),
    ("documents", include_str!("documents.rs")),
    ("empty", include_str!("empty.rs")),
    ("revocations", include_str!("revocations.rs")),
    ("expiry", include_str!("expiry.rs")),
    ("keys", include_str!("keys.rs")),
    ("lists", include_str!("lists.rs")),
    ("metadata", include_str!("metadata.rs")),
    ("races", include_str!("races.rs")),
    ("rotation", include_str!("rotation.rs")),
    ("sessions", include_str!("sessions.rs")),
];
