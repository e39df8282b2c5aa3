//! The verbs as SQL. Each function is one verb on a connection; the writer wraps those that write
//! in a transaction.
//!
//! Statements are prepared once per connection. Every instant comes from the caller; no statement
//! asks the database for the time.

pub(crate) mod devices;
pub(crate) mod documents;
pub(crate) mod keys;
pub(crate) mod metadata;
mod row;
mod scope;
pub(crate) mod sessions;
pub(crate) mod tenants;
pub(crate) mod user_sessions;

#[cfg(test)]
mod tests;
