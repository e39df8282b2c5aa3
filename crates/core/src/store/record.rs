//! Stored records, and the outcomes of store operations.

use std::net::IpAddr;

use crate::clock::UnixMillis;
use crate::ids::{AppId, SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::limits::MAX_DOCUMENT_BYTES;
use crate::secret::{RefreshHash1, RefreshHash2, SecretText};
use crate::wire;

/// The key of a session: app, tenant and handle.
///
/// Exhaustive: a store needs every part to identify the row, so another part would be a breaking
/// change in any case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The app.
    pub app: AppId,
    /// The tenant, which is the one named in the handle.
    pub tenant: TenantId,
    /// The handle.
    pub handle: SessionHandle,
}

impl SessionKey {
    /// Creates the key of a handle. The handle contains the tenant.
    #[must_use]
    pub fn new(app: &AppId, handle: SessionHandle) -> Self {
        Self {
            app: app.clone(),
            tenant: handle.tenant_id(),
            handle,
        }
    }
}

/// A stored session (core specification, 5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionRecord {
    /// The key.
    pub key: SessionKey,
    /// The recipe user id.
    pub user_id: UserId,
    /// The refresh tokens that belong to the session.
    pub lineage: Lineage,
    /// The session data.
    pub session_data: JsonObject,
    /// The application's part of the access token payload.
    pub payload: JsonObject,
    /// The time of expiry. The session is live before it.
    pub expires_at: UnixMillis,
    /// The time of creation.
    pub created_at: UnixMillis,
    /// The kind of key that signs its access tokens.
    pub key_kind: KeyKind,
    /// The device that uses the session.
    pub device: Device,
}

impl SessionRecord {
    /// Creates a session with empty documents and an unknown device, whose access tokens are signed
    /// by rotating keys.
    #[must_use]
    pub fn new(
        key: SessionKey,
        user_id: UserId,
        lineage: Lineage,
        created_at: UnixMillis,
        expires_at: UnixMillis,
    ) -> Self {
        Self {
            key,
            user_id,
            lineage,
            session_data: JsonObject::empty(),
            payload: JsonObject::empty(),
            expires_at,
            created_at,
            key_kind: KeyKind::Dynamic,
            device: Device::default(),
        }
    }

    /// Returns the time of the session's last use, as far as it is stored: the latest of its
    /// creation, its last refresh and its last recorded use.
    #[must_use]
    pub fn last_used_at(&self) -> UnixMillis {
        let refreshed = self.lineage.previous.as_ref();
        let refreshed = refreshed.map_or(self.created_at, |previous| previous.rotated_at);
        let seen = self.device.last_seen_at.unwrap_or(self.created_at);
        self.created_at.max(refreshed).max(seen)
    }
}

/// The device that uses a session, as shown in a list of "your devices". All fields are `None` for
/// a session that was created without a request or by another program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// The user's label for the device.
    pub label: Option<String>,
    /// The time of the last use, accurate to the interval at which uses are recorded.
    pub last_seen_at: Option<UnixMillis>,
}

impl Device {
    /// Applies a recorded use if it is later than the stored one.
    pub fn note(&mut self, used: &SessionUse) {
        if self.last_seen_at.is_none_or(|seen| seen < used.at) {
            self.last_seen_at = Some(used.at);
            self.ip = used.ip.or(self.ip);
            if used.user_agent.is_some() {
                self.user_agent.clone_from(&used.user_agent);
            }
        }
    }
}

/// The state that determines whether a session's tokens are valid, and their payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStatus {
    /// See [`SessionRecord::user_id`].
    pub user_id: UserId,
    /// See [`SessionRecord::lineage`].
    pub lineage: Lineage,
    /// See [`SessionRecord::payload`].
    pub payload: JsonObject,
    /// See [`SessionRecord::created_at`].
    pub created_at: UnixMillis,
}

impl SessionStatus {
    /// Creates the status of a live session.
    #[must_use]
    pub fn new(
        user_id: UserId,
        lineage: Lineage,
        payload: JsonObject,
        created_at: UnixMillis,
    ) -> Self {
        Self {
            user_id,
            lineage,
            payload,
            created_at,
        }
    }
}

