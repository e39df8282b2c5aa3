//! User metadata: one JSON object for each user, shared by all tenants (core specification, section
//! 6).

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Sessions;
use crate::documents::{Target, object};
use crate::error::{Fault, SessionError};
use crate::ids::{MAX_USER_ID_LENGTH, UserId};
use crate::json::JsonObject;
use crate::limits::MAX_DOCUMENT_BYTES;

/// The operations on user metadata. See [`Sessions::user_metadata`].
#[derive(Clone, Copy, Debug)]
pub struct UserMetadata<'a> {
    sessions: &'a Sessions,
}

impl<'a> UserMetadata<'a> {
    pub(super) fn new(sessions: &'a Sessions) -> Self {
        Self { sessions }
    }

    /// Returns a user's metadata, deserialized into `T`. A user without metadata has the empty
    /// object.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails or the document cannot be deserialized into `T`.
    #[doc(alias = "getUserMetadata")]
    #[doc(alias = "get_user_metadata")]
    pub async fn get<T: DeserializeOwned>(
        &self,
        user_id: impl Into<UserId>,
    ) -> Result<T, SessionError> {
        let metadata = self
            .sessions
            .documents()
            .read_as(&Target::Metadata(user_id.into()))
            .await?;
        metadata.ok_or_else(unexpected)
    }

    /// Merges into a user's metadata at the root, in one atomic step, and returns the result.
    /// Members replace members of the same name, null removes them, and nested objects are replaced
    /// as a whole.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails. [`SessionError::BadInput`] if `update` is not a JSON object,
    /// a limit of [`JsonObject`] is exceeded, or the user id is too long.
    #[doc(alias = "updateUserMetadata")]
    #[doc(alias = "update_user_metadata")]
    pub async fn update<T: Serialize>(
        &self,
        user_id: impl Into<UserId>,
        update: T,
    ) -> Result<JsonObject, SessionError> {
        let user_id = checked(user_id)?;
        let patch = object(&update)?;
        self.sessions
            .documents()
            .merge(&Target::Metadata(user_id), &patch)
            .await?
            .ok_or_else(unexpected)
    }

    /// Modifies a user's metadata with `change`, without lost updates.
    ///
    /// # Errors
    /// Those of [`Self::get`] and [`Self::update`].
    pub async fn modify<T, R, F>(
        &self,
        user_id: impl Into<UserId>,
        change: F,
    ) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R,
    {
        let user_id = checked(user_id)?;
        self.sessions
            .documents()
            .modify(&Target::Metadata(user_id), MAX_DOCUMENT_BYTES, change)
            .await?
            .ok_or_else(unexpected)
    }

    /// Removes a user's metadata. Removing missing metadata is not an error.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    #[doc(alias = "clearUserMetadata")]
    #[doc(alias = "clear_user_metadata")]
    pub async fn clear(&self, user_id: impl Into<UserId>) -> Result<(), SessionError> {
        Ok(self
            .sessions
            .authority()
            .clear_user_metadata(&user_id.into())
            .await?)
    }
}

/// Returns the user id if every store can hold it.
pub(crate) fn checked(user_id: impl Into<UserId>) -> Result<UserId, SessionError> {
    let user_id = user_id.into();
    if user_id.chars().count() > MAX_USER_ID_LENGTH {
        return Err(SessionError::bad_input(format!(
            "a user id may have at most {MAX_USER_ID_LENGTH} characters"
        )));
    }
    if user_id.contains('\0') {
        return Err(SessionError::bad_input(
            "a user id must not contain the null character (U+0000)",
        ));
    }
    Ok(user_id)
}

fn unexpected() -> SessionError {
    Fault::internal("the store reported user metadata as gone, which its contract excludes. Fix: run the store through the suite of `supersession-testkit`").into()
}
