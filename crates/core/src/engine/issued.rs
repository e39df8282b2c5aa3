//! Tokens that were issued, and their contents.

use crate::clock::UnixMillis;
use crate::json::JsonObject;
use crate::secret::{AccessToken, AntiCsrfToken, RefreshToken};
use crate::token::access::{self, AccessClaims};

/// An access token and its contents.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedAccess {
    /// The token.
    pub token: AccessToken,
    /// Its claims.
    pub claims: AccessClaims,
    /// The whole payload, including the claims. A core issues the formats of other SDKs, which
    /// separate the two in different ways, and has the application's part here.
    pub payload: JsonObject,
}

impl IssuedAccess {
    /// Parses a token that the authority has just issued, without verifying it. Returns `None` if
    /// it is not a session's token.
    #[must_use]
    pub fn read(token: AccessToken) -> Option<Self> {
        let parsed = access::parse(token.expose(), |_| None).ok()?;
        let (claims, payload) = (parsed.claims.to_claims(), parsed.claims.payload());
        Some(Self {
            token,
            claims,
            payload,
        })
    }
}

/// All tokens of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedSession {
    /// The access token.
    pub access: IssuedAccess,
    /// The refresh token.
    pub refresh_token: RefreshToken,
    /// The time at which the refresh token was issued.
    pub refresh_issued_at: UnixMillis,
    /// The time at which the session expires unless it is refreshed.
    pub refresh_expires_at: UnixMillis,
    /// The anti-CSRF token, if the session has one.
    pub anti_csrf: Option<AntiCsrfToken>,
}

impl IssuedSession {
    /// Describes the tokens of a session without an anti-CSRF token.
    #[must_use]
    pub fn new(
        access: IssuedAccess,
        refresh_token: RefreshToken,
        refresh_issued_at: UnixMillis,
        refresh_expires_at: UnixMillis,
    ) -> Self {
        Self {
            access,
            refresh_token,
            refresh_issued_at,
            refresh_expires_at,
            anti_csrf: None,
        }
    }
}
