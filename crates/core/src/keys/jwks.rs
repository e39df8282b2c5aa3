//! The published key set (RFC 7517; core specification, 4.4).

use std::time::Duration;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, PublicKeyUse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SigningAlgorithm;

/// One public key. Its serialized form is the published one (RFC 7517, 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Jwk(jsonwebtoken::jwk::Jwk);

/// The members of keys that are read (RFC 7518, 6; RFC 8037, 2).
const MEMBERS: [&str; 9] = ["kty", "kid", "alg", "use", "crv", "n", "e", "x", "y"];

impl Jwk {
    /// Returns the published form of a public key, or `None` if it is malformed.
    pub(crate) fn new(
        kid: &str,
        algorithm: SigningAlgorithm,
        public: &DecodingKey,
    ) -> Option<Self> {
        let algorithm = Some(algorithm.to_jwt());
        let mut key = jsonwebtoken::jwk::Jwk::from_decoding_key(public, algorithm).ok()?;
        key.common.key_id = Some(kid.to_owned());
        key.common.public_key_use = Some(PublicKeyUse::Signature);
        Some(Self(key))
    }

    /// Parses a key that another server published. A member that is not a string is treated as
    /// absent. Returns `None` for a key of a kind that does not sign session tokens.
    fn read(key: Value) -> Option<Self> {
        let Value::Object(mut members) = key else {
            return None;
        };
        members.retain(|name, value| value.is_string() && MEMBERS.contains(&name.as_str()));
        let mut key: jsonwebtoken::jwk::Jwk = serde_json::from_value(members.into()).ok()?;
        let algorithm = match &key.algorithm {
            AlgorithmParameters::RSA(_) => SigningAlgorithm::Rs256,
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
                SigningAlgorithm::Es256
            }
            AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => {
                SigningAlgorithm::EdDsa
            }
            _ => return None,
        };
        let algorithm = Some(algorithm.to_jwt().into());
        let common = &mut key.common;
        let signs_sessions = common.key_id.is_some()
            && (common.key_algorithm.is_none() || common.key_algorithm == algorithm)
            && common
                .public_key_use
                .as_ref()
                .is_none_or(|of_key| *of_key == PublicKeyUse::Signature);
        common.key_algorithm = algorithm;
        common.public_key_use = Some(PublicKeyUse::Signature);
        signs_sessions.then_some(Self(key))
    }

    /// Returns the key's id, as in the header of the tokens that it signs.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.0.common.key_id.as_deref().unwrap_or_default()
    }

    /// Returns the members that hold the key itself.
    pub(super) fn parameters(&self) -> &AlgorithmParameters {
        &self.0.algorithm
    }
}

/// All public keys that verify tokens now: rotating ones newest first, then static ones newest
/// first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
    /// The time for which the set may be cached: until the next key is due, and at least one
    /// second.
    #[serde(skip)]
    pub max_age: Duration,
}

impl JwkSet {
    /// Parses a set that another server published. Keys of other kinds and unknown members are
    /// ignored.
    ///
    /// # Errors
    /// If the text is not a key set.
    pub fn read(json: &[u8], max_age: Duration) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let Set { keys } = serde_json::from_slice(json)?;
        let keys = keys.into_iter().filter_map(Jwk::read).collect();
        Ok(Self { keys, max_age })
    }

    /// Returns the value of the `Cache-Control` header for the set.
    #[must_use]
    pub fn cache_control(&self) -> String {
        format!("max-age={}, must-revalidate", self.max_age.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_set_is_read_leniently() {
        let set = br#"{"keys":[
            {"kty":"RSA","kid":"d-1","n":"AQAB","e":"AQAB","x5t":["?"]},
            {"kty":"oct","kid":"secret","k":"AA"},
            {"kty":"RSA","kid":7,"n":"AQAB","e":"AQAB"},
            {"kty":"RSA","kid":"enc","n":"AQAB","e":"AQAB","use":"enc"},
            {"kty":"RSA","kid":"ps","n":"AQAB","e":"AQAB","alg":"PS256"},
            {"kty":"EC","crv":"P-521","kid":"ec","x":"AA","y":"AA"},
            "no key", null
        ],"more":1}"#;
        let set = JwkSet::read(set, Duration::from_secs(1)).unwrap();
        let kids: Vec<_> = set.keys.iter().map(Jwk::kid).collect();
        assert_eq!(kids, ["d-1"]);
        assert_eq!(
            serde_json::to_value(&set.keys[0]).unwrap(),
            serde_json::json!({"kty":"RSA","kid":"d-1","alg":"RS256","use":"sig","n":"AQAB","e":"AQAB"})
        );
        for bad in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
            assert!(
                JwkSet::read(bad.as_bytes(), Duration::ZERO).is_err(),
                "{bad}"
            );
        }
    }
}
