//! The commands and scripts of each `Store` method.

pub(crate) mod devices;
pub(crate) mod documents;
pub(crate) mod expiry;
pub(crate) mod metadata;
pub(crate) mod ready;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod tenants;
pub(crate) mod user_index;
pub(crate) mod user_sessions;
