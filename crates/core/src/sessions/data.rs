//! Session data and payloads by handle.

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
    /// The session data, read into `T`; None if the session is gone.
    ///
    /// # Errors
    /// A [`Fault`](crate::Fault) when the store is in trouble or the document does not have the
    /// shape of `T`.
    pub async fn session_data<T: DeserializeOwned>(
        &self,
        handle: impl Into<SessionHandle>,
    ) -> Result<Option<T>, SessionError> {
        self.documents()
            .read_as(&Target::SessionData(handle.into()))
            .await
    }

    /// Overwrites the session data; false if the session is gone.
    ///
    /// # Errors
    /// A [`Fault`](crate::Fault) when the store is in trouble or `data` is no JSON object.
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

    /// Merges into the session data at the root, in one atomic step, and returns the result; None
    /// if the session is gone.
    ///
    /// # Errors
    /// As [`Self::update_session_data`].
    pub async fn merge_session_data<T: Serialize>(
        &self,
        handle: impl Into<SessionHandle>,
        patch: T,
    ) -> Result<Option<JsonObject>, SessionError> {
        self.documents()
            .merge(&Target::SessionData(handle.into()), &patch)
            .await
    }

    /// Lets `change` work on the session data without losing anybody's write; None if the session
    /// is gone. See [`Session::modify_session_data`](crate::Session::modify_session_data).
    ///
    /// # Errors
    /// As [`Self::session_data`].
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

    /// Merges into the stored access token payload at the root, in one atomic step, and returns the
    /// application's part of the result; None if the session is gone. The client sees it at its
    /// next refresh, or where a guard checks the database.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] when the patch sets a protected name;
    /// [`SessionError::PayloadTooLarge`] when the result could not be delivered in a cookie (see
    /// [`SessionsBuilder::max_access_token_bytes`](crate::SessionsBuilder::max_access_token_bytes));
    /// otherwise as [`Self::update_session_data`].
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

    /// Length of the longest payload of a session of which only the handle is known.
    fn longest_payload_of(&self, handle: &SessionHandle) -> usize {
        let longest_token = self.config().longest_access_token_anywhere();
        size::longest_payload(longest_token, Identifiers::at_most(handle))
    }

    /// Lets `change` work on the stored access token payload without losing anybody's write; None
    /// if the session is gone.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] when `change` sets a protected name;
    /// [`SessionError::PayloadTooLarge`] as [`Self::merge_into_access_token_payload`]; otherwise as
    /// [`Self::session_data`].
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
