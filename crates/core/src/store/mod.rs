//! The persistence contract.
//!
//! A store keeps sessions, user metadata and keys, and knows nothing of HTTP, of tokens or of the
//! time.
//!
//! # Contract
//! * **No default methods**, but for [`Store::session_standing`] and [`Store::check_ready`], whose
//!   defaults are right for any store: a store that compiles has decided on every verb.
//! * **`now` is passed in.** A session is live while `now < expires_at`; one that is not live does
//!   not exist, whether or not its row is still there. Stores never read a clock, nor the
//!   database's.
//! * **Atomicity is in the signature.** Each call is one atomic step, also between processes that
//!   share the store. A write that was answered is durable to the degree that the store's
//!   documentation states.
//! * **Nothing is ever re-created.** Only [`Store::insert_session`] makes a session; every other
//!   write on a handle that is gone answers so.
//! * **Outcomes are data, errors are trouble.** `Gone`, `Conflict` and the like are no errors. A
//!   [`StoreError`] means that the store could not do its work; the caller then does not know
//!   whether the write took place.
//! * **Cancellation.** Dropping a returned future leaves the write done or not done, never half
//!   done.
//! * **Scope.** App and tenant are part of every key. A store registers apps and tenants as it
//!   meets them.
//!
//! `supersession-testkit` has the suite that every store must pass.

mod endings;
mod error;
mod memory;
mod record;
mod shared;
mod tenants;

use async_trait::async_trait;

use crate::clock::UnixMillis;
use crate::ids::{AppId, SessionHandle, UserId};
use crate::json::JsonObject;
use crate::secret::SecretText;

pub use endings::{Endings, EndingsSender};
pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
pub use record::{
    Device, DocumentWrite, InsertOutcome, KeyKind, Lineage, PreviousRefresh, RotateOutcome,
    Rotation, SessionDocument, SessionKey, SessionRecord, SessionStanding, SessionUse, StoredKey,
    UserSessions, WriteConflict, WriteOutcome,
};
pub use tenants::{LoginMethods, TenantRecord, TenantStore};

/// Where sessions, metadata and keys are kept. See the [module documentation](self) for the
/// contract.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Checks that reads and writes can succeed now: the tables exist, and the store accepts a
    /// write.
    ///
    /// For readiness probes. Costs about as much as one small write, the flush of the disk
    /// included, and leaves no session, user, key, app or tenant behind. A store answers within the
    /// time limit of its other verbs; limiting how often it is asked is up to the caller.
    ///
    /// The default deletes the sessions that expired before 1970, of which there are none.
    ///
    /// # Errors
    /// The reason why a read or a write would fail.
    async fn check_ready(&self) -> Result<(), StoreError> {
        self.delete_expired_sessions(UnixMillis::default(), 1)
            .await
            .map(drop)
    }

    /// Stores a new session. A handle that is taken, by a live session or not, is left as it is.
    async fn insert_session(&self, session: &SessionRecord) -> Result<InsertOutcome, StoreError>;

    /// The live session of this key.
    async fn session(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionRecord>, StoreError>;

    /// The part of a live session that a guard asks for at each request. A store that can leaves
    /// the session data where it is, which may be large.
    async fn session_standing(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionStanding>, StoreError> {
        Ok(self.session(key, now).await?.map(SessionStanding::from))
    }

    /// Moves a live session to the next refresh token, if its lineage and its payload are still the
    /// expected ones.
    ///
    /// Of several concurrent callers that expect the same lineage exactly one sees
    /// [`RotateOutcome::Rotated`]; the others see [`RotateOutcome::Changed`]. The payload is part
    /// of the condition because the caller has already minted a token from it.
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

    /// Deletes sessions, live or not, and tells which were there. A key given twice is told once.
    async fn delete_sessions(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError>;

    /// Deletes the live sessions that are selected, and tells which.
    async fn delete_user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError>;

    /// The live sessions that are selected, oldest first, then by handle.
    async fn user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionRecord>, StoreError>;

    /// The handles of the live sessions that are selected, in the same order.
    async fn user_session_handles(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError>;

    /// Notes from where live sessions were used last. A note of a time that is not after what is
    /// stored changes nothing, and one for a session that is gone is dropped. Several may be for
    /// one session. Need not be durable.
    async fn record_uses(&self, uses: &[SessionUse], now: UnixMillis) -> Result<(), StoreError>;

    /// Names the device of a live session, or takes its name away, and tells whether there is such
    /// a session.
    async fn set_device_label(
        &self,
        key: &SessionKey,
        label: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, StoreError>;

    /// A feed of the sessions that are deleted from now on, by any node that shares the store;
    /// `None` from a store that cannot tell.
    ///
    /// Whatever is deleted after this was answered, and was not over yet, is told, or else the feed
    /// ends. A session that is merely over need not be told. A session may be told more than once.
    async fn endings(&self) -> Result<Option<Endings>, StoreError>;

    /// Deletes at most `limit` sessions, of any app, that are no longer live, and tells how many.
    async fn delete_expired_sessions(&self, now: UnixMillis, limit: u32)
    -> Result<u64, StoreError>;

    /// The metadata of a user.
    async fn user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
    ) -> Result<Option<JsonObject>, StoreError>;

    /// Changes the metadata of a user. A user without any counts as having the empty object, and
    /// gets a row unless the write is refused with [`WriteOutcome::Conflict`]. Never answers
    /// [`WriteOutcome::Gone`].
    async fn write_user_metadata(
        &self,
        app: &AppId,
        user: &UserId,
        write: &DocumentWrite,
    ) -> Result<WriteOutcome, StoreError>;

    /// Deletes the metadata of a user, and tells whether there was any.
    async fn delete_user_metadata(&self, app: &AppId, user: &UserId) -> Result<bool, StoreError>;

    /// All signing keys of an app, newest first; of two keys made in the same millisecond, the
    /// greater id first.
    async fn signing_keys(&self, app: &AppId) -> Result<Vec<StoredKey>, StoreError>;

    /// Adds a rotating key unless there is one made at or after `not_if_since`, and tells whether
    /// it was added.
    ///
    /// Among any number of callers with the same bound, on any number of nodes, exactly one adds
    /// its key. A key whose millisecond of creation is taken is not added.
    async fn add_dynamic_key(
        &self,
        app: &AppId,
        candidate: &StoredKey,
        not_if_since: UnixMillis,
    ) -> Result<bool, StoreError>;

    /// Adds a static key unless there is one, and tells whether it was added.
    async fn add_static_key(&self, app: &AppId, candidate: &StoredKey) -> Result<bool, StoreError>;

    /// Deletes the rotating keys made before that time, and tells how many.
    async fn delete_dynamic_keys(
        &self,
        app: &AppId,
        created_before: UnixMillis,
    ) -> Result<u64, StoreError>;

    /// The key of the app's refresh tokens; `candidate` becomes it if there is none yet. Every
    /// caller gets the same.
    async fn refresh_token_key(
        &self,
        app: &AppId,
        candidate: &SecretText,
        now: UnixMillis,
    ) -> Result<SecretText, StoreError>;
}
