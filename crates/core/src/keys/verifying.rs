//! The parsed public half of a key, for verification.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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
        let member = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
        let (algorithm, public) = match jwk.kty {
            "RSA" => {
                let (modulus, exponent) = (member(&jwk.n)?, member(&jwk.e)?);
                let is_long = unsigned(&modulus).len() >= LEAST_RSA_BYTES;
                is_long.then_some(())?;
                (SigningAlgorithm::Rs256, rsa_public_key(&modulus, &exponent))
            }
            "EC" => {
                let (x, y) = (member(&jwk.x)?, member(&jwk.y)?);
                (SigningAlgorithm::Es256, [&[4], &*x, &*y].concat())
            }
            "OKP" => (SigningAlgorithm::EdDsa, member(&jwk.x)?),
            _ => return None,
        };
        let kind = KeyKind::of_kid(&jwk.kid);
        let forever = UnixMillis::new(u64::MAX);
        Self::new(&jwk.kid, kind, forever, algorithm, &public).ok()
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

/// Encodes an RSA public key in DER (PKCS#1: RFC 8017, A.1.1).
fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let mut members = der(0x02, &unsigned(modulus));
    members.extend(der(0x02, &unsigned(exponent)));
    der(0x30, &members)
}

/// Returns a number in DER form: as short as possible, and not negative.
fn unsigned(big_endian: &[u8]) -> Vec<u8> {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let digits = big_endian.get(zeros..).unwrap_or_default();
    let mut number = Vec::with_capacity(digits.len() + 1);
    if digits.first().is_none_or(|first| *first >= 0x80) {
        number.push(0);
    }
    number.extend_from_slice(digits);
    number
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut out = vec![tag];
    match (length, u8::try_from(length.len())) {
        ([], _) => out.push(0),
        ([short], _) if *short < 0x80 => out.push(*short),
        (long, Ok(count)) => {
            out.push(0x80 | count);
            out.extend_from_slice(long);
        }
        // The length has at most eight bytes.
        (_, Err(_)) => {}
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;

    #[test]
    fn a_published_key_verifies_what_its_pair_signs() {
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

    #[test]
    fn what_is_no_key_is_none() {
        for (n, e) in [("", ""), ("AQAB", ""), ("?", "AQAB"), ("AQAB", "AQAB")] {
            let mut jwk = Jwk::rsa("d-1", &[], &[]);
            (jwk.n, jwk.e) = (Some(n.to_owned()), Some(e.to_owned()));
            assert!(VerifyingKey::of_jwk(&jwk).is_none(), "{n} {e}");
        }
        assert!(VerifyingKey::of_jwk(&Jwk::p256("d-1", &[1; 32], &[2; 32])).is_none());
        assert!(VerifyingKey::of_jwk(&Jwk::ed25519("d-1", &[1; 31])).is_none());
    }
}
