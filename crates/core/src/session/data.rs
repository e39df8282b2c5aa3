//! The handle's verbs on session data and on the access token payload.

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
    /// The session data, read into `T`; a map, [`JsonObject`] or `serde_json::Value` takes any.
    ///
    /// # Errors
    /// [`SessionError::Unauthorised`] when the session has ended; a [`Fault`](crate::Fault) when
    /// the store is in trouble or the document does not have the shape of `T`.
    #[doc(alias = "getSessionDataFromDatabase")]
    #[doc(alias = "get_session_data_from_database")]
    pub async fn get_session_data<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        self.sessions()
            .session_data(self.handle())
            .await?
            .ok_or_else(SessionError::gone)
    }

    /// Overwrites the session data. `()` and `None` make it the empty object. Whoever wrote in
    /// between is overwritten: for changes that depend on what is there, use
    /// [`Self::merge_session_data`] or [`Self::modify_session_data`].
    ///
    /// # Errors
    /// As [`Self::get_session_data`]; also when `data` is no JSON object.
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

    /// Merges into the session data at the root, in one atomic step, and returns the result:
    /// members replace members of the same name, null removes them.
    ///
    /// # Errors
    /// As [`Self::update_session_data`].
    pub async fn merge_session_data<T: Serialize>(
        &self,
        patch: T,
    ) -> Result<JsonObject, SessionError> {
        self.sessions()
            .merge_session_data(self.handle(), patch)
            .await?
            .ok_or_else(SessionError::gone)
    }

    /// Lets `change` work on the session data and stores what it changed, without ever losing
    /// somebody else's write: if the document changed in between, `change` is called again on the
    /// new one. Members that `T` does not know are kept.
    ///
    /// # Errors
    /// As [`Self::get_session_data`]; also 503 when other nodes kept changing the document for a
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
    /// is changed first, then a new token is minted from the result, so a stale token cannot bring
    /// back what was taken away. The new token goes out with this response.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] when the patch sets a protected name such as `sub`;
    /// [`SessionError::PayloadTooLarge`] when the result could not be delivered;
    /// [`SessionError::Unauthorised`] when the session has ended; a [`Fault`](crate::Fault) when
    /// the store or the keys are in trouble.
    #[doc(alias = "mergeIntoAccessTokenPayload")]
    pub async fn merge_into_access_token_payload<T: Serialize>(
        &self,
        patch: T,
    ) -> Result<Delivery, SessionError> {
        self.merge_and_reissue(&patch).await?;
        Ok(self.deliver())
    }

    /// Merges into the stored payload and mints a token from the result. Nothing is stored that the
    /// session's transport could not deliver.
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

    /// Length of the longest payload that can be delivered to the client.
    fn longest_payload(&self) -> usize {
        let config = self.sessions().config();
        let longest_token = match self.transport() {
            Some(transport) => config.longest_access_token(transport),
            None => config.longest_access_token_anywhere(),
        };
        let identifiers = self.read_access(|access| Identifiers::of(access.claims()));
        size::longest_payload(longest_token, identifiers)
    }

    /// Replaces the application's part of the access token payload, and delivers a new token with
    /// it in this response. The issuer is kept. Values of claims are replaced too: for single
    /// members, use [`Self::merge_into_access_token_payload`].
    ///
    /// # Errors
    /// [`SessionError::BadInput`] when `payload` is no JSON object or sets a protected name such as
    /// `sub`, which [`Self::access_token_payload`] contains; otherwise as
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

    /// Lets `change` work on the application's part of the access token payload, stores what it
    /// changed without losing a concurrent write, and delivers a new token in this response. If the
    /// stored payload changed in between, `change` is called again on the new one. Members that `T`
    /// does not know are kept. Returns the result of `change`.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] when `change` sets a protected name such as `sub`; a
    /// [`Fault`](crate::Fault) when the payload does not have the shape of `T`; otherwise as
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

    /// Mints an access token with this payload and keeps it in the handle; the client does not get
    /// it yet.
    pub(crate) async fn reissue(&self, custom: &JsonObject) -> Result<(), SessionError> {
        let sessions = self.sessions();
        let access = self.access();
        let claims = access.claims();
        // A payload of an older format may hold names that are protected today; they cannot be
        // minted.
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
            ReissueOutcome::Issued(access) => self.adopt(*access),
            ReissueOutcome::Expired => {
                self.adopt_payload(access::payload(claims, &custom).unwrap_or_default());
            }
            ReissueOutcome::Gone => return Err(SessionError::gone()),
        }
        Ok(())
    }

    pub(crate) fn deliver(&self) -> Delivery {
        let expired = self.read_access(Access::expires_at) <= self.sessions().now().floor_seconds();
        if !expired && self.give_to_client() {
            Delivery::InThisResponse
        } else {
            Delivery::AtNextRefresh
        }
    }
}
