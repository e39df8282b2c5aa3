//! Versions of access tokens.

use std::fmt;

use crate::json::JsonObject;
use crate::wire;

/// The format of an access token. Older versions are minted for older backend SDKs. All versions
/// are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TokenVersion {
    /// Like [`V2`](Self::V2), without a choice of keys. Minted only as a replacement.
    V1,
    /// A format of its own, without key id and tenant. The application's payload is a member of it.
    V2,
    /// A JWT with the application's payload at its root.
    V3,
    /// V3 plus the tenant.
    V4,
    /// V4 plus the recipe user id. The current version.
    V5,
}

/// Members of the payload of versions 1 and 2.
const OLDEST_CLAIMS: [&str; 5] = [
    wire::LEGACY_CLAIM_USER_ID,
    wire::LEGACY_CLAIM_EXPIRY_TIME,
    wire::LEGACY_CLAIM_TIME_CREATED,
    wire::CLAIM_SESSION_HANDLE,
    wire::CLAIM_REFRESH_TOKEN_HASH1,
];

/// Members of version 5. Each older version lacks some at the end.
const CLAIMS: [&str; 9] = [
    wire::CLAIM_SUB,
    wire::CLAIM_EXP,
    wire::CLAIM_IAT,
    wire::CLAIM_SESSION_HANDLE,
    wire::CLAIM_REFRESH_TOKEN_HASH1,
    wire::CLAIM_PARENT_REFRESH_TOKEN_HASH1,
    wire::CLAIM_ANTI_CSRF_TOKEN,
    wire::CLAIM_TENANT_ID,
    wire::CLAIM_RSUB,
];

impl TokenVersion {
    /// Returns the version with this number.
    pub(crate) fn of_number(text: &str) -> Option<Self> {
        match text {
            "1" => Some(Self::V1),
            "2" => Some(Self::V2),
            "3" => Some(Self::V3),
            "4" => Some(Self::V4),
            "5" => Some(Self::V5),
            _ => None,
        }
    }

    /// Returns the number, as in the header of a token.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
            Self::V3 => "3",
            Self::V4 => "4",
            Self::V5 => wire::ACCESS_TOKEN_VERSION,
        }
    }

    /// Returns `true` if the format is not a JWT.
    pub(crate) fn is_oldest(self) -> bool {
        self < Self::V3
    }

    /// Returns the required members of a token of this version (core specification, 2.3).
    pub(crate) fn claims(self) -> &'static [&'static str] {
        match self {
            Self::V1 | Self::V2 => &OLDEST_CLAIMS,
            Self::V3 => &CLAIMS[..7],
            Self::V4 => &CLAIMS[..8],
            Self::V5 => &CLAIMS,
        }
    }

    /// Returns `true` if the application's payload contains a protected member of the token. The
    /// oldest versions keep the two separate and protect no members.
    #[must_use]
    pub fn protects_member_of(self, payload: &JsonObject) -> bool {
        !self.is_oldest()
            && payload
                .keys()
                .iter()
                .any(|key| self.claims().contains(&key.as_str()))
    }
}

impl fmt::Display for TokenVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}
