//! Operations on session data and on the access token payload.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Access, Delivery, Session};
use crate::authority::{PresentedToken, ReissueOutcome};
use crate::documents::{Target, object};
use crate::error::SessionError;
use crate::json::JsonObject;
use crate::token::access;
use crate::transfer::size::{self, Identifiers};
use crate::wire;

impl Session {
    /// Returns the session data, deserialized into `T`. A map, [`JsonObject`] and
    /// `serde_json::Value` accept any document.
    ///
    /// # Errors
    /// [`SessionError::Unauthorised`] if the session was revoked or has expired. A
    /// [`Fault`](crate::Fault) if the store fails or the document cannot be deserialized into `T`.
    #[doc(alias = "getSessionDataFromDatabase")]
    #[doc(alias = "get_session_data_from_database")]
    pub async fn session_data<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        self.sessions()
            .session_data(self.handle())
            .await?
            .ok_or_else(SessionError::gone)
    }

    /// Overwrites the session data, including concurrent changes. `()` and `None` store the empty
    /// object. For changes that depend on the stored data, use [`Self::merge_session_data`] or
    /// [`Self::modify_session_data`].
    ///
    /// # Errors
    /// Those of [`Self::session_data`]; also if `data` is not a JSON object.
    #[doc(alias = "updateSessionDataInDatabase")]
    #[doc(alias = "update_session_data_in_database")]
    pub async fn update_session_data<T: Serialize + ?Sized>(
        &self,
        data: &T,
    ) -> Result<(), SessionError> {
        let updated = self
            .sessions()
            .update_session_data(self.handle(), data)
            .await?;
        updated.then_some(()).ok_or_else(SessionError::gone)
    }

    /// Merges into the session data at the root, in one atomic step, and returns the result.
    /// Members replace members of the same name; null removes them.
    ///
    /// # Errors
    /// Those of [`Self::update_session_data`].
    pub async fn merge_session_data<T: Serialize>(
        &self,
        patch: T,
    ) -> Result<JsonObject, SessionError> {
        self.sessions()
            .merge_session_data(self.handle(), patch)
            .await?
            .ok_or_else(SessionError::gone)
    }

    /// Modifies the session data with `change` and stores the changed members, without lost
    /// updates. If the document changed in the meantime, `change` is called again on the new one.
    /// Members that `T` does not contain are kept.
    ///
    /// # Errors
    /// Those of [`Self::session_data`]; also 503 if other nodes changed the document during a
    /// thousand attempts.
    ///
    /// # Examples
    /// ```
    /// # use supersession::{Session, SessionError};
    /// #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// struct Cart {
    ///     items: Vec<u64>,
    /// }
    ///
    /// async fn add_to_cart(session: &Session, item: u64) -> Result<usize, SessionError> {
    ///     session
    ///         .modify_session_data(|cart: &mut Cart| {
    ///             cart.items.push(item);
    ///             cart.items.len()
    ///         })
    ///         .await
    /// }
    /// ```
    pub async fn modify_session_data<T, R, F>(&self, change: F) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R,
    {
        self.sessions()
            .modify_session_data(self.handle(), change)
            .await?
            .ok_or_else(SessionError::gone)
    }

    /// Merges into the access token payload at the root; null removes a member. The stored payload
    /// is changed first, and the new token is minted from the result, so a stale token cannot
    /// restore a removed member. The new token is sent with this response.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] if the patch sets a protected name such as `sub`.
    /// [`SessionError::PayloadTooLarge`] if the result is too large to be delivered.
    /// [`SessionError::Unauthorised`] if the session was revoked or has expired. A
    /// [`Fault`](crate::Fault) if the store fails or the keys are unavailable.
    #[doc(alias = "mergeIntoAccessTokenPayload")]
    pub async fn merge_into_access_token_payload<T: Serialize>(
        &self,
        patch: T,
    ) -> Result<Delivery, SessionError> {
        self.merge_and_reissue(&patch).await?;
        Ok(self.deliver())
    }

    /// Merges into the stored payload and mints a token from the result. A payload that the
    /// session's transport cannot deliver is not stored.
    pub(crate) async fn merge_and_reissue<T: Serialize + ?Sized>(
        &self,
        patch: &T,
    ) -> Result<(), SessionError> {
        let limit = self.longest_payload();
        let merged = self
            .sessions()
            .documents()
            .merge_payload(self.handle(), patch, limit)
            .await?
            .ok_or_else(SessionError::gone)?;
        self.reissue(&merged).await
    }

    /// Returns the maximum length of a payload that can be delivered to the client.
    fn longest_payload(&self) -> usize {
        let config = self.sessions().config();
        let longest_token = match self.transport() {
            Some(transport) => config.longest_access_token(transport),
            None => config.longest_access_token_anywhere(),
        };
        let identifiers = self.read_access(|access| Identifiers::of(access.claims()));
        size::longest_payload(longest_token, identifiers)
    }

    /// Replaces the application's part of the access token payload, and sends a new token with this
    /// response. The issuer is kept. Claim values are replaced too; to change single members, use
    /// [`Self::merge_into_access_token_payload`].
    ///
    /// # Errors
    /// [`SessionError::BadInput`] if `payload` is not a JSON object or sets a protected name such
    /// as `sub`, which [`Self::access_token_payload`] contains. Otherwise those of
    /// [`Self::merge_into_access_token_payload`].
    #[doc(alias = "updateAccessTokenPayload")]
    pub async fn update_access_token_payload<T: Serialize + ?Sized>(
        &self,
        payload: &T,
    ) -> Result<Delivery, SessionError> {
        let payload = object(payload)?;
        let replace = |stored: &mut JsonObject| {
            let issuer = stored.filtered(|key, _| key == wire::CLAIM_ISS);
            *stored = payload.merged_with(&issuer);
        };
        let ((), delivery) = self.modify_access_token_payload(replace).await?;
        Ok(delivery)
    }

    /// Modifies the application's part of the access token payload with `change`, stores the
    /// changed members without lost updates, and sends a new token with this response. If the
    /// stored payload changed in the meantime, `change` is called again on the new one. Members
    /// that `T` does not contain are kept. Returns the result of `change`.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] if `change` sets a protected name such as `sub`. A
    /// [`Fault`](crate::Fault) if the payload cannot be deserialized into `T`. Otherwise those of
    /// [`Self::merge_into_access_token_payload`].
    ///
    /// # Examples
    /// ```
    /// # use supersession::{Delivery, Session, SessionError};
    /// #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// struct Payload {
    ///     #[serde(default)]
    ///     visits: u64,
    /// }
    ///
    /// async fn count(session: &Session) -> Result<u64, SessionError> {
    ///     let (visits, delivery) = session
    ///         .modify_access_token_payload(|payload: &mut Payload| {
    ///             payload.visits += 1;
    ///             payload.visits
    ///         })
    ///         .await?;
    ///     assert_eq!(delivery, Delivery::InThisResponse);
    ///     Ok(visits)
    /// }
    /// ```
    pub async fn modify_access_token_payload<T, R, F>(
        &self,
        change: F,
    ) -> Result<(R, Delivery), SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R,
    {
        let limit = self.longest_payload();
        let (result, payload) = self
            .sessions()
            .documents()
            .modify_returning(&Target::Payload(self.handle().clone()), limit, change)
            .await?
            .ok_or_else(SessionError::gone)?;
        self.reissue(&payload).await?;
        Ok((result, self.deliver()))
    }

    /// Mints an access token with this payload and keeps it in the handle, without sending it to
    /// the client yet.
    pub(crate) async fn reissue(&self, custom: &JsonObject) -> Result<(), SessionError> {
        let sessions = self.sessions();
        let access = self.access();
        let claims = access.claims();
        // A payload of an older format can contain names that are protected today. Such names
        // cannot be minted.
        let custom = access::custom_payload(custom);
        let presented = PresentedToken {
            token: access.token_text(),
            claims,
        };
        let reissued = sessions
            .authority()
            .reissue(
                presented,
                &custom,
                sessions.config().key_kind,
                sessions.now(),
            )
            .await?;
        match reissued {
            ReissueOutcome::Issued(access) => self.replace_access(*access),
            ReissueOutcome::Expired => {
                self.replace_payload(access::payload(claims, &custom).unwrap_or_default());
            }
            ReissueOutcome::Gone => return Err(SessionError::gone()),
        }
        Ok(())
    }

    pub(crate) fn deliver(&self) -> Delivery {
        let expired = self.read_access(Access::expires_at) <= self.sessions().now().floor_seconds();
        if !expired && self.send_tokens() {
            Delivery::InThisResponse
        } else {
            Delivery::AtNextRefresh
        }
    }
}
