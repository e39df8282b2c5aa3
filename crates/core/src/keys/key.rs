//! One signing key, parsed once.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Jwk;
use crate::clock::UnixMillis;
use crate::secret::SecretText;
use crate::store::{KeyKind, StoredKey};
use crate::token::access;
use crate::wire;

/// An RSA-2048 key pair with everything about it that is needed more than once.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) kind: KeyKind,
    pub(crate) created_at: UnixMillis,
    pair: KeyPair,
    public: ParsedPublicKey,
    session_header: String,
    jwt_header: String,
    jwk: Jwk,
}

/// A stored key that cannot be used, or a key that cannot be made.
#[derive(Clone, Debug, thiserror::Error)]
#[error("signing key `{kid}`: {problem}")]
pub(crate) struct KeyError {
    kid: String,
    problem: &'static str,
}

impl SigningKey {
    pub(crate) fn parse(stored: &StoredKey) -> Result<Self, KeyError> {
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
        let pair = KeyPair::from_pkcs8(&private)
            .map_err(|_| fail("the private part is not an RSA key"))?;
        let public: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .map_err(|_| fail("the public part cannot be derived"))?;
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref())
            .map_err(|_| fail("the public part cannot be parsed"))?;
        let jwk = Jwk::rsa(
            &stored.kid,
            URL_SAFE_NO_PAD.encode(
                pair.public_key()
                    .modulus()
                    .big_endian_without_leading_zero(),
            ),
            URL_SAFE_NO_PAD.encode(
                pair.public_key()
                    .exponent()
                    .big_endian_without_leading_zero(),
            ),
        );
        Ok(Self {
            kid: stored.kid.clone(),
            kind: stored.kind,
            created_at: stored.created_at,
            session_header: access::header(&stored.kid, Some(wire::ACCESS_TOKEN_VERSION)),
            jwt_header: access::header(&stored.kid, None),
            pair,
            public,
            jwk,
        })
    }

    /// Makes a key pair; takes a good part of a second of processor time.
    pub(crate) fn generate(
        kind: KeyKind,
        created_at: UnixMillis,
        static_id: Uuid,
    ) -> Result<StoredKey, KeyError> {
        let kid = match kind {
            KeyKind::Dynamic => format!("{}{created_at}", wire::DYNAMIC_KID_PREFIX),
            KeyKind::Static => format!("{}{static_id}", wire::STATIC_KID_PREFIX),
        };
        let fail = |problem| KeyError {
            kid: kid.clone(),
            problem,
        };
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| fail("generation failed"))?;
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| fail("encoding failed"))?;
        let public: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .map_err(|_| fail("encoding failed"))?;
        let private = Zeroizing::new(STANDARD.encode(private.as_ref()));
        let key_pair =
            SecretText::new(format!("{}|{}", STANDARD.encode(public.as_ref()), *private));
        Ok(StoredKey {
            kid,
            kind,
            created_at,
            key_pair,
        })
    }

    /// Signs with PKCS#1 v1.5 and SHA-256. Takes most of a millisecond.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .map_err(|_| KeyError {
                kid: self.kid.clone(),
                problem: "signing failed",
            })?;
        Ok(signature)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    /// The encoded header of the session tokens that this key signs.
    pub(crate) fn session_header(&self) -> &str {
        &self.session_header
    }

    /// The encoded header of other JWTs that this key signs.
    pub(crate) fn jwt_header(&self) -> &str {
        &self.jwt_header
    }

    pub(crate) fn jwk(&self) -> &Jwk {
        &self.jwk
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.kid).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_signs_and_verifies_after_a_round_trip() {
        let stored =
            SigningKey::generate(KeyKind::Dynamic, UnixMillis::new(42), Uuid::nil()).unwrap();
        assert_eq!(stored.kid, "d-42");
        let key = SigningKey::parse(&stored).unwrap();
        let signature = key.sign(b"message").unwrap();
        assert!(key.verifies(b"message", &signature));
        assert!(!key.verifies(b"massage", &signature));
        assert!(!key.verifies(b"message", &signature[1..]));
        let older = StoredKey {
            key_pair: SecretText::new(stored.key_pair.expose().replace('|', ";")),
            ..stored.clone()
        };
        assert!(SigningKey::parse(&older).is_ok());
        let modulus = URL_SAFE_NO_PAD.decode(&key.jwk().n).unwrap();
        assert_eq!((modulus.len(), modulus[0] == 0), (256, false));
        let private = stored.key_pair.expose().split_once('|').unwrap().1;
        assert!(!format!("{key:?} {stored:?}").contains(&private[100..200]));
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
            assert!(SigningKey::parse(&stored).is_err(), "{text}");
        }
    }
}
