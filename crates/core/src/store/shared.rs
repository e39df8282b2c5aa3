//! Store implementations for shared stores: `Arc<S>`, `Arc<dyn Store>`.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    DocumentWrite, InsertOutcome, Lineage, RevocationFeed, RotateOutcome, Rotation,
    SessionDocument, SessionKey, SessionRecord, SessionStatus, SessionUse, Store, StoreError,
    StoredKey, TenantRecord, TenantStore, UserSessions, WriteOutcome,
};
use crate::clock::UnixMillis;
use crate::ids::{AppId, SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::secret::SecretText;

/// Implements a store trait for `Arc<S>`: every method is forwarded, those with a default body too,
/// because a store can override them.
macro_rules! forward {
    ($trait:ident { $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl<S: $trait + ?Sized> $trait for Arc<S> {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                (**self).$name($($argument),*).await
            })*
        }
    };
}

forward!(Store {
    fn check_ready() -> ();
    fn insert_session(session: &SessionRecord) -> InsertOutcome;
    fn session(key: &SessionKey, now: UnixMillis) -> Option<SessionRecord>;
    fn session_status(key: &SessionKey, now: UnixMillis) -> Option<SessionStatus>;
    fn rotate(key: &SessionKey, expected: &Lineage, expected_payload: &JsonObject, next: &Rotation, now: UnixMillis) -> RotateOutcome;
    fn write_document(key: &SessionKey, document: SessionDocument, write: &DocumentWrite, now: UnixMillis) -> WriteOutcome;
    fn delete_sessions(keys: &[SessionKey]) -> Vec<SessionKey>;
    fn delete_user_sessions(selection: &UserSessions, now: UnixMillis) -> Vec<SessionHandle>;
    fn user_sessions(selection: &UserSessions, now: UnixMillis) -> Vec<SessionRecord>;
    fn user_session_handles(selection: &UserSessions, now: UnixMillis) -> Vec<SessionHandle>;
    fn record_uses(uses: &[SessionUse], now: UnixMillis) -> ();
    fn set_device_label(key: &SessionKey, label: Option<&str>, now: UnixMillis) -> bool;
    fn revocation_feed() -> Option<RevocationFeed>;
    fn delete_expired_sessions(now: UnixMillis, limit: u32) -> u64;
    fn user_metadata(app: &AppId, user: &UserId) -> Option<JsonObject>;
    fn write_user_metadata(app: &AppId, user: &UserId, write: &DocumentWrite) -> WriteOutcome;
    fn delete_user_metadata(app: &AppId, user: &UserId) -> bool;
    fn signing_keys(app: &AppId) -> Vec<StoredKey>;
    fn add_dynamic_key(app: &AppId, candidate: &StoredKey, not_if_since: UnixMillis) -> bool;
    fn add_static_key(app: &AppId, candidate: &StoredKey) -> bool;
    fn delete_dynamic_keys(app: &AppId, created_before: UnixMillis) -> u64;
    fn refresh_token_key(app: &AppId, candidate: &SecretText, now: UnixMillis) -> SecretText;
});

forward!(TenantStore {
    fn tenants() -> Vec<TenantRecord>;
    fn put_tenant(tenant: &TenantRecord, now: UnixMillis) -> bool;
    fn delete_tenant(app: &AppId, tenant: &TenantId) -> bool;
    fn delete_app(app: &AppId) -> bool;
    fn count_active_users(app: &AppId, since: UnixMillis, now: UnixMillis) -> u64;
});