impl From<SessionRecord> for SessionStatus {
    fn from(record: SessionRecord) -> Self {
        Self {
            user_id: record.user_id,
            lineage: record.lineage,
            payload: record.payload,
            created_at: record.created_at,
        }
    }
}

/// One use of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionUse {
    /// The session.
    pub key: SessionKey,
    /// The time of the use.
    pub at: UnixMillis,
    /// The client's user agent. If `None`, the stored value is kept.
    pub user_agent: Option<String>,
    /// The client's address. If `None`, the stored value is kept.
    pub ip: Option<IpAddr>,
}

impl SessionUse {
    /// Creates a use by a client that is unknown.
    #[must_use]
    pub fn new(key: SessionKey, at: UnixMillis) -> Self {
        Self {
            key,
            at,
            user_agent: None,
            ip: None,
        }
    }
}

/// The refresh tokens of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lineage {
    /// The token that the next refresh must present.
    pub current: RefreshHash2,
    /// The previous token, which is valid during the grace period.
    pub previous: Option<PreviousRefresh>,
}

/// The previous refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreviousRefresh {
    /// Its hash.
    pub hash: RefreshHash2,
    /// The time of the exchange.
    pub rotated_at: UnixMillis,
}

impl PreviousRefresh {
    /// Creates the previous token of a session that was refreshed at `rotated_at`.
    #[must_use]
    pub fn new(hash: RefreshHash2, rotated_at: UnixMillis) -> Self {
        Self { hash, rotated_at }
    }
}

impl Lineage {
    /// Creates the lineage of a session. `previous` is `None` until the first refresh.
    #[must_use]
    pub fn new(current: RefreshHash2, previous: Option<PreviousRefresh>) -> Self {
        Self { current, previous }
    }

    /// Returns `true` if an access token belongs to the current or the previous refresh token (core
    /// specification, 2.6).
    #[must_use]
    pub fn covers(&self, own: &RefreshHash1, parent: Option<&RefreshHash1>) -> bool {
        let known = |hash: &RefreshHash2| {
            *hash == self.current
                || self
                    .previous
                    .as_ref()
                    .is_some_and(|previous| *hash == previous.hash)
        };
        known(own.second()) || parent.is_some_and(|parent| known(parent.second()))
    }
}

/// The state of a session after a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// The new refresh tokens.
    pub lineage: Lineage,
    /// The new expiry.
    pub expires_at: UnixMillis,
    /// The new kind of key.
    pub key_kind: KeyKind,
}

impl Rotation {
    /// Creates the state after a refresh.
    #[must_use]
    pub fn new(lineage: Lineage, expires_at: UnixMillis, key_kind: KeyKind) -> Self {
        Self {
            lineage,
            expires_at,
            key_kind,
        }
    }
}

/// The kind of a signing key.
///
/// Exhaustive: a store must keep each kind, so another one is a breaking change on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// A rotating key; its id starts with `d-`.
    Dynamic,
    /// A static key; its id starts with `s-`.
    Static,
}

impl KeyKind {
    /// Returns the kind of the key with this id. An id without the rotating prefix is static.
    #[must_use]
    pub fn of_kid(kid: &str) -> Self {
        if kid.starts_with(wire::DYNAMIC_KID_PREFIX) {
            Self::Dynamic
        } else {
            Self::Static
        }
    }
}

/// A stored signing key (core specification, 4.1 and 4.2).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredKey {
    /// `d-` and the milliseconds of `created_at`, or `s-` and a UUID.
    pub kid: String,
    /// The kind.
    pub kind: KeyKind,
    /// The time of creation. Unique among the rotating keys of an app.
    pub created_at: UnixMillis,
    /// Base64 of the public key (SPKI), a vertical bar, base64 of the private key (PKCS#8).
    pub key_pair: SecretText,
}

impl StoredKey {
    /// Creates a key. See the fields for the formats of `kid` and `key_pair`.
    #[must_use]
    pub fn new(kid: String, kind: KeyKind, created_at: UnixMillis, key_pair: SecretText) -> Self {
        Self {
            kid,
            kind,
            created_at,
            key_pair,
        }
    }
}

