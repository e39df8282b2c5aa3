//! A parsed signing key.

use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::DecodingKey;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Jwk, SigningAlgorithm, VerifyingKey, header};
use crate::clock::UnixMillis;
use crate::secret::SecretText;
use crate::store::{KeyKind, StoredKey};
use crate::wire;

/// A key pair and the values derived from it.
pub(crate) struct SigningKey {
    pub(crate) created_at: UnixMillis,
    public: Arc<VerifyingKey>,
    pair: Pair,
    jwt_header: String,
    jwk: Jwk,
    /// SHA-256 of the text from which the key was parsed.
    fingerprint: [u8; digest::SHA256_OUTPUT_LEN],
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A stored key is unusable, or a key cannot be generated.
#[derive(Clone, Debug, thiserror::Error)]
#[error("signing key `{kid}`: {problem}")]
pub(crate) struct KeyError {
    kid: String,
    problem: &'static str,
}

impl SigningKey {
    /// Parses a stored key. Its PKCS#8 structure names the algorithm.
    pub(crate) fn parse(stored: &StoredKey, verifies_until: UnixMillis) -> Result<Self, KeyError> {
        let fail = |problem| KeyError {
            kid: stored.kid.clone(),
            problem,
        };
        // Older databases separate the two with a semicolon (core specification, 4.1).
        let (_, private) = stored
            .key_pair
            .expose()
            .split_once(['|', ';'])
            .ok_or_else(|| fail("expected a public and a private part"))?;
        let private = Zeroizing::new(
            STANDARD
                .decode(private)
                .map_err(|_| fail("the private part is not base64"))?,
        );
        let pair = Pair::parse(&private).ok_or_else(|| {
            fail("the private part is not a key of RS256, ES256 or EdDSA in PKCS#8")
        })?;
        let public = pair
            .public_der()
            .ok_or_else(|| fail("the public part cannot be derived"))?;
        let public = VerifyingKey::new(
            &stored.kid,
            stored.kind,
            verifies_until,
            pair.algorithm(),
            public.as_ref(),
        )
        .map_err(|_| fail("the public part cannot be parsed"))?;
        Ok(Self {
            created_at: stored.created_at,
            jwt_header: header(&stored.kid, pair.algorithm(), None),
            jwk: pair
                .jwk(&stored.kid)
                .ok_or_else(|| fail("the public part cannot be published"))?,
            public: Arc::new(public),
            pair,
            fingerprint: fingerprint(stored),
        })
    }

    /// Generates a key pair. For RSA, this takes a large part of a second of processor time.
    pub(crate) fn generate(
        kind: KeyKind,
        algorithm: SigningAlgorithm,
        created_at: UnixMillis,
        static_id: Uuid,
    ) -> Result<StoredKey, KeyError> {
        let kid = match kind {
            KeyKind::Dynamic => format!("{}{created_at}", wire::DYNAMIC_KID_PREFIX),
            KeyKind::Static => format!("{}{static_id}", wire::STATIC_KID_PREFIX),
        };
        let Some((public, private)) = generated(algorithm) else {
            let problem = "generation failed";
            return Err(KeyError { kid, problem });
        };
        let private = Zeroizing::new(STANDARD.encode(&private));
        let key_pair = SecretText::new(format!("{}|{}", STANDARD.encode(public), *private));
        Ok(StoredKey {
            kid,
            kind,
            created_at,
            key_pair,
        })
    }

    /// Signs a message. Takes most of a millisecond with RSA.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.pair.sign(message).ok_or_else(|| KeyError {
            kid: self.kid().to_owned(),
            problem: "signing failed",
        })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.public.kid
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.public.kind
    }

    /// Returns `true` if the key was parsed from exactly this text.
    pub(crate) fn is(&self, stored: &StoredKey) -> bool {
        self.fingerprint == fingerprint(stored)
    }

    /// Returns the public key.
    pub(crate) fn public(&self) -> &Arc<VerifyingKey> {
        &self.public
    }

    /// Returns the encoded header of JWTs that are signed by this key and are not session tokens.
    pub(crate) fn jwt_header(&self) -> &str {
        &self.jwt_header
    }

    pub(crate) fn jwk(&self) -> &Jwk {
        &self.jwk
    }
}

fn fingerprint(stored: &StoredKey) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut fingerprint = [0; digest::SHA256_OUTPUT_LEN];
    let digest = digest::digest(&digest::SHA256, stored.key_pair.expose().as_bytes());
    fingerprint.copy_from_slice(digest.as_ref());
    fingerprint
}

