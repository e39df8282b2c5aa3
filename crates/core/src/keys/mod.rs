//! Signing keys: created once, published before they sign, and kept until their last token has
//! expired.

mod algorithm;
mod header;
mod jwks;
mod key;
mod policy;
mod ring;
mod snapshot;
mod verifying;

pub use algorithm::SigningAlgorithm;
pub(crate) use header::header;
pub use jwks::{Jwk, JwkSet};
pub(crate) use key::SigningKey;
pub(crate) use policy::KeyPolicy;
pub(crate) use ring::{KeyFault, KeyRing};
pub use verifying::VerifyingKey;
