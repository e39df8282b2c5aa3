//! Signing keys: made once, published before they sign, kept until their last token is dead.

mod algorithm;
mod jwks;
mod key;
mod policy;
mod ring;
mod verifying;

pub use algorithm::SigningAlgorithm;
pub use jwks::{Jwk, JwkSet};
pub(crate) use key::SigningKey;
pub(crate) use policy::KeyPolicy;
pub(crate) use ring::{KeyFault, KeyRing};
pub use verifying::VerifyingKey;
