//! What is known about a stored session.

use crate::clock::UnixMillis;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::store::{Device, SessionRecord};

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

impl From<SessionRecord> for SessionInformation {
    fn from(record: SessionRecord) -> Self {
        Self {
            handle: record.key.handle,
            recipe_user_id: record.user_id.clone(),
            user_id: record.user_id,
            tenant_id: record.key.tenant,
            session_data: record.session_data,
            access_token_payload: record.payload,
            expires_at: record.expires_at,
            created_at: record.created_at,
            device: record.device,
        }
    }
}
