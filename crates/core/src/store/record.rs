//! What is stored, and what the verbs answer.

use std::net::IpAddr;

use crate::clock::UnixMillis;
use crate::ids::{AppId, SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::limits::MAX_DOCUMENT_BYTES;
use crate::secret::{RefreshHash1, RefreshHash2, SecretText};
use crate::wire;

/// Where a session lives: app, tenant, handle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The app.
    pub app: AppId,
    /// The tenant; the one that the handle names.
    pub tenant: TenantId,
    /// The handle.
    pub handle: SessionHandle,
}

impl SessionKey {
    /// The key of a handle. The handle itself names the tenant.
    #[must_use]
    pub fn new(app: &AppId, handle: SessionHandle) -> Self {
        Self {
            app: app.clone(),
            tenant: handle.tenant_id(),
            handle,
        }
    }
}

/// One session as it is stored (core specification, 5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Where it lives.
    pub key: SessionKey,
    /// The recipe user id.
    pub user_id: UserId,
    /// Which refresh tokens belong to it.
    pub lineage: Lineage,
    /// The application's data on the server's side.
    pub session_data: JsonObject,
    /// The application's part of the access token payload.
    pub payload: JsonObject,
    /// The session is live before this time.
    pub expires_at: UnixMillis,
    /// When it was created.
    pub created_at: UnixMillis,
    /// The kind of key that signs its access tokens.
    pub key_kind: KeyKind,
    /// Where it is used.
    pub device: Device,
}

impl SessionRecord {
    /// Returns when the session was used last, as far as that is stored: the newest of its creation,
    /// its last refresh and its last use.
    #[must_use]
    pub fn last_used_at(&self) -> UnixMillis {
        let refreshed = self.lineage.previous.as_ref();
        let refreshed = refreshed.map_or(self.created_at, |previous| previous.rotated_at);
        let seen = self.device.last_seen_at.unwrap_or(self.created_at);
        self.created_at.max(refreshed).max(seen)
    }
}

/// Where a session is used: what a list of "your devices" shows. All of it is absent from sessions
/// that were made without a request, or by another program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The address that the client has.
    pub ip: Option<IpAddr>,
    /// What the user calls the device.
    pub label: Option<String>,
    /// When the session was used last, give or take the interval at which uses are noted.
    pub last_seen_at: Option<UnixMillis>,
}

impl Device {
    /// Takes over what is newer.
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

/// Whether a token of a session is still good, and what it should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStanding {
    /// As in [`SessionRecord::user_id`].
    pub user_id: UserId,
    /// As in [`SessionRecord::lineage`].
    pub lineage: Lineage,
    /// As in [`SessionRecord::payload`].
    pub payload: JsonObject,
    /// As in [`SessionRecord::created_at`].
    pub created_at: UnixMillis,
}

impl From<SessionRecord> for SessionStanding {
    fn from(record: SessionRecord) -> Self {
        Self {
            user_id: record.user_id,
            lineage: record.lineage,
            payload: record.payload,
            created_at: record.created_at,
        }
    }
}

/// A note that a session was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionUse {
    /// The session.
    pub key: SessionKey,
    /// When.
    pub at: UnixMillis,
    /// What the client calls itself; what is stored stays if absent.
    pub user_agent: Option<String>,
    /// The address that the client has; what is stored stays if absent.
    pub ip: Option<IpAddr>,
}

/// The refresh tokens that a session knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The token that the next refresh must present.
    pub current: RefreshHash2,
    /// The one before, which is still good inside the grace window.
    pub previous: Option<PreviousRefresh>,
}

/// The refresh token that was exchanged last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousRefresh {
    /// Its hash.
    pub hash: RefreshHash2,
    /// When it was exchanged.
    pub rotated_at: UnixMillis,
}

impl Lineage {
    /// Whether an access token belongs to the current or the previous refresh token (core
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
pub struct Rotation {
    /// The refresh tokens from now on.
    pub lineage: Lineage,
    /// The expiry from now on.
    pub expires_at: UnixMillis,
    /// The kind of key from now on.
    pub key_kind: KeyKind,
}

/// The kind of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Rotates; its id starts with `d-`.
    Dynamic,
    /// Stays; its id starts with `s-`.
    Static,
}

impl KeyKind {
    /// The kind that a key id names; anything without the rotating prefix counts as static.
    #[must_use]
    pub fn of_kid(kid: &str) -> Self {
        if kid.starts_with(wire::DYNAMIC_KID_PREFIX) {
            Self::Dynamic
        } else {
            Self::Static
        }
    }
}

/// A signing key as it is stored (core specification, 4.1 and 4.2).
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// `d-` and the milliseconds of `created_at`, or `s-` and a UUID.
    pub kid: String,
    /// The kind.
    pub kind: KeyKind,
    /// When it was made. Among the rotating keys of an app no two have the same.
    pub created_at: UnixMillis,
    /// Base64 of the public key (SPKI), a vertical bar, base64 of the private key (PKCS#8).
    pub key_pair: SecretText,
}

/// A document of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionDocument {
    /// [`SessionRecord::session_data`].
    SessionData,
    /// [`SessionRecord::payload`].
    Payload,
}

/// A change of a document.
#[derive(Clone, Debug)]
pub enum DocumentWrite {
    /// The document becomes this.
    Overwrite(JsonObject),
    /// [`JsonObject::merged_with`], atomically. Refused with [`WriteOutcome::Conflict`] if the
    /// result is longer than [`MAX_DOCUMENT_BYTES`](crate::MAX_DOCUMENT_BYTES).
    Merge(JsonObject),
    /// [`Self::Merge`] with a tighter bound.
    MergeWithin {
        /// What is merged.
        patch: JsonObject,
        /// Longest result, in bytes of its text.
        max_bytes: usize,
    },
    /// The document becomes `replacement` if it is still, to the letter, `expected`.
    CompareAndSwap {
        /// What the caller saw.
        expected: JsonObject,
        /// What it is to become.
        replacement: JsonObject,
    },
}

impl DocumentWrite {
    /// What the document becomes, given what it is: the rule that every store applies in one atomic
    /// step.
    ///
    /// # Errors
    /// Refused, because a compare-and-swap found something else, or because a merge would exceed
    /// its bound. A merge that makes a document shorter is never refused.
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

/// A compare-and-swap found something else, or a merge would exceed its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteConflict;

/// What became of a change of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The document now stored.
    Written(JsonObject),
    /// A compare-and-swap found this instead, or a merge into this would exceed its bound; nothing
    /// was written.
    Conflict(JsonObject),
    /// There is no such live session; nothing was written.
    Gone,
}

/// What became of a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertOutcome {
    /// It is stored.
    Inserted,
    /// The handle was taken; nothing was written.
    HandleTaken,
}

/// What became of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotateOutcome {
    /// The session is at the next refresh token.
    Rotated,
    /// Lineage or payload are not the expected ones any more; nothing was written.
    Changed,
    /// There is no such live session; nothing was written.
    Gone,
}

/// Which sessions of a user are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSessions {
    /// The app.
    pub app: AppId,
    /// The recipe user id.
    pub user_id: UserId,
    /// This tenant only; all of them if absent.
    pub tenant: Option<TenantId>,
    /// All but this one.
    pub except: Option<SessionHandle>,
}
