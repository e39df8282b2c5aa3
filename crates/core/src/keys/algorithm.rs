//! What access tokens may be signed with.

/// The algorithm of a signature (RFC 7518, 3.1; RFC 8037, 3.1). A key has one, and a token that it
/// verifies must name just that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// RSA with 2048 bits, PKCS#1 v1.5 and SHA-256: what SuperTokens uses. The cheapest to verify and
    /// the dearest to sign.
    #[default]
    Rs256,
    /// ECDSA on P-256 with SHA-256. Short signatures, cheap to sign, dearer to verify.
    Es256,
    /// Ed25519. Short signatures, the cheapest to sign, dearer to verify than RSA.
    EdDsa,
}

impl SigningAlgorithm {
    /// The algorithm of this name; none that is not spoken here, such as `none` and `HS256`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256, Self::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// The name, as tokens and key sets say it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}
