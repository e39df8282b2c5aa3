//! JSON structures shared by several endpoints.

use serde::Serialize;
use supersession::authority::AccessClaims;
use supersession::engine::{Engine, IssuedAccess, IssuedSession};
use supersession::store::{SessionKey, SessionRecord};
use supersession::{AntiCsrfToken, JsonObject, SessionHandle, TenantId, UnixMillis};

use super::public_keys::PublicKeys;
use crate::call::Call;
use crate::cdi::CdiVersion;
use crate::response::ErrorResponse;

/// The field with the session handle. It has the same name as the claim.
pub(super) const SESSION_HANDLE: &str = supersession::wire::CLAIM_SESSION_HANDLE;

pub(super) const SESSION_MISSING: &str = "Session does not exist.";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token {
    token: String,
    expiry: UnixMillis,
    created_time: UnixMillis,
}

impl Token {
    pub(super) fn access(issued: &IssuedAccess) -> Self {
        Self {
            token: issued.token.expose().to_owned(),
            expiry: issued.claims.expires_at.into(),
            created_time: issued.claims.issued_at.into(),
        }
    }

    pub(super) fn of(token: String, created_time: UnixMillis, expiry: UnixMillis) -> Self {
        Self {
            token,
            expiry,
            created_time,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    handle: SessionHandle,
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipe_user_id: Option<String>,
    #[serde(rename = "userDataInJWT")]
    payload: JsonObject,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<TenantId>,
}

impl Session {
    pub(super) fn new(claims: AccessClaims, payload: JsonObject, cdi: CdiVersion) -> Self {
        Self {
            handle: claims.handle,
            user_id: claims.user_id.to_string(),
            recipe_user_id: cdi
                .supports_recipe_users()
                .then(|| claims.recipe_user_id.to_string()),
            payload,
            tenant_id: cdi.supports_tenants().then_some(claims.tenant_id),
        }
    }
}

/// A session with all its tokens.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tokens {
    status: &'static str,
    session: Session,
    access_token: Token,
    refresh_token: Token,
    #[serde(skip_serializing_if = "Option::is_none")]
    anti_csrf_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_refresh_token: Option<Token>,
    #[serde(flatten)]
    pub(super) keys: Option<PublicKeys>,
}

impl Tokens {
    /// # Errors
    /// If the source of randomness fails.
    pub(super) fn new(
        issued: IssuedSession,
        cdi: CdiVersion,
        engine: &Engine,
    ) -> Result<Self, ErrorResponse> {
        let refresh = |token| Token::of(token, issued.refresh_issued_at, issued.refresh_expires_at);
        // Frontend SDKs of these versions compare this value to detect a refresh in another tab,
        // and store the anti-CSRF token with it. Each response with tokens therefore contains a new
        // value.
        let id_refresh_token = if cdi.is_before_key_sets() {
            Some(refresh(engine.random_uuid()?))
        } else {
            None
        };
        Ok(Self {
            status: "OK",
            access_token: Token::access(&issued.access),
            refresh_token: refresh(issued.refresh_token.expose().to_owned()),
            anti_csrf_token: issued
                .anti_csrf
                .as_ref()
                .map(AntiCsrfToken::expose)
                .map(str::to_owned),
            id_refresh_token,
            session: Session::new(issued.access.claims, issued.access.payload, cdi),
            keys: None,
        })
    }
}

impl Call<'_> {
    /// Returns the live session of a handle. The handle contains its tenant.
    pub(super) async fn session(
        &self,
        handle: &str,
    ) -> Result<Option<SessionRecord>, ErrorResponse> {
        let Some(key) = self.session_key(handle).await? else {
            return Ok(None);
        };
        let now = self.service.clock.now();
        Ok(self.service.store.session(&key, now).await?)
    }

    /// Returns the store's key for a handle, or `None` if no store accepts such a handle.
    pub(super) async fn session_key(
        &self,
        handle: &str,
    ) -> Result<Option<SessionKey>, ErrorResponse> {
        let handle = SessionHandle::from(handle);
        self.app().await?;
        self.app_of(&handle.tenant_id()).await?;
        Ok(is_storable(&handle).then(|| SessionKey::new(&self.target.app, handle)))
    }
}

/// Returns `true` if a store accepts this handle.
pub(super) fn is_storable(handle: &str) -> bool {
    handle.len() <= 255 && !handle.contains('\0')
}
