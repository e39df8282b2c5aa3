//! The published key set (RFC 7517; core specification, 4.4).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::SigningAlgorithm;

/// One public key. `kty` determines which optional members are present (RFC 7518, 6; RFC 8037, 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Jwk {
    /// `RSA`, `EC` or `OKP`.
    pub kty: &'static str,
    /// The key's id, as in the header of the tokens that it signs.
    pub kid: String,
    /// RSA only: the modulus, as base64url of the unsigned big-endian number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// RSA only: the exponent, in the same form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// The curve of other keys: `P-256` or `Ed25519`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<&'static str>,
    /// The x coordinate of the point, or the whole Ed25519 key: base64url of 32 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// P-256 only: the y coordinate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The algorithm of the key.
    pub alg: &'static str,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub use_: &'static str,
}

impl Jwk {
    fn of(kty: &'static str, kid: &str, algorithm: SigningAlgorithm) -> Self {
        Self {
            kty,
            kid: kid.to_owned(),
            n: None,
            e: None,
            crv: None,
            x: None,
            y: None,
            alg: algorithm.name(),
            use_: "sig",
        }
    }

    pub(crate) fn rsa(kid: &str, modulus: &[u8], exponent: &[u8]) -> Self {
        Self {
            n: Some(URL_SAFE_NO_PAD.encode(modulus)),
            e: Some(URL_SAFE_NO_PAD.encode(exponent)),
            ..Self::of("RSA", kid, SigningAlgorithm::Rs256)
        }
    }

    pub(crate) fn p256(kid: &str, x: &[u8], y: &[u8]) -> Self {
        Self {
            crv: Some("P-256"),
            x: Some(URL_SAFE_NO_PAD.encode(x)),
            y: Some(URL_SAFE_NO_PAD.encode(y)),
            ..Self::of("EC", kid, SigningAlgorithm::Es256)
        }
    }

    pub(crate) fn ed25519(kid: &str, public: &[u8]) -> Self {
        Self {
            crv: Some("Ed25519"),
            x: Some(URL_SAFE_NO_PAD.encode(public)),
            ..Self::of("OKP", kid, SigningAlgorithm::EdDsa)
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
    /// The time for which the set may be cached: until the next key is due, and at least one
    /// second.
    #[serde(skip)]
    pub max_age: Duration,
}

/// A key published by another server. A member that is not a string is treated as absent.
#[derive(Deserialize)]
struct Foreign {
    kid: Option<serde_json::Value>,
    kty: Option<serde_json::Value>,
    alg: Option<serde_json::Value>,
    #[serde(rename = "use")]
    use_: Option<serde_json::Value>,
    crv: Option<serde_json::Value>,
    n: Option<serde_json::Value>,
    e: Option<serde_json::Value>,
    x: Option<serde_json::Value>,
    y: Option<serde_json::Value>,
}

impl Foreign {
    /// Returns the key, if session tokens can be signed with its kind.
    fn key(self) -> Option<Jwk> {
        let text = |value: Option<serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => Some(text),
            _ => None,
        };
        let (kty, crv) = (text(self.kty)?, text(self.crv));
        let (kty, crv, algorithm) = match (kty.as_str(), crv.as_deref()) {
            ("RSA", _) => ("RSA", None, SigningAlgorithm::Rs256),
            ("EC", Some("P-256")) => ("EC", Some("P-256"), SigningAlgorithm::Es256),
            ("OKP", Some("Ed25519")) => ("OKP", Some("Ed25519"), SigningAlgorithm::EdDsa),
            _ => return None,
        };
        let is_for_sessions = text(self.alg).is_none_or(|alg| alg == algorithm.name())
            && text(self.use_).is_none_or(|use_| use_ == "sig");
        is_for_sessions.then_some(())?;
        Some(Jwk {
            n: text(self.n),
            e: text(self.e),
            crv,
            x: text(self.x),
            y: text(self.y),
            ..Jwk::of(kty, &text(self.kid)?, algorithm)
        })
    }
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
            keys: Vec<serde_json::Value>,
        }
        let Set { keys } = serde_json::from_slice(json)?;
        let keys = keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<Foreign>(key).ok()?.key())
            .collect();
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
        let kids: Vec<_> = set.keys.iter().map(|key| key.kid.as_str()).collect();
        assert_eq!(kids, ["d-1"]);
        assert_eq!(set.keys[0].alg, "RS256");
        for bad in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
            assert!(
                JwkSet::read(bad.as_bytes(), Duration::ZERO).is_err(),
                "{bad}"
            );
        }
    }
}