/// A document of a session.
///
/// Exhaustive: a store must have a place for each document, so another one is a breaking change on
/// purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionDocument {
    /// [`SessionRecord::session_data`].
    SessionData,
    /// [`SessionRecord::payload`].
    Payload,
}

/// A change to a document.
///
/// Exhaustive: a store must perform each kind of change, so another one is a breaking change on
/// purpose.
#[derive(Clone, Debug)]
pub enum DocumentWrite {
    /// Replaces the document.
    Overwrite(JsonObject),
    /// Merges atomically by [`JsonObject::merged_with`]. Rejected with [`WriteOutcome::Conflict`]
    /// if the result is longer than [`MAX_DOCUMENT_BYTES`](crate::MAX_DOCUMENT_BYTES).
    Merge(JsonObject),
    /// [`Self::Merge`] with a smaller limit.
    MergeWithin {
        /// The patch.
        patch: JsonObject,
        /// The maximum length of the result, in bytes of its text.
        max_bytes: usize,
    },
    /// Replaces the document if its text still equals `expected`.
    CompareAndSwap {
        /// The document that the caller read.
        expected: JsonObject,
        /// The new document.
        replacement: JsonObject,
    },
}

impl DocumentWrite {
    /// Returns the new document for the stored one. Every store applies this rule in one atomic
    /// step.
    ///
    /// # Errors
    /// A conflict, if a compare-and-swap found another document, or if a merge would exceed its
    /// limit. A merge that makes a document shorter is never rejected.
    pub fn apply_to(&self, stored: &JsonObject) -> Result<JsonObject, WriteConflict> {
        match self {
            Self::Overwrite(document) => Ok(document.clone()),
            Self::Merge(patch) => merge(stored, patch, MAX_DOCUMENT_BYTES),
            Self::MergeWithin { patch, max_bytes } => merge(stored, patch, *max_bytes),
            Self::CompareAndSwap {
                expected,
                replacement,
            } if expected == stored => Ok(replacement.clone()),
            Self::CompareAndSwap { .. } => Err(WriteConflict),
        }
    }
}

fn merge(
    stored: &JsonObject,
    patch: &JsonObject,
    max_bytes: usize,
) -> Result<JsonObject, WriteConflict> {
    let merged = stored.merged_with(patch);
    let length = merged.as_str().len();
    if length > max_bytes && length > stored.as_str().len() {
        return Err(WriteConflict);
    }
    Ok(merged)
}

/// A compare-and-swap found another document, or a merge would exceed its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteConflict;

/// The outcome of a change to a document.
///
/// Exhaustive: a caller must act on each outcome, so another one is a breaking change on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Written. Contains the stored document.
    Written(JsonObject),
    /// Nothing was written: a compare-and-swap found this document instead, or a merge into it
    /// would exceed its limit.
    Conflict(JsonObject),
    /// No such live session exists; nothing was written.
    Gone,
}

/// The outcome of an insertion.
///
/// Exhaustive: a caller must act on each outcome, so another one is a breaking change on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertOutcome {
    /// The session is stored.
    Inserted,
    /// The handle was taken; nothing was written.
    HandleTaken,
}

/// The outcome of a rotation.
///
/// Exhaustive: a caller must act on each outcome, so another one is a breaking change on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotateOutcome {
    /// The session has moved to the next refresh token.
    Rotated,
    /// The lineage or the payload has changed; nothing was written.
    Changed,
    /// No such live session exists; nothing was written.
    Gone,
}

/// A selection of a user's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserSessions {
    /// The app.
    pub app: AppId,
    /// The recipe user id.
    pub user_id: UserId,
    /// Only this tenant, or all tenants if `None`.
    pub tenant: Option<TenantId>,
    /// A session to exclude.
    pub except: Option<SessionHandle>,
}

impl UserSessions {
    /// Selects all sessions of a user, in all tenants of the app.
    #[must_use]
    pub fn new(app: AppId, user_id: UserId) -> Self {
        Self {
            app,
            user_id,
            tenant: None,
            except: None,
        }
    }
}
