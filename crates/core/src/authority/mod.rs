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

mod information;
mod local;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::keys::JwkSet;
use crate::store::{DocumentWrite, KeyKind, RevocationFeed, SessionDocument, WriteOutcome};

pub(crate) use local::Local;

pub use crate::engine::{
    CheckOutcome, CreateOutcome, IssuedAccess, IssuedSession, JwtOutcome, JwtRequest, LiveSession,
    MAX_JWT_VALIDITY, NewSession, RefreshOutcome, RefreshRequest, ReissueOutcome,
};
pub use crate::keys::VerifyingKey;
pub use crate::token::access::AccessClaims;
pub use information::SessionInformation;

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
    async fn create_jwt(&self, request: JwtRequest, now: UnixMillis) -> Result<JwtOutcome, Fault>;

    /// Creates a session and its tokens.
    async fn create(&self, new: NewSession, now: UnixMillis) -> Result<CreateOutcome, Fault>;
    /// Exchanges a refresh token. Reads the clock itself, because it may need several attempts. A
    /// session whose token was reused is revoked.
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
        selection: &SessionSelection,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault>;
    /// Returns the handles of a user's live sessions, oldest first.
    async fn handles(
        &self,
        selection: &SessionSelection,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault>;
    /// Returns a user's live sessions, oldest first.
    async fn sessions(
        &self,
        selection: &SessionSelection,
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
#[non_exhaustive]
pub struct PresentedToken<'a> {
    /// The token. It is a secret.
    pub token: &'a str,
    /// Its claims, without the application's payload.
    pub claims: &'a AccessClaims,
}

impl<'a> PresentedToken<'a> {
    /// Names a token and its claims.
    #[must_use]
    pub fn new(token: &'a str, claims: &'a AccessClaims) -> Self {
        Self { token, claims }
    }
}

impl std::fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresentedToken")
            .field("handle", &self.claims.handle)
            .finish_non_exhaustive()
    }
}

/// One use of a session by a client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceUse {
    /// The session.
    pub handle: SessionHandle,
    /// The time of the use.
    pub at: UnixMillis,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// The address of the client.
    pub ip: Option<IpAddr>,
}

impl DeviceUse {
    /// Describes a use at this time by an unknown client.
    #[must_use]
    pub fn new(handle: SessionHandle, at: UnixMillis) -> Self {
        Self {
            handle,
            at,
            user_agent: None,
            ip: None,
        }
    }
}

/// A selection of a user's sessions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionSelection {
    /// The user.
    pub user_id: UserId,
    /// Only this tenant, or all tenants if `None`.
    pub tenant: Option<TenantId>,
    /// A session to exclude.
    pub except: Option<SessionHandle>,
}

impl SessionSelection {
    /// Selects all sessions of a user, in all tenants.
    #[must_use]
    pub fn all_of(user_id: impl Into<UserId>) -> Self {
        Self {
            user_id: user_id.into(),
            tenant: None,
            except: None,
        }
    }
}
