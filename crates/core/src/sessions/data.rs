//! Operations on session data and payloads by handle.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Sessions;
use crate::documents::Target;
use crate::error::SessionError;
use crate::ids::SessionHandle;
use crate::json::JsonObject;
use crate::limits::MAX_DOCUMENT_BYTES;
use crate::transfer::size::{self, Identifiers};

impl Sessions {
    /// Returns the session data, deserialized into `T`, or `None` if the session does not exist.
    ///
    /// # Errors
    /// A [`Fault`](crate::Fault) if the store fails or the document cannot be deserialized into
    /// `T`.
    pub async fn session_data<T: DeserializeOwned>(
        &self,
        handle: impl Into<SessionHandle>,
    ) -> Result<Option<T>, SessionError> {
        self.documents()
            .read_as(&Target::SessionData(handle.into()))
            .await
    }

    /// Overwrites the session data. Returns `false` if the session does not exist.
    ///
    /// # Errors
    /// A [`Fault`](crate::Fault) if the store fails or `data` is not a JSON object.
    #[doc(alias = "updateSessionDataInDatabase")]
    pub async fn update_session_data<T: Serialize + ?Sized>(
        &self,
        handle: impl Into<SessionHandle>,
        data: &T,
    ) -> Result<bool, SessionError> {
        self.documents()
            .overwrite(&Target::SessionData(handle.into()), data)
            .await
    }

    /// Merges into the session data at the root, in one atomic step. Returns the result, or `None`
    /// if the session does not exist.
    ///
    /// # Errors
    /// Those of [`Self::update_session_data`].
    pub async fn merge_session_data<T: Serialize>(
        &self,
        handle: impl Into<SessionHandle>,
        patch: T,
    ) -> Result<Option<JsonObject>, SessionError> {
        self.documents()
            .merge(&Target::SessionData(handle.into()), &patch)
            .await
    }

    /// Modifies the session data with `change`, without lost updates. Returns `None` if the session
    /// does not exist. See [`Session::modify_session_data`](crate::Session::modify_session_data).
    ///
    /// # Errors
    /// Those of [`Self::session_data`].
    pub async fn modify_session_data<T, R, F>(
        &self,
        handle: impl Into<SessionHandle>,
        change: F,
    ) -> Result<Option<R>, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R,
    {
        self.documents()
            .modify(
                &Target::SessionData(handle.into()),
                MAX_DOCUMENT_BYTES,
                change,
            )
            .await
    }

    /// Merges into the stored access token payload at the root, in one atomic step. Returns the
    /// application's part of the result, or `None` if the session does not exist. The client
    /// receives the change at its next refresh, or when a guard checks the database.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] if the patch sets a protected name.
    /// [`SessionError::PayloadTooLarge`] if the result does not fit into a cookie (see
    /// [`SessionsBuilder::max_access_token_bytes`](crate::SessionsBuilder::max_access_token_bytes)).
    /// Otherwise those of [`Self::update_session_data`].
    #[doc(alias = "mergeIntoAccessTokenPayload")]
    pub async fn merge_into_access_token_payload<T: Serialize>(
        &self,
        handle: impl Into<SessionHandle>,
        patch: T,
    ) -> Result<Option<JsonObject>, SessionError> {
        let handle = handle.into();
        let limit = self.longest_payload_of(&handle);
        self.documents().merge_payload(&handle, &patch, limit).await
    }

    /// Returns the maximum length of a session's payload when only the handle is known.
    fn longest_payload_of(&self, handle: &SessionHandle) -> usize {
        let longest_token = self.config().longest_access_token_anywhere();
        size::longest_payload(longest_token, Identifiers::at_most(handle))
    }

    /// Modifies the stored access token payload with `change`, without lost updates. Returns `None`
    /// if the session does not exist.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] if `change` sets a protected name.
    /// [`SessionError::PayloadTooLarge`] as for [`Self::merge_into_access_token_payload`].
    /// Otherwise those of [`Self::session_data`].
    pub async fn modify_access_token_payload<T, R, F>(
        &self,
        handle: impl Into<SessionHandle>,
        change: F,
    ) -> Result<Option<R>, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R,
    {
        let handle = handle.into();
        let limit = self.longest_payload_of(&handle);
        self.documents()
            .modify(&Target::Payload(handle), limit, change)
            .await
    }
}
