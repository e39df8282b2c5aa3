//! The public half of a key: all that verifying needs, parsed once.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
};

use super::SigningAlgorithm;
use crate::clock::UnixMillis;
use crate::store::KeyKind;
use crate::token::access;
use crate::wire;

/// A key that verifies.
pub(crate) struct VerifyingKey {
    pub(crate) kid: String,
    pub(crate) kind: KeyKind,
    /// The last moment at which it verifies.
    pub(crate) verifies_until: UnixMillis,
    algorithm: SigningAlgorithm,
    public: ParsedPublicKey,
    session_header: String,
}

/// The bytes are no public key of the algorithm.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a public key of {}", .0.name())]
pub(crate) struct UnusableKey(SigningAlgorithm);

impl VerifyingKey {
    /// `public` is the subject's public key (SPKI) in DER, or what the algorithm has in its place.
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
            session_header: access::header(kid, algorithm, Some(wire::ACCESS_TOKEN_VERSION)),
        })
    }

    pub(crate) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// The encoded header of the session tokens that this key signs.
    pub(crate) fn session_header(&self) -> &str {
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
