//! Signature algorithms of access tokens.

/// The algorithm of a signature (RFC 7518, 3.1; RFC 8037, 3.1). A key has exactly one algorithm,
/// and verifies only tokens that name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// RSA with 2048 bits, PKCS#1 v1.5 and SHA-256, as in SuperTokens. Has the lowest cost of
    /// verification and the highest cost of signing.
    #[default]
    Rs256,
    /// ECDSA on P-256 with SHA-256. Short signatures and a low cost of signing. Verification costs
    /// more than with RSA.
    Es256,
    /// Ed25519. Short signatures and the lowest cost of signing. Verification costs more than with
    /// RSA.
    EdDsa,
}

impl SigningAlgorithm {
    /// Returns the algorithm with this name, or `None` if it is unsupported, such as `none` and
    /// `HS256`.
    #[cfg(feature = "server")]
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256, Self::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// Returns the name, as used in tokens and key sets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(crate) const fn to_jwt(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}
