//! The published key set (RFC 7517; core specification, 4.4).

use std::time::Duration;

use serde::Serialize;

/// One public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Jwk {
    /// Always `RSA`.
    pub kty: &'static str,
    /// The key's id, as it stands in the header of the tokens that it signs.
    pub kid: String,
    /// The modulus: base64url of the unsigned big-endian number.
    pub n: String,
    /// The exponent, in the same form.
    pub e: String,
    /// Always `RS256`.
    pub alg: &'static str,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub use_: &'static str,
}

impl Jwk {
    pub(crate) fn rsa(kid: &str, n: String, e: String) -> Self {
        Self {
            kty: "RSA",
            kid: kid.to_owned(),
            n,
            e,
            alg: "RS256",
            use_: "sig",
        }
    }
}

/// All public keys that verify tokens now: rotating ones newest first, then static ones newest
/// first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
    /// How long the set may be cached: until the next key is due, and at least one second.
    #[serde(skip)]
    pub max_age: Duration,
}

impl JwkSet {
    /// The value of the `Cache-Control` header that the set is served with.
    #[must_use]
    pub fn cache_control(&self) -> String {
        format!("max-age={}, must-revalidate", self.max_age.as_secs())
    }
}
