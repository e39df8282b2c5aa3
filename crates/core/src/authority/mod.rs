//! The seam between "what a session means to a request" and "who owns the truth". **Applications do
//! not need this module**: [`Sessions::builder`](crate::Sessions::builder) makes an authority out of
//! a store, `supersession-remote` has one that asks a core across the network, and
//! [`Sessions::over`](crate::Sessions::over) takes any.
//!
//! Everything above the seam (transfer, verification, claims, the handle) works the same, whoever is
//! below it.
//!
//! # Contract
//! * A [`Fault`] means that the authority could not do its work. It is never a verdict on a token or
//!   a session.
//! * What is gone, or otherwise than expected, is an outcome and no error.
//! * Nothing here prints or returns a token in an error.
//! * Futures may be polled outside of any runtime: what needs one brings it along.

mod local;

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::UnixMillis;
use crate::error::{Fault, ReuseClass};
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::keys::JwkSet;
use crate::secret::{AccessToken, AntiCsrfToken, RefreshToken};
use crate::store::{Device, DocumentWrite, Endings, KeyKind, SessionDocument, WriteOutcome};
use crate::token::access;

pub(crate) use local::Local;

pub use crate::devices::Use;
pub use crate::keys::VerifyingKey;
pub use crate::token::access::AccessClaims;

/// Owns sessions, keys and metadata.
#[async_trait]
pub trait Authority: Send + Sync + 'static {
    /// Checks that sessions can be created, read and changed now, for readiness probes. The default
    /// asks where keys come from.
    async fn check_ready(&self) -> Result<(), Fault> {
        self.newest_key_made_at().await.map(drop)
    }

    /// The key of this id, if it is known and verifies now. Never waits.
    fn known_key(&self, kid: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>>;
    /// The key whose session tokens have this encoded header, if it is known and verifies now. Never
    /// waits.
    fn known_by_header(&self, header: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>>;
    /// Changes whenever a known key is gone or replaced. Asked at each use of what was verified
    /// before. Never waits.
    fn key_generation(&self, now: UnixMillis) -> u64;
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
    /// Whether the first use of an access token with a parent must be shown to [`Self::check`],
    /// which then has a token without one for it (core specification, 2.5).
    fn confirms_refreshes(&self) -> bool;
    /// What is to be said of an access token that was verified here. With `check_database`, whether
    /// its session is live and the token on a live branch.
    async fn check(
        &self,
        presented: PresentedToken<'_>,
        check_database: bool,
        now: UnixMillis,
    ) -> Result<CheckOutcome, Fault>;
    /// A new access token, after the stored payload of its session has become `payload`: same
    /// session, same expiry.
    async fn reissue(
        &self,
        presented: PresentedToken<'_>,
        payload: &JsonObject,
        key_kind: KeyKind,
        now: UnixMillis,
    ) -> Result<ReissueOutcome, Fault>;

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

/// An access token that was verified, and what it says.
#[derive(Clone, Copy)]
pub struct PresentedToken<'a> {
    /// The token. A secret.
    pub token: &'a str,
    /// What it says, beside the application's payload.
    pub claims: &'a AccessClaims,
}

impl std::fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresentedToken")
            .field("handle", &self.claims.handle)
            .finish_non_exhaustive()
    }
}

/// A session to be made.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The user.
    pub user_id: UserId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The application's part of the access token payload, issuer and claims included.
    pub payload: JsonObject,
    /// The application's data on the server's side.
    pub session_data: JsonObject,
    /// Whether there is to be an anti-CSRF token.
    pub anti_csrf: bool,
    /// The kind of key that signs.
    pub key_kind: KeyKind,
    /// Where it is made, as far as that is noted.
    pub device: Device,
}

/// A refresh token that a client presents.
#[derive(Clone, Debug)]
pub struct RefreshRequest {
    /// The token.
    pub token: RefreshToken,
    /// What the request carries in the anti-CSRF header.
    pub anti_csrf: Option<AntiCsrfToken>,
    /// Whether anti-CSRF tokens are in use for this request.
    pub use_anti_csrf: bool,
    /// The kind of key that signs from now on.
    pub key_kind: KeyKind,
    /// Length of the longest access token that can be delivered. If the new one is longer, a refresh
    /// fails, and changes nothing if the authority can tell before it has refreshed.
    pub longest_access_token: Option<usize>,
}

