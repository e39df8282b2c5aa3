//! Signing keys: made once, published before they sign, kept until their last token is dead.

mod jwks;
mod key;
mod policy;
mod ring;

pub use jwks::{Jwk, JwkSet};
pub(crate) use key::SigningKey;
pub(crate) use policy::KeyPolicy;
pub(crate) use ring::{KeyFault, KeyRing};
