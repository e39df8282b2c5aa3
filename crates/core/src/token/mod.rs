//! Parsing and minting of the four session tokens, independent of HTTP, the store and policy.

pub(crate) mod access;
pub(crate) mod front;
pub(crate) mod refresh;
#[cfg(feature = "server")]
pub(crate) mod server;
