//! The interface between sessions as requests use them and the owner of their state. **Applications
//! do not need this module**: [`Sessions::builder`](crate::Sessions::builder) creates an authority
//! over a store, `supersession-remote` provides one that calls a core across the network, and
//! [`Sessions::over`](crate::Sessions::over) accepts any implementation.
//!
//! All other modules (transfer, verification, claims, the session handle) work the same over every
//! authority.
//!
//! # Contract
//! * A [`Fault`] means that the authority failed. It is never a verdict on a token or a session.
//! * A missing or unexpected state is an outcome, not an error.
//! * No error contains a token.
//! * Futures can be polled outside of any async runtime. An implementation that needs a runtime
//!   provides it.

mod local;

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::UnixMillis;
use crate::error::{Fault, ReuseClass};
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::keys::JwkSet;
use crate::secret::{AccessToken, AntiCsrfToken, RefreshToken};
use crate::store::{Device, DocumentWrite, KeyKind, RevocationFeed, SessionDocument, WriteOutcome};
use crate::token::access;

pub(crate) use local::Local;

pub use crate::devices::DeviceUse;
pub use crate::keys::VerifyingKey;
pub use crate::token::access::AccessClaims;

/// The owner of sessions, keys and metadata.
#[async_trait]
pub trait Authority: Send + Sync + 'static {
    /// Checks that sessions can be created, read and changed now, for readiness probes. The default
    /// asks the source of the keys.
    async fn check_ready(&self) -> Result<(), Fault> {
        self.newest_key_made_at().await.map(drop)
    }

    /// Returns the key with this id, if it is known and verifies now. Never waits.
    fn known_key(&self, kid: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>>;
    /// Returns the key whose session tokens have this encoded header, if it is known and verifies
    /// now. Never waits.
    fn known_by_header(&self, header: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>>;
    /// Returns a number that changes whenever a known key is removed or replaced. Called at each
    /// use of a cached verification. Never waits.
    fn key_generation(&self, now: UnixMillis) -> u64;
    /// Returns the key with this id, after asking the source of the keys if necessary.
    async fn find_key(
        &self,
        kid: &str,
        now: UnixMillis,
    ) -> Result<Option<Arc<VerifyingKey>>, Fault>;
    /// Returns the key set to publish.
    async fn jwks(&self, now: UnixMillis) -> Result<JwkSet, Fault>;
    /// Returns the creation time of the newest signing key, by its creator's clock. Asks the source
    /// of the keys.
    async fn newest_key_made_at(&self) -> Result<Option<UnixMillis>, Fault>;
    /// Signs a JWT for the application's own purposes.
    async fn create_jwt(&self, request: JwtRequest, now: UnixMillis) -> Result<String, Fault>;

    /// Creates a session and its tokens.
    async fn create(&self, new: NewSession, now: UnixMillis) -> Result<IssuedSession, Fault>;
    /// Exchanges a refresh token. Reads the clock itself, because it may need several attempts.
    async fn refresh(&self, request: RefreshRequest) -> Result<RefreshOutcome, Fault>;
    /// Returns `true` if the first use of an access token with a parent must be passed to
    /// [`Self::check`], which then returns a token without a parent (core specification, 2.5).
    fn confirms_refreshes(&self) -> bool;
    /// Checks an access token that was verified in this process. With `check_database`, also checks
    /// that its session is live and the token is on a live branch.
    async fn check(
        &self,
        presented: PresentedToken<'_>,
        check_database: bool,
        now: UnixMillis,
    ) -> Result<CheckOutcome, Fault>;
    /// Mints an access token with `payload`, which the caller has already stored for the session:
    /// same session, same expiry.
    async fn reissue(
        &self,
        presented: PresentedToken<'_>,
        payload: &JsonObject,
        key_kind: KeyKind,
        now: UnixMillis,
    ) -> Result<ReissueOutcome, Fault>;

    /// Returns the information about a live session.
    async fn information(
        &self,
        handle: &SessionHandle,
        now: UnixMillis,
    ) -> Result<Option<SessionInformation>, Fault>;
    /// Changes a document of a live session.
    async fn write_document(
        &self,
        handle: &SessionHandle,
        document: SessionDocument,
        write: DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, Fault>;
    /// Records where sessions were used.
    async fn record_uses(&self, uses: &[DeviceUse], now: UnixMillis) -> Result<(), Fault>;
    /// Sets or removes the label of a live session's device. Returns `true` if the session exists.
    async fn set_device_label(
        &self,
        handle: &SessionHandle,
        label: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, Fault>;
    /// Revokes sessions and returns the handles of those that existed.
    async fn revoke(&self, handles: &[SessionHandle]) -> Result<Vec<SessionHandle>, Fault>;
    /// Revokes the sessions of a user and returns their handles.
    async fn revoke_user(
        &self,
        selection: &Selection,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault>;
    /// Returns the handles of a user's live sessions, oldest first.
    async fn handles(
        &self,
        selection: &Selection,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault>;
    /// Returns a user's live sessions, oldest first.
    async fn sessions(
        &self,
        selection: &Selection,
        now: UnixMillis,
    ) -> Result<Vec<SessionInformation>, Fault>;

    /// Returns a user's metadata, or the empty object if there is none.
    async fn user_metadata(&self, user: &UserId) -> Result<JsonObject, Fault>;
    /// Changes a user's metadata.
    async fn write_user_metadata(
        &self,
        user: &UserId,
        write: DocumentWrite,
    ) -> Result<WriteOutcome, Fault>;
    /// Removes a user's metadata.
    async fn clear_user_metadata(&self, user: &UserId) -> Result<(), Fault>;

    /// Opens a feed of the sessions that any node deletes from now on, if the authority has one.
    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, Fault>;

    /// Deletes at most `limit` expired sessions and returns their number.
    async fn delete_expired(&self, limit: u32, now: UnixMillis) -> Result<u64, Fault>;
    /// Deletes signing keys without valid tokens and returns their number.
    async fn retire_keys(&self, now: UnixMillis) -> Result<u64, Fault>;
}

/// A verified access token and its claims.
#[derive(Clone, Copy)]
pub struct PresentedToken<'a> {
    /// The token. It is a secret.
    pub token: &'a str,
    /// Its claims, without the application's payload.
    pub claims: &'a AccessClaims,
}

impl std::fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresentedToken")
            .field("handle", &self.claims.handle)
            .finish_non_exhaustive()
    }
}

/// A session to create.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The user.
    pub user_id: UserId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The application's part of the access token payload, including issuer and claims.
    pub payload: JsonObject,
    /// The session data.
    pub session_data: JsonObject,
    /// If set, the session gets an anti-CSRF token.
    pub anti_csrf: bool,
    /// The kind of key that signs its access tokens.
    pub key_kind: KeyKind,
    /// The device that creates the session, if it is tracked.
    pub device: Device,
}

/// A refresh token that a client presents.
#[derive(Clone, Debug)]
pub struct RefreshRequest {
    /// The token.
    pub token: RefreshToken,
    /// The anti-CSRF header of the request.
    pub anti_csrf: Option<AntiCsrfToken>,
    /// If set, anti-CSRF tokens are used for this request.
    pub use_anti_csrf: bool,
    /// The kind of key that signs access tokens from now on.
    pub key_kind: KeyKind,
    /// Maximum length of an access token that can be delivered. If the new one is longer, the
    /// refresh fails. It changes nothing if the authority can determine the length before it has
    /// refreshed.
    pub longest_access_token: Option<usize>,
}

/// An access token and its contents.
#[derive(Clone, Debug)]
pub struct IssuedAccess {
    /// The token.
    pub token: AccessToken,
    /// Its claims.
    pub claims: AccessClaims,
    /// The whole payload, including the claims.
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
pub struct IssuedSession {
    /// The access token.
    pub access: IssuedAccess,
    /// The refresh token.
    pub refresh_token: RefreshToken,
    /// The time at which the session expires unless it is refreshed.
    pub refresh_expires_at: UnixMillis,
    /// The anti-CSRF token, if the session has one.
    pub anti_csrf: Option<AntiCsrfToken>,
}

/// The outcome of a refresh.
#[derive(Clone, Debug)]
pub enum RefreshOutcome {
    /// New tokens.
    Refreshed(Box<IssuedSession>),
    /// The session does not exist, or the request does not belong to the client. The text is for
    /// the operator.
    Unauthorised(&'static str),
    /// The token was exchanged before; the session is revoked.
    Reused {
        /// The session.
        handle: SessionHandle,
        /// Its user.
        user_id: UserId,
        /// The login method of the user.
        recipe_user_id: UserId,
        /// The relation of the token to the session.
        class: ReuseClass,
        /// If set, the reuse is reported as theft.
        report_as_theft: bool,
    },
}

/// The outcome of a check.
#[derive(Clone, Debug)]
pub enum CheckOutcome {
    /// The token is valid.
    Live(Box<Confirmed>),
    /// The session was revoked or has expired.
    Gone,
    /// The session is on a newer branch than the token.
    RotatedOut,
    /// The authority rejects the token, and a refresh may help. The text is for the operator.
    TryRefreshToken(&'static str),
}

/// Further facts about the session of a valid token.
#[derive(Clone, Debug, Default)]
pub struct Confirmed {
    /// The stored payload, if it may differ from the token's.
    pub stored_payload: Option<JsonObject>,
    /// The session's time of creation, if it is known without another request.
    pub created_at: Option<UnixMillis>,
    /// A token that replaces the checked one.
    pub replacement: Option<IssuedAccess>,
}

/// The outcome of a reissue.
#[derive(Clone, Debug)]
pub enum ReissueOutcome {
    /// The new token.
    Issued(Box<IssuedAccess>),
    /// The token has expired: the payload reaches the client with its next refresh.
    Expired,
    /// The session was revoked or has expired.
    Gone,
}

/// A JWT to sign.
#[derive(Clone, Debug)]
pub struct JwtRequest {
    /// Its claims. They take precedence over the claims that are added: `iat`, `exp` and `iss`.
    pub payload: JsonObject,
    /// The issuer.
    pub issuer: String,
    /// The validity.
    pub validity: std::time::Duration,
    /// The kind of key that signs.
    pub key_kind: KeyKind,
}

/// A selection of a user's sessions.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The user.
    pub user_id: UserId,
    /// Only this tenant, or all tenants if `None`.
    pub tenant: Option<TenantId>,
    /// A session to exclude.
    pub except: Option<SessionHandle>,
}

/// Stored information about a session (session specification, 8.1). Members of the documents that
/// exceed [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH), which other programs may have stored, are
/// omitted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInformation {
    /// The handle.
    pub handle: SessionHandle,
    /// The user.
    pub user_id: UserId,
    /// The login method of the user.
    pub recipe_user_id: UserId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The session data.
    pub session_data: JsonObject,
    /// The application's part of the stored access token payload.
    pub access_token_payload: JsonObject,
    /// The time at which the session expires unless it is refreshed: the refresh token's expiry.
    pub expires_at: UnixMillis,
    /// The time of the session's creation.
    pub created_at: UnixMillis,
    /// The device that uses the session, if devices are tracked
    /// ([`SessionsBuilder::track_devices`](crate::SessionsBuilder::track_devices)).
    pub device: Device,
}

impl SessionInformation {
    /// Omits members that are nested too deep, which no constructor accepts.
    pub(crate) fn readable(self) -> Self {
        Self {
            session_data: self.session_data.readable(),
            access_token_payload: self.access_token_payload.readable(),
            ..self
        }
    }

    /// Creates the information for a session of this user, with the default login method and
    /// tenant. The other members can be set.
    #[must_use]
    pub fn new(handle: SessionHandle, user_id: UserId) -> Self {
        Self {
            tenant_id: handle.tenant_id(),
            handle,
            recipe_user_id: user_id.clone(),
            user_id,
            session_data: JsonObject::empty(),
            access_token_payload: JsonObject::empty(),
            expires_at: UnixMillis::default(),
            created_at: UnixMillis::default(),
            device: Device::default(),
        }
    }
}
