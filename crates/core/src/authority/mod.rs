//! The seam between "what a session means to a request" and "who owns the truth".
//!
//! Everything above it (transfer, verification, claims, the handle) works the same whether the
//! truth is in a store of this process or in a core across the network.

mod local;

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::UnixMillis;
use crate::devices::Use;
use crate::error::{Fault, ReuseClass};
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::keys::{JwkSet, VerifyingKey};
use crate::secret::{AccessToken, AntiCsrfToken, RefreshToken};
use crate::store::{Device, DocumentWrite, Endings, KeyKind, SessionDocument, WriteOutcome};
use crate::token::access::AccessClaims;

pub(crate) use local::Local;

/// Owns sessions, keys and metadata.
#[async_trait]
pub(crate) trait Authority: Send + Sync + 'static {
    /// The key of this id, if it is known and verifies now. Never waits.
    fn known_key(&self, kid: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>>;
    /// The key whose session tokens have this encoded header, if it is known and verifies now. Never
    /// waits.
    fn known_by_header(&self, header: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>>;
    /// Changes whenever a known key is gone or replaced.
    fn key_generation(&self) -> u64;
    /// The key of this id, looked for where keys come from.
    async fn find_key(
        &self,
        kid: &str,
        now: UnixMillis,
    ) -> Result<Option<Arc<VerifyingKey>>, Fault>;
    /// The key set to publish.
    async fn jwks(&self, now: UnixMillis) -> Result<JwkSet, Fault>;
    /// When the newest signing key was made, as its maker's clock says. Asks where keys come from.
    async fn newest_key_made_at(&self) -> Result<Option<UnixMillis>, Fault>;
    /// A JWT for the application's own purposes.
    async fn create_jwt(&self, request: JwtRequest, now: UnixMillis) -> Result<String, Fault>;

    /// Makes a session and its tokens.
    async fn create(&self, new: NewSession, now: UnixMillis) -> Result<IssuedSession, Fault>;
    /// Exchanges a refresh token. Asks the clock itself, because it may have to look more than
    /// once.
    async fn refresh(&self, request: RefreshRequest) -> Result<RefreshOutcome, Fault>;
    /// Whether the session of an access token is live and the token on a live branch.
    async fn check(&self, claims: &AccessClaims, now: UnixMillis) -> Result<CheckOutcome, Fault>;
    /// A new access token with another application payload: same session, same expiry. None if it
    /// has expired.
    async fn reissue(
        &self,
        claims: &AccessClaims,
        payload: &JsonObject,
        key_kind: KeyKind,
        now: UnixMillis,
    ) -> Result<Option<IssuedAccess>, Fault>;

    /// What is known of a live session.
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
    /// Notes where sessions were used.
    async fn record_uses(&self, uses: &[Use], now: UnixMillis) -> Result<(), Fault>;
    /// Names the device of a live session; tells whether there is one.
    async fn set_device_label(
        &self,
        handle: &SessionHandle,
        label: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, Fault>;
    /// Ends sessions and tells which were there.
    async fn revoke(&self, handles: &[SessionHandle]) -> Result<Vec<SessionHandle>, Fault>;
    /// Ends the sessions of a user and tells which.
    async fn revoke_user(
        &self,
        selection: &Selection,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault>;
    /// The handles of a user's live sessions, oldest first.
    async fn handles(
        &self,
        selection: &Selection,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault>;
    /// A user's live sessions, oldest first.
    async fn sessions(
        &self,
        selection: &Selection,
        now: UnixMillis,
    ) -> Result<Vec<SessionInformation>, Fault>;

    /// A user's metadata; the empty object if there is none.
    async fn user_metadata(&self, user: &UserId) -> Result<JsonObject, Fault>;
    /// Changes a user's metadata.
    async fn write_user_metadata(
        &self,
        user: &UserId,
        write: DocumentWrite,
    ) -> Result<WriteOutcome, Fault>;
    /// Removes a user's metadata.
    async fn clear_user_metadata(&self, user: &UserId) -> Result<(), Fault>;

    /// A feed of the sessions that end from now on, on any node, if there is one.
    async fn endings(&self) -> Result<Option<Endings>, Fault>;

    /// Removes what is expired, at most `limit` sessions; tells how many.
    async fn delete_expired(&self, limit: u32, now: UnixMillis) -> Result<u64, Fault>;
    /// Removes signing keys whose last token is dead.
    async fn retire_keys(&self, now: UnixMillis) -> Result<u64, Fault>;
}

/// A session to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewSession {
    pub(crate) user_id: UserId,
    pub(crate) tenant_id: TenantId,
    /// The application's part of the access token payload, issuer and claims included.
    pub(crate) payload: JsonObject,
    pub(crate) session_data: JsonObject,
    pub(crate) anti_csrf: bool,
    pub(crate) key_kind: KeyKind,
    pub(crate) device: Device,
}

/// A refresh token that a client presents.
#[derive(Clone, Debug)]
pub(crate) struct RefreshRequest {
    pub(crate) token: RefreshToken,
    /// What the request carries in the anti-CSRF header.
    pub(crate) anti_csrf: Option<AntiCsrfToken>,
    /// Whether anti-CSRF tokens are in use for this request.
    pub(crate) use_anti_csrf: bool,
    pub(crate) key_kind: KeyKind,
}

/// An access token and what it says.
#[derive(Clone, Debug)]
pub(crate) struct IssuedAccess {
    pub(crate) token: AccessToken,
    pub(crate) claims: AccessClaims,
    /// The whole payload, the claims included.
    pub(crate) payload: JsonObject,
}

/// All tokens of a session.
#[derive(Clone, Debug)]
pub(crate) struct IssuedSession {
    pub(crate) access: IssuedAccess,
    pub(crate) refresh_token: RefreshToken,
    pub(crate) refresh_expires_at: UnixMillis,
    pub(crate) anti_csrf: Option<AntiCsrfToken>,
}

/// What became of a refresh.
#[derive(Clone, Debug)]
pub(crate) enum RefreshOutcome {
    Refreshed(Box<IssuedSession>),
    Unauthorised(&'static str),
    Reused {
        handle: SessionHandle,
        user_id: UserId,
        class: ReuseClass,
        report_as_theft: bool,
    },
}

/// What the truth says of an access token.
#[derive(Clone, Debug)]
pub(crate) enum CheckOutcome {
    Live(SessionInformation),
    Gone,
    RotatedOut,
}

/// A JWT to be made.
#[derive(Clone, Debug)]
pub(crate) struct JwtRequest {
    pub(crate) payload: JsonObject,
    pub(crate) issuer: String,
    pub(crate) validity: std::time::Duration,
    pub(crate) key_kind: KeyKind,
}

/// Which sessions of a user are meant.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) user_id: UserId,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) except: Option<SessionHandle>,
}

/// What is known of a session without a request (session specification, 8.1).
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
    /// The application's data on the server's side.
    pub session_data: JsonObject,
    /// The application's part of the access token payload, as it is stored.
    pub custom_claims_in_access_token_payload: JsonObject,
    /// When the session ends unless it is refreshed: the refresh token's expiry.
    pub expiry: UnixMillis,
    /// When the session was created.
    pub time_created: UnixMillis,
    /// Where it is used, as far as that is noted
    /// ([`SessionsBuilder::track_devices`](crate::SessionsBuilder::track_devices)).
    pub device: Device,
}
