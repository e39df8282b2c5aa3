//! The responses of cores. Unknown members are ignored.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use supersession::authority::{IssuedAccess, IssuedSession, SessionInformation};
use supersession::{
    AccessToken, AntiCsrfToken, JsonObject, RefreshToken, SessionHandle, TenantId, UnixMillis,
};

use crate::http_client::Response;

/// A response with the status `OK`, or with another status.
pub(crate) enum Outcome<T> {
    Ok(T),
    Other(NotOk),
}

/// A response with another status than `OK`.
#[derive(Deserialize)]
pub(crate) struct NotOk {
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) session: Option<Owner>,
    #[serde(default, rename = "recentTokenReuseSubtype")]
    pub(crate) reuse: Option<String>,
}

/// The owner of a session.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    pub(crate) handle: String,
    pub(crate) user_id: String,
    pub(crate) recipe_user_id: Option<String>,
}

/// Parses a response that contains a status. Status and content are parsed separately, because
/// documents are kept as their original text.
pub(crate) fn read_outcome<T: DeserializeOwned>(response: &Response) -> Option<Outcome<T>> {
    let not_ok: NotOk = serde_json::from_slice(&response.body).ok()?;
    if not_ok.status == "OK" {
        serde_json::from_slice(&response.body).ok().map(Outcome::Ok)
    } else {
        Some(Outcome::Other(not_ok))
    }
}

/// A response without content, except for its status.
#[derive(Deserialize)]
pub(crate) struct Done {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Token {
    token: String,
    expiry: u64,
    #[serde(default)]
    created_time: u64,
}

impl Token {
    pub(crate) fn access(self) -> Option<IssuedAccess> {
        IssuedAccess::read(AccessToken::new(self.token))
    }
}

/// A session that was created or refreshed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens {
    access_token: Token,
    refresh_token: Token,
    anti_csrf_token: Option<String>,
}

impl Tokens {
    pub(crate) fn issued(self) -> Option<IssuedSession> {
        let Token {
            token,
            expiry,
            created_time,
        } = self.refresh_token;
        let (issued_at, expires_at) = (UnixMillis::new(created_time), UnixMillis::new(expiry));
        let token = RefreshToken::new(token);
        let mut issued =
            IssuedSession::new(self.access_token.access()?, token, issued_at, expires_at);
        issued.anti_csrf = self.anti_csrf_token.map(AntiCsrfToken::new);
        Some(issued)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyResponse {
    pub(crate) access_token: Option<Token>,
    #[serde(default)]
    pub(crate) payload_update_available: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Regenerated {
    pub(crate) access_token: Option<Token>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Information {
    session_handle: String,
    user_id: String,
    recipe_user_id: Option<String>,
    user_data_in_database: JsonObject,
    #[serde(rename = "userDataInJWT")]
    payload: JsonObject,
    expiry: u64,
    time_created: u64,
    tenant_id: Option<String>,
}

impl From<Information> for SessionInformation {
    fn from(found: Information) -> Self {
        let handle = SessionHandle::from(found.session_handle);
        let mut information = Self::new(handle, found.user_id.into());
        if let Some(recipe_user_id) = found.recipe_user_id {
            information.recipe_user_id = recipe_user_id.into();
        }
        if let Some(tenant) = found.tenant_id {
            information.tenant_id = TenantId::from_stored(&tenant);
        }
        information.session_data = found.user_data_in_database;
        information.access_token_payload = found.payload;
        information.expires_at = UnixMillis::new(found.expiry);
        information.created_at = UnixMillis::new(found.time_created);
        information
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Revoked {
    pub(crate) session_handles_revoked: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handles {
    pub(crate) session_handles: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Jwt {
    pub(crate) jwt: String,
}

#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) metadata: JsonObject,
}

/// The outcome of a conditional or merging write.
#[derive(Deserialize)]
pub(crate) struct Document {
    pub(crate) outcome: String,
    pub(crate) document: Option<JsonObject>,
}
