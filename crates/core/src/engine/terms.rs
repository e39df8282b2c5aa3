//! What an engine is asked, and what it answers.

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

/// Which of the two sets of rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A refresh leaves the session as it is; the first use of what it handed out moves it on (core
    /// specification, 3.2).
    Legacy,
    /// A refresh moves the session on; verifying changes nothing (core specification, 3.3).
    Rotation,
}

/// What the caller's protocol version comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// The rules.
    pub mode: Mode,
    /// The format of new access tokens.
    pub version: TokenVersion,
}

impl Dialect {
    /// What is newest.
    pub const CURRENT: Self = Self {
        mode: Mode::Rotation,
        version: TokenVersion::V5,
    };
}

/// A session to be made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Create {
    /// The user.
    pub user_id: UserId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The application's part of the access token payload.
    pub payload: JsonObject,
    /// The application's data on the server's side.
    pub session_data: JsonObject,
    /// Whether there is to be an anti-CSRF token.
    pub anti_csrf: bool,
    /// The kind of key that signs.
    pub key_kind: KeyKind,
    /// Instead of the configured validity, and not longer.
    pub access_token_validity: Option<Duration>,
}

impl Create {
    /// A session without data, without anti-CSRF token, signed with a rotating key.
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

/// What became of a session to be made.
#[derive(Clone, Debug)]
pub enum CreateOutcome {
    /// It is made.
    Created(Box<Issued>),
    /// The payload names a member that belongs to the token; nothing is made.
    ProtectedClaim,
}

/// What a session is, as an access token of it says.
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

/// An access token that was minted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedToken {
    /// The token.
    pub token: AccessToken,
    /// When it was minted.
    pub issued_at: UnixSeconds,
    /// Until when it is valid.
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
    /// When the refresh token was minted.
    pub refresh_issued_at: UnixMillis,
    /// Until when the refresh token is good.
    pub refresh_expires_at: UnixMillis,
    /// The anti-CSRF token, if they are in use.
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

/// A refresh token that somebody presents.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The token.
    pub token: RefreshToken,
    /// The anti-CSRF token that came with it.
    pub anti_csrf: Option<AntiCsrfToken>,
    /// Whether anti-CSRF tokens are in use.
    pub use_anti_csrf: bool,
    /// The kind of key from now on; what it was if absent.
    pub key_kind: Option<KeyKind>,
    /// Length of the longest access token that the caller can deliver. If the new one is longer,
    /// the refresh is a fault and changes nothing.
    pub longest_access_token: Option<usize>,
    /// Instead of the configured validity, and not longer.
    pub access_token_validity: Option<Duration>,
}

/// What became of a refresh.
#[derive(Clone, Debug)]
pub enum RefreshOutcome {
    /// New tokens.
    Refreshed(Box<Issued>),
    /// There is no such session, or the request is not the client's.
    Unauthorised(&'static str),
    /// The token was exchanged before.
    Reused {
        /// The session.
        handle: SessionHandle,
        /// Its user.
        user_id: UserId,
        /// How the token is related to the session, which is gone. In [`Mode::Legacy`] there is no
        /// class, and the session is still there.
        class: Option<ReuseClass>,
        /// Whether to report it as theft.
        report_as_theft: bool,
    },
}

/// An access token that somebody presents.
#[derive(Clone, Debug)]
pub struct Verify {
    /// The token.
    pub token: AccessToken,
    /// The anti-CSRF token that must match the one in the token, if that is to be checked.
    pub anti_csrf: Option<AntiCsrfToken>,
    /// Whether to check the anti-CSRF token.
    pub check_anti_csrf: bool,
    /// Whether to ask the store for the session.
    pub check_database: bool,
}

/// What is said of an access token.
#[derive(Clone, Debug)]
pub enum VerifyOutcome {
    /// It is good.
    Live {
        /// The session.
        session: SessionFacts,
        /// A token to use instead. Only in [`Mode::Legacy`].
        replacement: Option<IssuedToken>,
        /// Whether the stored payload is another one. Only in [`Mode::Rotation`], and if the store
        /// was asked.
        payload_update_available: Option<bool>,
    },
    /// The session is gone, or the token is not on its live branch.
    Unauthorised(&'static str),
    /// The token is no good; a refresh may cure it.
    TryRefreshToken(String),
    /// A replacement is due, and the stored payload names a member that belongs to the token.
    ProtectedClaim,
}

/// An access token that is to be minted anew, with another payload and the same expiry.
#[derive(Clone, Debug)]
pub struct Regenerate {
    /// The token.
    pub token: AccessToken,
    /// The payload; the stored one if absent.
    pub payload: Option<JsonObject>,
}

/// What became of a token to be minted anew.
#[derive(Clone, Debug)]
pub enum RegenerateOutcome {
    /// The payload is stored.
    Regenerated {
        /// The session, with the new payload.
        session: SessionFacts,
        /// The new token, unless the old one has expired.
        token: Option<IssuedToken>,
    },
    /// The session is gone, or the token is not one of it.
    Unauthorised(String),
    /// The text is no access token.
    Malformed(String),
    /// The payload names a member that belongs to the token; nothing is stored.
    ProtectedClaim,
}

/// The longest validity of a JWT: 36,500 days.
pub const MAX_JWT_VALIDITY: Duration = crate::config::limits::LONGEST;

/// A JWT to be made for the application's own purposes.
#[derive(Clone, Debug)]
pub struct JwtRequest {
    /// Its claims, which win over those that are added: `iat`, `exp` and `iss`.
    pub payload: JsonObject,
    /// The issuer.
    pub issuer: String,
    /// How long it is valid. At most [`MAX_JWT_VALIDITY`]; what is longer counts as that.
    pub validity: Duration,
    /// The kind of key that signs.
    pub key_kind: KeyKind,
}

/// What became of a JWT to be made.
#[derive(Clone, Debug)]
pub enum JwtOutcome {
    /// The JWT.
    Signed(String),
    /// The payload has the members of a session's token, which the engine is set to refuse.
    SessionClaims,
}

/// A public key, for SDKs from before key sets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicKey {
    /// Base64 of the public key (SPKI).
    pub public_key: String,
    /// Time of creation.
    pub created_at: UnixMillis,
    /// End of the time in which the key signs: `created_at` and the update interval.
    pub signs_until: UnixMillis,
    /// End of the time in which tokens of the key verify: `created_at`, the update interval and
    /// twice the validity of access tokens (core specification, 4.1).
    pub verifies_until: UnixMillis,
    /// Returns `true` for the key that signs now. A new key is listed before it signs.
    pub signs: bool,
}
