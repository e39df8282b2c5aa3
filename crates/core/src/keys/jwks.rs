//! The published key set (RFC 7517; core specification, 4.4).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::SigningAlgorithm;

/// One public key. Which of the optional members there are, `kty` says (RFC 7518, 6; RFC 8037, 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Jwk {
    /// `RSA`, `EC` or `OKP`.
    pub kty: &'static str,
    /// The key's id, as it stands in the header of the tokens that it signs.
    pub kid: String,
    /// Of an RSA key, the modulus: base64url of the unsigned big-endian number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// Of an RSA key, the exponent, in the same form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// The curve, of other keys: `P-256` or `Ed25519`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<&'static str>,
    /// A coordinate of the point, or the whole Ed25519 key: base64url of 32 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The other coordinate, on P-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The algorithm that the key is for.
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