impl Pair {
    fn parse(private: &[u8]) -> Option<Self> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(private) {
            return Some(Self::Rsa(pair));
        }
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private) {
            return Some(Self::Ecdsa(pair));
        }
        Some(Self::Ed25519(Ed25519KeyPair::from_pkcs8(private).ok()?))
    }

    fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::Rsa(_) => SigningAlgorithm::Rs256,
            Self::Ecdsa(_) => SigningAlgorithm::Es256,
            Self::Ed25519(_) => SigningAlgorithm::EdDsa,
        }
    }

    fn public_der(&self) -> Option<PublicKeyX509Der<'static>> {
        match self {
            Self::Rsa(pair) => pair.public_key().as_der().ok(),
            Self::Ecdsa(pair) => pair.public_key().as_der().ok(),
            Self::Ed25519(pair) => pair.public_key().as_der().ok(),
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
            Self::Ecdsa(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }

    fn jwk(&self, kid: &str) -> Option<Jwk> {
        let public = match self {
            Self::Rsa(pair) => {
                let public = pair.public_key();
                DecodingKey::from_rsa_raw_components(
                    public.modulus().big_endian_without_leading_zero(),
                    public.exponent().big_endian_without_leading_zero(),
                )
            }
            Self::Ecdsa(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Self::Ed25519(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
        };
        Jwk::new(kid, self.algorithm(), &public)
    }
}

/// Returns a new public key (SPKI) and private key (PKCS#8), both in DER.
fn generated(algorithm: SigningAlgorithm) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    let (pair, private) = match algorithm {
        SigningAlgorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
            let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            let private = Zeroizing::new(der.as_ref().to_vec());
            (Pair::Rsa(pair), private)
        }
        SigningAlgorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
            let private = Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec());
            (Pair::Ecdsa(pair), private)
        }
        SigningAlgorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate().ok()?;
            let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            let private = Zeroizing::new(der.as_ref().to_vec());
            (Pair::Ed25519(pair), private)
        }
    };
    Some((pair.public_der()?.as_ref().to_vec(), private))
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.kid()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREVER: UnixMillis = UnixMillis::new(u64::MAX);

    fn generated(algorithm: SigningAlgorithm) -> StoredKey {
        let at = UnixMillis::new(42);
        SigningKey::generate(KeyKind::Dynamic, algorithm, at, Uuid::nil()).unwrap()
    }

    #[test]
    fn a_generated_key_signs_and_verifies_after_a_round_trip() {
        for algorithm in [
            SigningAlgorithm::Rs256,
            SigningAlgorithm::Es256,
            SigningAlgorithm::EdDsa,
        ] {
            let stored = generated(algorithm);
            assert_eq!(stored.kid, "d-42");
            let key = SigningKey::parse(&stored, FOREVER).unwrap();
            assert_eq!(key.public().algorithm(), algorithm);
            let signature = key.sign(b"message").unwrap();
            assert!(key.public().verifies(b"message", &signature));
            assert!(!key.public().verifies(b"massage", &signature));
            assert!(!key.public().verifies(b"message", &signature[1..]));
            let older = StoredKey {
                key_pair: SecretText::new(stored.key_pair.expose().replace('|', ";")),
                ..stored.clone()
            };
            assert!(SigningKey::parse(&older, FOREVER).is_ok());
            assert!(key.is(&stored) && !key.is(&older));
            let private = stored.key_pair.expose().split_once('|').unwrap().1;
            assert!(!format!("{key:?} {stored:?}").contains(&private[30..60]));
        }
    }

    #[test]
    fn a_published_key_has_the_members_of_its_type() {
        let published = |algorithm| {
            let key = SigningKey::parse(&generated(algorithm), FOREVER).unwrap();
            serde_json::to_value(key.jwk()).unwrap()
        };
        let bytes = |value: &serde_json::Value| {
            use base64::engine::general_purpose::URL_SAFE_NO_PAD;
            URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
        };
        let rsa = published(SigningAlgorithm::Rs256);
        assert_eq!(
            (rsa["kty"].as_str(), bytes(&rsa["n"]).len()),
            (Some("RSA"), 256)
        );
        assert_ne!(bytes(&rsa["n"])[0], 0);
        let p256 = published(SigningAlgorithm::Es256);
        assert_eq!(
            (p256["kty"].as_str(), p256["crv"].as_str()),
            (Some("EC"), Some("P-256"))
        );
        assert_eq!((bytes(&p256["x"]).len(), bytes(&p256["y"]).len()), (32, 32));
        let ed25519 = published(SigningAlgorithm::EdDsa);
        assert_eq!(
            (
                ed25519["kty"].as_str(),
                ed25519["crv"].as_str(),
                ed25519["alg"].as_str()
            ),
            (Some("OKP"), Some("Ed25519"), Some("EdDSA"))
        );
        assert_eq!(bytes(&ed25519["x"]).len(), 32);
        assert!(ed25519.get("n").is_none() && rsa.get("x").is_none());
    }

    #[test]
    fn damaged_keys_are_errors() {
        for text in ["", "a|b", "a", "AAAA|AAAA", "|"] {
            let stored = StoredKey {
                kid: "d-1".into(),
                kind: KeyKind::Dynamic,
                created_at: UnixMillis::new(1),
                key_pair: SecretText::new(text),
            };
            assert!(SigningKey::parse(&stored, FOREVER).is_err(), "{text}");
        }
    }
}
