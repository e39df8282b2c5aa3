//! The access token: a JWT of version 3 to 5 (sessions 1).
//!
//! A token is parsed before its signature is checked, because parsing separates this system's
//! tokens from foreign bearer values (sessions 1.3). The result of [`parse`] is therefore
//! untrusted. Only [`crate::verify`] establishes that it is genuine.

mod claims;
mod mint;
mod parse;

pub use claims::AccessClaims;
pub(crate) use claims::CompactClaims;
pub(crate) use mint::{
    ProtectedClaim, assemble, custom_payload, names_protected_claim, payload, signing_input,
};
pub(crate) use parse::{ForeignToken, NamedKey, ParsedAccessToken, parse};

#[cfg(test)]
mod tests;
