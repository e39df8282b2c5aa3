//! The handle that a request's handler gets.

mod access;
mod claims;
mod data;
mod state;

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
use state::Home;
pub(crate) use state::{Attachment, SharedTokens, Way};

/// A verified session. Cheap to clone; may move into tasks and streams.
///
/// There is no way to make one but through [`Sessions`](crate::Sessions): whoever has a `Session`
/// has had it verified. Getters read memory; what asks the store is a verb. A verb on a session that
/// has ended fails with [`SessionError::Unauthorised`], and nothing re-creates the session.
#[doc(alias = "SessionContainer")]
pub struct Session {
    /// The access token that the handle was made with. Whose session it is does not change.
    first: Access,
    home: Home,
}

/// Whether a new access token reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// With the response to this request.
    InThisResponse,
    /// The change is stored, but this response does not carry it: its head is already sent, the
    /// session is not attached to a request, or the access token has expired. The client gets it at
    /// its next refresh.
    AtNextRefresh,
}

/// All tokens of a session, for callers that transport them by themselves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionTokens {
    /// The access token.
    pub access_token: AccessToken,
    /// The front token, which describes the access token to the browser SDK.
    pub front_token: FrontToken,
    /// The refresh token; only after creation and refresh.
    pub refresh_token: Option<RefreshToken>,
    /// When the session ends unless it is refreshed; only after creation and refresh.
    pub refresh_token_expires_at: Option<UnixMillis>,
    /// The anti-CSRF token, if the session has one.
    pub anti_csrf_token: Option<AntiCsrfToken>,
    /// Whether the access and front token are newer than what the client sent, and must be given to
    /// it.
    pub access_and_front_token_updated: bool,
}

impl Session {
    /// The user.
    #[must_use]
    #[doc(alias = "getUserId")]
    #[doc(alias = "get_user_id")]
    pub fn user_id(&self) -> &UserId {
        self.first.user_id()
    }

    /// The login method of the user. The same as the user, unless a core with linked accounts made
    /// the session.
    #[must_use]
    #[doc(alias = "getRecipeUserId")]
    pub fn recipe_user_id(&self) -> &UserId {
        self.first.recipe_user_id()
    }

    /// The tenant.
    #[must_use]
    #[doc(alias = "getTenantId")]
    pub fn tenant_id(&self) -> &TenantId {
        self.first.tenant_id()
    }

    /// The name of the session, which survives refreshes.
    #[must_use]
    #[doc(alias = "getHandle")]
    pub fn handle(&self) -> &SessionHandle {
        self.first.handle()
    }

    /// When the access token expires.
    #[must_use]
    pub fn access_token_expires_at(&self) -> UnixMillis {
        self.read_access(Access::expires_at).into()
    }

    /// The whole access token payload, the token's own claims included. Follows changes made
    /// through this handle. Members that exceed [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH), which
    /// other programs may have stored, are left out.
    #[must_use]
    #[doc(alias = "getAccessTokenPayload")]
    pub fn access_token_payload(&self) -> JsonObject {
        self.read_access(Access::payload).readable()
    }

    /// The access token payload, read into `T`.
    ///
    /// # Errors
    /// A [`Fault`](crate::Fault) when the payload does not have the shape of `T`.
    pub fn access_token_payload_as<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        self.read_access(Access::payload)
            .deserialize()
            .map_err(|error| {
                documents::shape_fault(&Target::Payload(self.handle().clone()), &error)
            })
    }

    /// The access token. A secret: whoever has it acts as the user.
    #[must_use]
    #[doc(alias = "getAccessToken")]
    pub fn access_token(&self) -> AccessToken {
        self.all_tokens().access_token
    }

    /// All tokens, for callers that transport them by themselves.
    #[must_use]
    #[doc(alias = "getAllSessionTokensDangerously")]
    pub fn all_session_tokens_dangerously(&self) -> SessionTokens {
        self.all_tokens()
    }

    /// What the store knows of the session.
    ///
    /// # Errors
    /// [`SessionError::Unauthorised`] when the session has ended; a [`Fault`](crate::Fault) when the store is in
    /// trouble.
    #[doc(alias = "getSessionInformation")]
    pub async fn information(&self) -> Result<SessionInformation, SessionError> {
        self.sessions()
            .information(self.handle())
            .await?
            .ok_or_else(SessionError::gone)
    }

    /// When the session was created.
    ///
    /// # Errors
    /// As [`Self::information`].
    #[doc(alias = "getTimeCreated")]
    pub async fn get_time_created(&self) -> Result<UnixMillis, SessionError> {
        Ok(self.information().await?.time_created)
    }

    /// When the session ends unless it is refreshed.
    ///
    /// # Errors
    /// As [`Self::information`].
    #[doc(alias = "getExpiry")]
    pub async fn get_expiry(&self) -> Result<UnixMillis, SessionError> {
        Ok(self.information().await?.expiry)
    }

    /// Resolves when the session has ended: it was revoked, here or on another node, or it expired.
    /// For what outlives its request, such as a WebSocket, a stream of events or a gRPC stream.
    ///
    /// What ends a session through the same [`Sessions`](crate::Sessions) is known at once, as is
    /// what ends it elsewhere if the store has a feed of endings; otherwise it is noticed within
    /// [`SessionsBuilder::ending_poll_interval`](crate::SessionsBuilder::ending_poll_interval).
    /// Waits on while the store is in trouble. The future listens from the moment of this call, and
    /// can be dropped at any time.
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

    /// Ends the session, and takes its tokens from the client with this response. Ending a session
    /// that has ended is no error.
    ///
    /// # Errors
    /// A [`Fault`](crate::Fault) when the store is in trouble; the client keeps its tokens then.
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
