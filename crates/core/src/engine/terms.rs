//! Requests to an engine and their outcomes.

use std::time::Duration;

use super::TokenVersion;
use crate::authority::{IssuedAccess, IssuedSession, NewSession};
use crate::clock::{UnixMillis, UnixSeconds};
use crate::error::ReuseClass;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::secret::{AccessToken, AntiCsrfToken, RefreshToken};
use crate::store::{Device, KeyKind};
use crate::token::access::AccessClaims;

/// The set of rules to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A refresh does not change the session. The first use of the returned tokens promotes the new
    /// refresh token (core specification, 3.2).
    Legacy,
    /// A refresh replaces the refresh token. Verification changes nothing (core specification,
    /// 3.3).
    Rotation,
}

/// The rules and formats of the caller's protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// The rules.
    pub mode: Mode,
    /// The format of new access tokens.
    pub version: TokenVersion,
}

impl Dialect {
    /// The newest rules and format.
    pub const CURRENT: Self = Self {
        mode: Mode::Rotation,
        version: TokenVersion::V5,
    };
}

/// A session to create.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Create {
    /// The user.
    pub user_id: UserId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The application's part of the access token payload.
    pub payload: JsonObject,
    /// The session data.
    pub session_data: JsonObject,
    /// If set, the session gets an anti-CSRF token.
    pub anti_csrf: bool,
    /// The kind of key that signs its access tokens.
    pub key_kind: KeyKind,
    /// The validity of access tokens, if shorter than the configured one.
    pub access_token_validity: Option<Duration>,
}

impl Create {
    /// Describes a session without data and anti-CSRF token, signed with a rotating key.
    #[must_use]
    pub fn new(user_id: UserId, tenant_id: TenantId) -> Self {
        Self {
            user_id,
            tenant_id,
            payload: JsonObject::empty(),
            session_data: JsonObject::empty(),
            anti_csrf: false,
            key_kind: KeyKind::Dynamic,
            access_token_validity: None,
        }
    }

    pub(super) fn session(self) -> NewSession {
        NewSession {
            user_id: self.user_id,
            tenant_id: self.tenant_id,
            payload: self.payload,
            session_data: self.session_data,
            anti_csrf: self.anti_csrf,
            key_kind: self.key_kind,
            device: Device::default(),
        }
    }
}

/// The outcome of a creation.
#[derive(Clone, Debug)]
pub enum CreateOutcome {
    /// The session was created.
    Created(Box<Issued>),
    /// The payload contains a protected member of the token; nothing was created.
    ProtectedClaim,
}

/// The session as described by its access token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionFacts {
    /// The handle.
    pub handle: SessionHandle,
    /// The user.
    pub user_id: UserId,
    /// The login method of the user.
    pub recipe_user_id: UserId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The application's part of the access token payload.
    pub payload: JsonObject,
}

impl SessionFacts {
    pub(super) fn of(claims: &AccessClaims, payload: JsonObject) -> Self {
        Self {
            handle: claims.handle.clone(),
            user_id: claims.user_id.clone(),
            recipe_user_id: claims.recipe_user_id.clone(),
            tenant_id: claims.tenant_id.clone(),
            payload,
        }
    }
}

/// A minted access token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedToken {
    /// The token.
    pub token: AccessToken,
    /// The time of minting.
    pub issued_at: UnixSeconds,
    /// The time of expiry.
    pub expires_at: UnixSeconds,
}

impl From<IssuedAccess> for IssuedToken {
    fn from(issued: IssuedAccess) -> Self {
        Self {
            token: issued.token,
            issued_at: issued.claims.issued_at,
            expires_at: issued.claims.expires_at,
        }
    }
}

/// All tokens of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The session.
    pub session: SessionFacts,
    /// The access token.
    pub access_token: IssuedToken,
    /// The refresh token.
    pub refresh_token: RefreshToken,
    /// The time at which the refresh token was minted.
    pub refresh_issued_at: UnixMillis,
    /// The time at which the refresh token expires.
    pub refresh_expires_at: UnixMillis,
    /// The anti-CSRF token, if enabled.
    pub anti_csrf: Option<AntiCsrfToken>,
}

impl Issued {
    pub(super) fn new(issued: IssuedSession, at: UnixMillis) -> Self {
        let payload = issued.access.payload.clone();
        Self {
            session: SessionFacts::of(&issued.access.claims, payload),
            access_token: issued.access.into(),
            refresh_token: issued.refresh_token,
            refresh_issued_at: at,
            refresh_expires_at: issued.refresh_expires_at,
            anti_csrf: issued.anti_csrf,
        }
    }
}

