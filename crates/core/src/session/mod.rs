//! [`Session`], the verified session that a handler receives.

mod access;
mod claims;
mod data;
mod entries;
mod state;

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::authority::SessionInformation;
use crate::clock::UnixMillis;
use crate::documents::{self, Target};
use crate::error::SessionError;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::secret::{AccessToken, AntiCsrfToken, FrontToken, RefreshToken};
use crate::watch::SessionEnd;

pub(crate) use access::Access;
pub(crate) use state::ResponseLink;

/// A verified session. Cheap to clone, and can be moved into tasks and streams.
///
/// Only [`Sessions`](crate::Sessions) creates values of this type, and only after verification.
/// Getters read memory; async methods can ask the store. An operation on a session that was revoked
/// or has expired fails with [`SessionError::Unauthorised`]. No operation re-creates a session.
///
/// All clones share the session's tokens. A change of the access token payload through one of them
/// is visible through all.
#[derive(Clone)]
#[doc(alias = "SessionContainer")]
pub struct Session(Arc<state::Inner>);

/// When a new access token reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// With the response to this request.
    InThisResponse,
    /// At its next refresh. The change is stored, but this response does not carry it: its head is
    /// already sent, the session is not attached to a request, or the access token has expired.
    AtNextRefresh,
}

/// All tokens of a session, for callers that transport them themselves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionTokens {
    /// The access token.
    pub access_token: AccessToken,
    /// The front token, which describes the access token to the browser SDK.
    pub front_token: FrontToken,
    /// The refresh token. Present only after creation and refresh.
    pub refresh_token: Option<RefreshToken>,
    /// The time at which the session expires unless it is refreshed. Present only after creation
    /// and refresh.
    pub refresh_token_expires_at: Option<UnixMillis>,
    /// The anti-CSRF token, if the session has one.
    pub anti_csrf_token: Option<AntiCsrfToken>,
    /// `true` if the access token and the front token are newer than those of the client, and must
    /// be sent to it.
    pub access_and_front_token_updated: bool,
}

impl Session {
    /// Returns the user.
    #[must_use]
    #[doc(alias = "getUserId")]
    #[doc(alias = "get_user_id")]
    pub fn user_id(&self) -> &UserId {
        self.0.first.user_id()
    }

    /// Returns the login method of the user. It equals the user unless the session was created by a
    /// core with linked accounts.
    #[must_use]
    #[doc(alias = "getRecipeUserId")]
    pub fn recipe_user_id(&self) -> &UserId {
        self.0.first.recipe_user_id()
    }

    /// Returns the tenant.
    #[must_use]
    #[doc(alias = "getTenantId")]
    pub fn tenant_id(&self) -> &TenantId {
        self.0.first.tenant_id()
    }

    /// Returns the handle of the session, which stays the same across refreshes.
    #[must_use]
    #[doc(alias = "getHandle")]
    pub fn handle(&self) -> &SessionHandle {
        self.0.first.handle()
    }

    /// Returns the expiry of the access token.
    #[must_use]
    pub fn access_token_expires_at(&self) -> UnixMillis {
        self.read_access(Access::expires_at).into()
    }

    /// Returns the whole access token payload, including the token's own claims. Reflects changes
    /// made through this handle. Members that exceed [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH),
    /// which other programs may have stored, are omitted.
    #[must_use]
    #[doc(alias = "getAccessTokenPayload")]
    pub fn access_token_payload(&self) -> JsonObject {
        self.read_access(Access::payload).readable()
    }

    /// Returns the access token payload, deserialized into `T`.
    ///
    /// # Errors
    /// A [`Fault`](crate::Fault) if the payload cannot be deserialized into `T`.
    pub fn access_token_payload_as<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        self.read_access(Access::payload)
            .deserialize()
            .map_err(|error| {
                documents::shape_fault(&Target::Payload(self.handle().clone()), &error)
            })
    }

    /// Returns the access token. It is a secret: anyone who has it can act as the user.
    #[must_use]
    #[doc(alias = "getAccessToken")]
    pub fn access_token(&self) -> AccessToken {
        self.all_tokens().access_token
    }

    /// Returns all tokens, for callers that transport them themselves.
    #[must_use]
    #[doc(alias = "getAllSessionTokensDangerously")]
    pub fn all_session_tokens_dangerously(&self) -> SessionTokens {
        self.all_tokens()
    }

    /// Returns the stored information about the session.
    ///
    /// # Errors
    /// [`SessionError::Unauthorised`] if the session was revoked or has expired. A
    /// [`Fault`](crate::Fault) if the store fails.
    #[doc(alias = "getSessionInformation")]
    pub async fn information(&self) -> Result<SessionInformation, SessionError> {
        self.sessions()
            .information(self.handle())
            .await?
            .ok_or_else(SessionError::gone)
    }

    /// Returns the time of the session's creation.
    ///
    /// # Errors
    /// Those of [`Self::information`].
    #[doc(alias = "getTimeCreated")]
    pub async fn created_at(&self) -> Result<UnixMillis, SessionError> {
        Ok(self.information().await?.created_at)
    }

    /// Returns the time at which the session expires unless it is refreshed.
    ///
    /// # Errors
    /// Those of [`Self::information`].
    #[doc(alias = "getExpiry")]
    pub async fn expires_at(&self) -> Result<UnixMillis, SessionError> {
        Ok(self.information().await?.expires_at)
    }

    /// Resolves when the session is revoked, on any node, or expires. For work that outlives its
    /// request, such as a WebSocket, an event stream or a gRPC stream.
    ///
    /// Revocation through the same [`Sessions`](crate::Sessions) is detected immediately.
    /// Revocation elsewhere is detected immediately if the store has a revocation feed. All other
    /// cases are detected within
    /// [`SessionsBuilder::revocation_poll_interval`](crate::SessionsBuilder::revocation_poll_interval).
    ///
    /// While the store fails, the future keeps waiting.
    ///
    /// # Cancellation
    /// The future listens from the moment of this call, and can be dropped at any time.
    ///
    /// # Examples
    /// ```
    /// # use supersession::{SessionEnd, Sessions, store::MemoryStore};
    /// # pollster::block_on(async {
    /// # let sessions = Sessions::builder(MemoryStore::new())
    /// #     .api_domain("http://localhost:3000").website_domain("http://localhost:3000")
    /// #     .build().await?;
    /// let session = sessions.create("alice").await?;
    /// let ended = session.ended();
    /// sessions.revoke_all_for_user("alice").await?;
    /// assert_eq!(ended.await, SessionEnd::Revoked);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn ended(&self) -> impl Future<Output = SessionEnd> + Send + use<> {
        self.sessions()
            .ended(self.handle().clone(), self.access_token_expires_at())
    }

    /// Revokes the session, and clears its tokens at the client with this response. Revoking a
    /// session that no longer exists is not an error.
    ///
    /// # Errors
    /// A [`Fault`](crate::Fault) if the store fails. The client keeps its tokens in that case.
    #[doc(alias = "revokeSession")]
    pub async fn revoke(&self) -> Result<(), SessionError> {
        self.sessions().revoke(self.handle()).await?;
        self.clear_at_client();
        Ok(())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("handle", self.handle())
            .field("user_id", self.user_id())
            .field("tenant_id", self.tenant_id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
