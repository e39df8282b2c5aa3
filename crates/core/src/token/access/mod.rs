//! The access token: a JWT of version 3 to 5 (session specification, section 1).
//!
//! Parsing happens before the signature is checked, to tell our tokens from foreign bearer values.
//! What comes out of [`parse`] is therefore a claim, not a fact; only [`crate::verify`] turns it
//! into one.

mod claims;
mod mint;
mod parse;

pub use claims::AccessClaims;
pub(crate) use claims::CompactClaims;
pub(crate) use mint::{
    ProtectedClaim, assemble, custom_payload, header, names_protected_claim, payload, signing_input,
};
pub(crate) use parse::{ForeignToken, NamedKey, ParsedAccessToken, parse};

#[cfg(test)]
mod tests;
