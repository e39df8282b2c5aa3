//! The parsed public half of a key, for verification.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, RSAKeyParameters};

use super::{Jwk, SigningAlgorithm, header};
use crate::clock::UnixMillis;
use crate::store::KeyKind;
use crate::wire;

/// A key that verifies access tokens.
pub struct VerifyingKey {
    pub(crate) kid: String,
    pub(crate) kind: KeyKind,
    /// The last time at which the key verifies.
    pub(crate) verifies_until: UnixMillis,
    algorithm: SigningAlgorithm,
    public: ParsedPublicKey,
    session_header: String,
}

/// 2,048 bits (RFC 7518, 3.3).
const LEAST_RSA_BYTES: usize = 256;

/// The bytes are not a public key of the algorithm.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a public key of {}", .0.name())]
pub(crate) struct UnusableKey(SigningAlgorithm);

impl VerifyingKey {
    /// Creates the key from a published one. It verifies for as long as it is published. Returns
    /// `None` if its members are not a key of its algorithm.
    #[must_use]
    pub fn of_jwk(jwk: &Jwk) -> Option<Self> {
        let (algorithm, public) = match jwk.parameters() {
            AlgorithmParameters::RSA(key) => (
                SigningAlgorithm::Rs256,
                rsa_public_key(key)?.as_ref().to_vec(),
            ),
            AlgorithmParameters::EllipticCurve(key) => (
                SigningAlgorithm::Es256,
                [vec![4], decoded(&key.x)?, decoded(&key.y)?].concat(),
            ),
            AlgorithmParameters::OctetKeyPair(key) => (SigningAlgorithm::EdDsa, decoded(&key.x)?),
            _ => return None,
        };
        let kind = KeyKind::of_kid(jwk.kid());
        let forever = UnixMillis::new(u64::MAX);
        Self::new(jwk.kid(), kind, forever, algorithm, &public).ok()
    }

    /// Returns the id, as in the header of tokens.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// `public` is the subject's public key (SPKI) in DER, or the algorithm's equivalent.
    pub(crate) fn new(
        kid: &str,
        kind: KeyKind,
        verifies_until: UnixMillis,
        algorithm: SigningAlgorithm,
        public: &[u8],
    ) -> Result<Self, UnusableKey> {
        let public = match algorithm {
            SigningAlgorithm::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public),
            SigningAlgorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
            SigningAlgorithm::EdDsa => ParsedPublicKey::new(&ED25519, public),
        };
        Ok(Self {
            kid: kid.to_owned(),
            kind,
            verifies_until,
            algorithm,
            public: public.map_err(|_| UnusableKey(algorithm))?,
            session_header: header(kid, algorithm, Some(wire::ACCESS_TOKEN_VERSION)),
        })
    }

    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Returns the encoded header of the session tokens that this key signs.
    #[must_use]
    pub fn session_header(&self) -> &str {
        &self.session_header
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    pub(crate) fn verifies_at(&self, now: UnixMillis) -> bool {
        now <= self.verifies_until
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("VerifyingKey").field(&self.kid).finish()
    }
}

/// Returns `None` if the key is malformed or too short.
fn rsa_public_key(key: &RSAKeyParameters) -> Option<PublicKeyX509Der<'static>> {
    let (modulus, exponent) = (decoded(&key.n)?, decoded(&key.e)?);
    let (n, e) = (without_zeros(&modulus), without_zeros(&exponent));
    let is_long = n.len() >= LEAST_RSA_BYTES;
    is_long.then_some(RsaPublicKeyComponents { n, e }.as_der().ok()?)
}

fn decoded(member: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(member).ok()
}

/// Removes leading zeros, which some servers publish although RFC 7518, 6.3.1.1, forbids it.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keys::{JwkSet, SigningKey};

    #[test]
    fn a_published_key_verifies_signatures_of_its_pair() {
        for algorithm in [
            SigningAlgorithm::Rs256,
            SigningAlgorithm::Es256,
            SigningAlgorithm::EdDsa,
        ] {
            let made_at = UnixMillis::new(7);
            let id = uuid::Uuid::from_u128(1);
            let stored = SigningKey::generate(KeyKind::Dynamic, algorithm, made_at, id).unwrap();
            let pair = SigningKey::parse(&stored, made_at).unwrap();
            let published = VerifyingKey::of_jwk(pair.jwk()).unwrap();
            let signature = pair.sign(b"text").unwrap();
            assert!(published.verifies(b"text", &signature), "{algorithm:?}");
            assert!(!published.verifies(b"other", &signature), "{algorithm:?}");
            assert_eq!(published.session_header(), pair.public().session_header());
            assert_eq!(published.kind, KeyKind::Dynamic);
        }
    }

    fn read(members: &serde_json::Value) -> Option<VerifyingKey> {
        let set = json!({ "keys": [members] }).to_string();
        let set = JwkSet::read(set.as_bytes(), std::time::Duration::ZERO).unwrap();
        VerifyingKey::of_jwk(set.keys.first()?)
    }

    #[test]
    fn a_malformed_key_is_none() {
        let coordinate = |byte: u8| URL_SAFE_NO_PAD.encode([byte; 32]);
        for (n, e) in [("", ""), ("AQAB", ""), ("?", "AQAB"), ("AQAB", "AQAB")] {
            let key = json!({ "kty": "RSA", "kid": "d-1", "n": n, "e": e });
            assert!(read(&key).is_none(), "{key}");
        }
        // Not on the curve.
        let key = json!({ "kty": "EC", "kid": "d-1", "crv": "P-256", "x": coordinate(1), "y": coordinate(2) });
        assert!(read(&key).is_none());
        let key = json!({ "kty": "OKP", "kid": "d-1", "crv": "Ed25519", "x": "AQAB" });
        assert!(read(&key).is_none());
    }

    #[test]
    fn an_rsa_key_needs_2048_bits_and_an_odd_exponent_and_may_have_leading_zeros() {
        let key = |zeros: usize, length: usize, exponent: &[u8]| {
            let modulus = [vec![0; zeros], vec![0xc5; length]].concat();
            let (n, e) = (
                URL_SAFE_NO_PAD.encode(modulus),
                URL_SAFE_NO_PAD.encode(exponent),
            );
            read(&json!({ "kty": "RSA", "kid": "d-1", "n": n, "e": e })).is_some()
        };
        assert!(key(0, 256, &[1, 0, 1]) && key(1, 256, &[0, 1, 0, 1]));
        assert!(!key(0, 255, &[1, 0, 1]) && !key(1, 255, &[1, 0, 1]));
        assert!(!key(0, 256, &[1]) && !key(0, 256, &[4]));
    }
}