/// An access token and what it says.
#[derive(Clone, Debug)]
pub struct IssuedAccess {
    /// The token.
    pub token: AccessToken,
    /// What it says.
    pub claims: AccessClaims,
    /// The whole payload, the claims included.
    pub payload: JsonObject,
}

impl IssuedAccess {
    /// Reads a token that its maker has just handed out. Nothing is verified. None if it has not the
    /// shape of a session's token.
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
    /// When the session ends unless it is refreshed.
    pub refresh_expires_at: UnixMillis,
    /// The anti-CSRF token, if the session has one.
    pub anti_csrf: Option<AntiCsrfToken>,
}

/// What became of a refresh.
#[derive(Clone, Debug)]
pub enum RefreshOutcome {
    /// New tokens.
    Refreshed(Box<IssuedSession>),
    /// There is no such session, or the request is not the client's. The text is the operator's.
    Unauthorised(&'static str),
    /// The token was exchanged before; the session has ended.
    Reused {
        /// The session.
        handle: SessionHandle,
        /// Its user.
        user_id: UserId,
        /// The login method of the user.
        recipe_user_id: UserId,
        /// How the token is related to the session.
        class: ReuseClass,
        /// Whether to report it as theft.
        report_as_theft: bool,
    },
}

/// What the truth says of an access token.
#[derive(Clone, Debug)]
pub enum CheckOutcome {
    /// It is good.
    Live(Box<Confirmed>),
    /// The session has ended.
    Gone,
    /// The session is on a newer branch than the token.
    RotatedOut,
    /// The token is no good to the authority; a refresh may cure it. The text is the operator's.
    TryRefreshToken(&'static str),
}

/// What else is known of a session whose token is good.
#[derive(Clone, Debug, Default)]
pub struct Confirmed {
    /// The stored payload, if it may be another one than the token's.
    pub stored_payload: Option<JsonObject>,
    /// When the session was created, if that is known without asking further.
    pub time_created: Option<UnixMillis>,
    /// A token to use from now on.
    pub replacement: Option<IssuedAccess>,
}

/// What became of a token to be minted anew.
#[derive(Clone, Debug)]
pub enum ReissueOutcome {
    /// The new token.
    Issued(Box<IssuedAccess>),
    /// The token has expired: the payload reaches the client with its next refresh.
    Expired,
    /// The session has ended.
    Gone,
}

/// A JWT to be made.
#[derive(Clone, Debug)]
pub struct JwtRequest {
    /// Its claims, which win over those that are added: `iat`, `exp` and `iss`.
    pub payload: JsonObject,
    /// The issuer.
    pub issuer: String,
    /// How long it is valid.
    pub validity: std::time::Duration,
    /// The kind of key that signs.
    pub key_kind: KeyKind,
}

/// Which sessions of a user are meant.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The user.
    pub user_id: UserId,
    /// This tenant only; all of them if absent.
    pub tenant: Option<TenantId>,
    /// All but this one.
    pub except: Option<SessionHandle>,
}

/// What is known of a session without a request (session specification, 8.1). Members of the
/// documents that exceed [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH), which other programs may have
/// stored, are left out.
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

impl SessionInformation {
    /// Leaves out members that are nested too deep, which no entrance accepts.
    pub(crate) fn readable(self) -> Self {
        Self {
            session_data: self.session_data.readable(),
            custom_claims_in_access_token_payload: self
                .custom_claims_in_access_token_payload
                .readable(),
            ..self
        }
    }

    /// What is known of a session of this user, whose login method and tenant are the default ones;
    /// the other members can be set.
    #[must_use]
    pub fn new(handle: SessionHandle, user_id: UserId) -> Self {
        Self {
            tenant_id: handle.tenant_id(),
            handle,
            recipe_user_id: user_id.clone(),
            user_id,
            session_data: JsonObject::empty(),
            custom_claims_in_access_token_payload: JsonObject::empty(),
            expiry: UnixMillis::default(),
            time_created: UnixMillis::default(),
            device: Device::default(),
        }
    }
}
