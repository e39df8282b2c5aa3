//! The four tokens: parse and mint. Knows no HTTP, no store and no policy.

pub(crate) mod access;
pub(crate) mod front;
pub(crate) mod refresh;
