//! Creation of sessions, with or without a request.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use serde::Serialize;
use tracing::Instrument as _;

use super::RequestSessions;
use crate::authority::{CreateOutcome, NewSession};
use crate::claims::ClaimContext;
use crate::documents::{object, refuse_nul};
use crate::error::{Fault, SessionError};
use crate::hooks::{SessionDraft, SessionEvent};
use crate::ids::{TenantId, UserId};
use crate::json::JsonObject;
use crate::session::Session;
use crate::sessions::{Sessions, checked};
use crate::token::access;
use crate::transfer::size::{self, Identifiers};
use crate::transport::{AntiCsrf, Transport};
use crate::wire;

/// A session that is about to be created. Awaiting it creates the session.
#[must_use = "nothing is created until it is awaited"]
pub struct CreateSession {
    sessions: Sessions,
    request: Option<RequestSessions>,
    user_id: UserId,
    tenant_id: TenantId,
    payload: Result<JsonObject, SessionError>,
    session_data: Result<JsonObject, SessionError>,
    anti_csrf: bool,
}

impl Sessions {
    /// Creates a session without a request. The caller sends its tokens to the client
    /// ([`Session::all_session_tokens_dangerously`]). Inside a handler, use
    /// [`RequestSessions::create`].
    #[doc(alias = "createNewSessionWithoutRequestResponse")]
    pub fn create(&self, user_id: impl Into<UserId>) -> CreateSession {
        CreateSession::new(self.clone(), None, user_id.into())
    }
}

impl CreateSession {
    pub(crate) fn new(
        sessions: Sessions,
        request: Option<RequestSessions>,
        user_id: UserId,
    ) -> Self {
        Self {
            sessions,
            request,
            user_id,
            tenant_id: TenantId::default(),
            payload: Ok(JsonObject::empty()),
            session_data: Ok(JsonObject::empty()),
            anti_csrf: true,
        }
    }

    /// Sets the application's part of the access token payload. Scripts in the browser can read it.
    /// Protected names and `iss` are removed. Defaults to an empty object.
    #[doc(alias = "accessTokenPayload")]
    pub fn payload<T: Serialize>(mut self, payload: T) -> Self {
        self.payload = object(&payload);
        self
    }

    /// Sets the session data, which stays on the server. Defaults to an empty object.
    #[doc(alias = "sessionDataInDatabase")]
    pub fn data<T: Serialize>(mut self, data: T) -> Self {
        self.session_data = object(&data);
        self
    }

    /// Sets the tenant. Defaults to `public`.
    pub fn tenant(mut self, tenant_id: TenantId) -> Self {
        self.tenant_id = tenant_id;
        self
    }

    /// Creates the session without an anti-CSRF token. For a session that the application itself
    /// sends in headers.
    #[doc(alias = "disableAntiCsrf")]
    pub fn without_anti_csrf(mut self) -> Self {
        self.anti_csrf = false;
        self
    }

    async fn run(self) -> Result<Session, SessionError> {
        let config = self.sessions.config();
        let response = self
            .request
            .as_ref()
            .map(RequestSessions::response_link_for_creation)
            .transpose()?;
        let draft = SessionDraft {
            access_token_payload: self.payload?,
            session_data: self.session_data?,
            tenant_id: self.tenant_id,
            user_id: checked(self.user_id)?,
        };
        let draft = with_issuer_and_claims(&self.sessions, draft).await?;
        let mut draft = config.hooks.run_before_create(draft).await?;
        draft.user_id = checked(draft.user_id)?;
        refuse_nul(&draft.access_token_payload)?;
        refuse_nul(&draft.session_data)?;
        let transport = response.as_ref().map(|response| response.transport);
        let anti_csrf = match (&self.request, transport) {
            (Some(request), Some(transport)) => request.uses_anti_csrf_tokens(transport)?,
            _ => config.anti_csrf == Some(AntiCsrf::ViaToken),
        };
        // Without a request, the caller sends the tokens, most likely in a header.
        let longest_token = config.longest_access_token(transport.unwrap_or(Transport::Header));
        let identifiers = Identifiers::of_new(&draft.user_id, &draft.tenant_id);
        let limit = size::longest_payload(longest_token, identifiers);
        size::check_payload(&draft.access_token_payload, limit)?;
        let now = self.sessions.now();
        let new = NewSession {
            user_id: draft.user_id,
            tenant_id: draft.tenant_id,
            payload: draft.access_token_payload,
            session_data: draft.session_data,
            anti_csrf: anti_csrf && self.anti_csrf,
            key_kind: config.key_kind,
            access_token_validity: None,
            device: self
                .request
                .as_ref()
                .and_then(|request| request.device(now))
                .unwrap_or_default(),
        };
        let (user_id, payload) = (new.user_id.clone(), new.payload.clone());
        let issued = match self.sessions.authority().create(new, now).await? {
            CreateOutcome::Created(issued) => *issued,
            CreateOutcome::ProtectedClaim => {
                return Err(Fault::misuse(wire::MESSAGE_PROTECTED_FIELD).into());
            }
        };
        size::warn_if_large(&issued.access.claims.handle, &payload, limit);
        crate::telemetry::session_created(&issued.access.claims);
        if let Some(devices) = self.sessions.devices() {
            devices.begun(&issued.access.claims.handle, now);
        }
        let session = Session::issued(self.sessions.clone(), issued, response.clone());
        let outcome = config.hooks.created(SessionEvent::of(&session)).await;
        self.sessions.judged(&session, outcome).await?;
        if let Err(error) = self.sessions.make_room_for(&user_id).await {
            // The session exists. The next creation revokes the surplus of both.
            crate::telemetry::request_failed(&error);
        }
        if let (Some(request), Some(response)) = (&self.request, &response) {
            request.clear_other_transport(response)?;
        }
        session.send_tokens();
        Ok(session)
    }
}

/// Returns the payload to store: without protected names, with the issuer and the registered claims
/// (session specification, 1.9).
async fn with_issuer_and_claims(
    sessions: &Sessions,
    mut draft: SessionDraft,
) -> Result<SessionDraft, SessionError> {
    let payload = access::custom_payload(&draft.access_token_payload.without(&[wire::CLAIM_ISS]));
    let payload = payload
        .with(wire::CLAIM_ISS, &sessions.config().issuer)
        .map_err(|error| Fault::internal("the issuer cannot be serialized").with_source(error))?;
    let context = ClaimContext {
        user_id: draft.user_id.clone(),
        recipe_user_id: draft.user_id.clone(),
        tenant_id: draft.tenant_id.clone(),
        payload,
    };
    draft.access_token_payload = sessions.with_registered_claims(context).await?;
    Ok(draft)
}

impl IntoFuture for CreateSession {
    type Output = Result<Session, SessionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(
            self.run()
                .instrument(tracing::debug_span!(target: "supersession", "create_session")),
        )
    }
}

impl std::fmt::Debug for CreateSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateSession")
            .field("user_id", &self.user_id)
            .field("tenant_id", &self.tenant_id)
            .finish_non_exhaustive()
    }
}
