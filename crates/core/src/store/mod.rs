//! The persistence contract.
//!
//! A store keeps sessions, user metadata and keys. It has no knowledge of HTTP, of tokens or of the
//! current time.
//!
//! # Contract
//! * **No default methods**, except [`Store::session_status`] and [`Store::check_ready`], whose
//!   defaults are correct for every store. A store that compiles implements every other operation.
//! * **`now` is an argument.** A session is live while `now < expires_at`. A session that is not
//!   live does not exist, even if its row has not been deleted yet. Stores never read a clock,
//!   including the database's.
//! * **Each call is one atomic step**, also between processes that share the store. A write is
//!   durable, to the degree that the store's documentation states, when the call returns.
//! * **Nothing is re-created.** Only [`Store::insert_session`] creates a session. Every other write
//!   to a session that does not exist returns that outcome.
//! * **Outcomes are not errors.** `Gone`, `Conflict` and similar results are values. A
//!   [`StoreError`] means that the store failed; the write may or may not have taken place.
//! * **Cancellation.** If a returned future is dropped, the write is either applied or not applied,
//!   never partially.
//! * **Scope.** App and tenant are part of every key. A store registers apps and tenants at their
//!   first use.
//!
//! `supersession-testkit` contains the test suite that every store must pass.

mod error;
mod memory;
mod record;
mod revocations;
mod tenants;
mod wrapper;

use async_trait::async_trait;

use crate::clock::UnixMillis;
use crate::ids::{AppId, SessionHandle, UserId};
use crate::json::JsonObject;
use crate::secret::SecretText;

pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
pub use record::{
    Device, DocumentWrite, InsertOutcome, KeyKind, Lineage, PreviousRefresh, RotateOutcome,
    Rotation, SessionDocument, SessionKey, SessionRecord, SessionStatus, SessionUse, StoredKey,
    UserSessions, WriteConflict, WriteOutcome,
};
pub use revocations::{RevocationFeed, RevocationSender};
pub use tenants::{LoginMethods, TenantRecord, TenantStore};
pub use wrapper::{StoreCall, StoreWrapper};

/// Storage of sessions, metadata and keys. See the [module documentation](self) for the contract.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Checks that reads and writes can succeed now: the tables exist, and the store accepts a
    /// write.
    ///
    /// For readiness probes. Costs about as much as one small write, including the disk flush, and
    /// leaves no session, user, key, app or tenant behind. A store answers within the time limit of
    /// its other operations. The caller must limit how often it calls this.
    ///
    /// The default deletes the sessions that expired before 1970, which do not exist.
    ///
    /// # Errors
    /// The reason why a read or a write would fail.
    async fn check_ready(&self) -> Result<(), StoreError> {
        self.delete_expired_sessions(UnixMillis::default(), 1)
            .await
            .map(drop)
    }

    /// Stores a new session. If the handle is taken, even by an expired session, nothing is
    /// changed.
    async fn insert_session(&self, session: &SessionRecord) -> Result<InsertOutcome, StoreError>;

    /// Returns the live session of this key.
    async fn session(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionRecord>, StoreError>;

    /// Returns the part of a live session that a guard needs at each request. A store should not
    /// read the session data, which may be large, if it can avoid it.
    async fn session_status(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionStatus>, StoreError> {
        Ok(self.session(key, now).await?.map(SessionStatus::from))
    }

    /// Moves a live session to the next refresh token, if its lineage and its payload are still the
    /// expected ones.
    ///
    /// If several callers expect the same lineage at the same time, exactly one receives
    /// [`RotateOutcome::Rotated`] and the others receive [`RotateOutcome::Changed`]. The payload is
    /// part of the condition because the caller has already minted a token from it.
    async fn rotate(
        &self,
        key: &SessionKey,
        expected: &Lineage,
        expected_payload: &JsonObject,
        next: &Rotation,
        now: UnixMillis,
    ) -> Result<RotateOutcome, StoreError>;

    /// Changes one document of a live session.
    async fn write_document(
        &self,
        key: &SessionKey,
        document: SessionDocument,
        write: &DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError>;

    /// Deletes sessions, live or not, and returns the keys of those that existed. A key that is
    /// given twice is returned once.
    async fn delete_sessions(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError>;

    /// Deletes the selected live sessions and returns their keys.
    async fn delete_user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError>;

    /// Returns the selected live sessions, oldest first, then by handle.
    async fn user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionRecord>, StoreError>;

    /// Returns the handles of the selected live sessions, in the same order.
    async fn user_session_handles(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError>;

    /// Records the last use of live sessions. A use that is not later than the stored one changes
    /// nothing, and one of a session that does not exist is dropped. A session can occur several
    /// times. The write need not be durable.
    async fn record_uses(&self, uses: &[SessionUse], now: UnixMillis) -> Result<(), StoreError>;

    /// Sets or removes the label of a live session's device. Returns `true` if the session exists.
    async fn set_device_label(
        &self,
        key: &SessionKey,
        label: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, StoreError>;

    /// Opens a feed of the sessions that any node deletes from now on. Returns `None` if the store
    /// has no feed.
    ///
    /// The feed reports every session that is deleted after this call returns and had not expired
    /// yet. If it may have missed one, it closes. It need not report an expired session, and may
    /// report a session more than once.
    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, StoreError>;

    /// Deletes at most `limit` expired sessions, of any app, and returns their number.
    async fn delete_expired_sessions(&self, now: UnixMillis, limit: u32)
    -> Result<u64, StoreError>;

    /// Returns the metadata of a user.
    async fn user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
    ) -> Result<Option<JsonObject>, StoreError>;

    /// Changes the metadata of a user. A user without metadata is treated as having the empty
    /// object, and gets a row unless the write returns [`WriteOutcome::Conflict`]. Never returns
    /// [`WriteOutcome::Gone`].
    async fn write_user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
        write: &DocumentWrite,
    ) -> Result<WriteOutcome, StoreError>;

    /// Deletes the metadata of a user. Returns `true` if there was any.
    async fn delete_user_metadata(&self, app: &AppId, user: &UserId) -> Result<bool, StoreError>;

    /// Returns all signing keys of an app, newest first. If two keys were created in the same
    /// millisecond, the greater id comes first.
    async fn signing_keys(&self, app: &AppId) -> Result<Vec<StoredKey>, StoreError>;

    /// Adds a rotating key unless one exists that was created at or after `not_if_since`. Returns
    /// `true` if the key was added.
    ///
    /// If any number of callers on any number of nodes use the same bound, exactly one adds its
    /// key. A key with the same creation time as an existing one is not added.
    async fn add_dynamic_key(
        &self,
        app: &AppId,
        candidate: &StoredKey,
        not_if_since: UnixMillis,
    ) -> Result<bool, StoreError>;

    /// Adds a static key unless one exists. Returns `true` if the key was added.
    async fn add_static_key(&self, app: &AppId, candidate: &StoredKey) -> Result<bool, StoreError>;

    /// Deletes the rotating keys created before that time, and returns their number.
    async fn delete_dynamic_keys(
        &self,
        app: &AppId,
        created_before: UnixMillis,
    ) -> Result<u64, StoreError>;

    /// Returns the app's refresh token key. If none exists, `candidate` is stored first. All
    /// callers receive the same key.
    async fn refresh_token_key(
        &self,
        app: &AppId,
        candidate: &SecretText,
        now: UnixMillis,
    ) -> Result<SecretText, StoreError>;
}
