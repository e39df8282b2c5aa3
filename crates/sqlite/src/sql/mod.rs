//! The SQL of the store. Each function runs one `Store` method on a connection. The writer wraps
//! the functions that write in a transaction.
//!
//! Statements are prepared once per connection. The caller supplies every timestamp, and no
//! statement reads the database's clock.

pub(crate) mod devices;
pub(crate) mod documents;
mod folding;
pub(crate) mod keys;
pub(crate) mod metadata;
mod row;
mod scope;
pub(crate) mod sessions;
pub(crate) mod tenants;
pub(crate) mod user_sessions;

#[cfg(test)]
mod tests;