/// A refresh token to exchange.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The token.
    pub token: RefreshToken,
    /// The anti-CSRF token of the request.
    pub anti_csrf: Option<AntiCsrfToken>,
    /// If set, anti-CSRF tokens are used.
    pub use_anti_csrf: bool,
    /// The new kind of key. `None` keeps the current kind.
    pub key_kind: Option<KeyKind>,
    /// Maximum length of an access token that the caller can deliver. If the new one is longer, the
    /// refresh is a fault and changes nothing.
    pub longest_access_token: Option<usize>,
    /// The validity of the access token, if shorter than the configured one.
    pub access_token_validity: Option<Duration>,
}

/// The outcome of a refresh.
#[derive(Clone, Debug)]
pub enum RefreshOutcome {
    /// New tokens.
    Refreshed(Box<Issued>),
    /// The session does not exist, or the request does not belong to the client.
    Unauthorised(&'static str),
    /// The token was exchanged before.
    Reused {
        /// The session.
        handle: SessionHandle,
        /// Its user.
        user_id: UserId,
        /// The relation of the token to the session, which has been deleted. In [`Mode::Legacy`],
        /// there is no class, and the session still exists.
        class: Option<ReuseClass>,
        /// If set, the reuse is reported as theft.
        report_as_theft: bool,
    },
}

/// An access token to verify.
#[derive(Clone, Debug)]
pub struct Verify {
    /// The token.
    pub token: AccessToken,
    /// The anti-CSRF token that must equal the one in the token, if checked.
    pub anti_csrf: Option<AntiCsrfToken>,
    /// If set, the anti-CSRF token is checked.
    pub check_anti_csrf: bool,
    /// If set, the session is read from the store.
    pub check_database: bool,
}

/// The outcome of a verification.
#[derive(Clone, Debug)]
pub enum VerifyOutcome {
    /// The token is valid.
    Live {
        /// The session.
        session: SessionFacts,
        /// A replacement token. Only in [`Mode::Legacy`].
        replacement: Option<IssuedToken>,
        /// `true` if the stored payload differs. Only in [`Mode::Rotation`], and if the store was
        /// read.
        payload_update_available: Option<bool>,
    },
    /// The session does not exist, or the token is not on its live branch.
    Unauthorised(&'static str),
    /// The token is invalid; a refresh may help.
    TryRefreshToken(String),
    /// A replacement is due, but the stored payload contains a protected member of the token.
    ProtectedClaim,
}

/// An access token to reissue with another payload and the same expiry.
#[derive(Clone, Debug)]
pub struct Regenerate {
    /// The token.
    pub token: AccessToken,
    /// The new payload. `None` uses the stored one.
    pub payload: Option<JsonObject>,
}

/// The outcome of a reissue.
#[derive(Clone, Debug)]
pub enum RegenerateOutcome {
    /// The payload is stored.
    Regenerated {
        /// The session, with the new payload.
        session: SessionFacts,
        /// The new token, unless the old one has expired.
        token: Option<IssuedToken>,
    },
    /// The session does not exist, or the token does not belong to it.
    Unauthorised(String),
    /// The text is not an access token.
    Malformed(String),
    /// The payload contains a protected member of the token; nothing is stored.
    ProtectedClaim,
}

/// Maximum validity of a JWT: 36,500 days.
pub const MAX_JWT_VALIDITY: Duration = crate::builder::limits::LONGEST;

/// A JWT to sign for the application's own purposes.
#[derive(Clone, Debug)]
pub struct JwtRequest {
    /// Its claims. They take precedence over the claims that are added: `iat`, `exp` and `iss`.
    pub payload: JsonObject,
    /// The issuer.
    pub issuer: String,
    /// The validity. Values above [`MAX_JWT_VALIDITY`] are reduced to it.
    pub validity: Duration,
    /// The kind of key that signs.
    pub key_kind: KeyKind,
}

/// The outcome of signing a JWT.
#[derive(Clone, Debug)]
pub enum JwtOutcome {
    /// The JWT.
    Signed(String),
    /// The payload has the members of a session token, which the engine's settings reject.
    SessionClaims,
}

/// A public key, for SDKs without support for key sets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicKey {
    /// Base64 of the public key (SPKI).
    pub public_key: String,
    /// Time of creation.
    pub created_at: UnixMillis,
    /// The time until which the key signs: `created_at` plus the update interval.
    pub signs_until: UnixMillis,
    /// The time until which tokens of the key verify: `created_at` plus the update interval plus
    /// twice the validity of access tokens (core specification, 4.1).
    pub verifies_until: UnixMillis,
    /// Returns `true` for the key that signs now. A new key is listed before it signs.
    pub signs: bool,
}
