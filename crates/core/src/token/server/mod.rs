//! Parsing and writing of access tokens for backend SDKs: all versions, with the messages that SDKs
//! expect (core specification, 1.3, 1.4 and 2). Compiled with the feature `server` only; requests
//! of browsers are handled by [`crate::token::access`].

mod read;
mod version;
mod write;

pub(crate) use read::{ParsedToken, parse};
pub use version::TokenVersion;
pub(crate) use write::{assemble, signing_input};

/// The first segment of a token of version 1, which is compared literally.
const V1_HEADER: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIxIn0=";
/// The first segment of a token of version 2.
const V2_HEADER: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIyIn0=";
