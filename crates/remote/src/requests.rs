//! The request bodies for cores.

use serde::Serialize;
use supersession::{JsonObject, SessionHandle};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Create<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) enable_anti_csrf: bool,
    #[serde(rename = "userDataInJWT")]
    pub(crate) payload: &'a JsonObject,
    pub(crate) user_data_in_database: &'a JsonObject,
    pub(crate) use_dynamic_signing_key: bool,
    /// In milliseconds. Cores before CDI 5.6 ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_token_validity: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refresh<'a> {
    pub(crate) refresh_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) anti_csrf_token: Option<&'a str>,
    pub(crate) enable_anti_csrf: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) use_dynamic_signing_key: Option<bool>,
    /// In milliseconds. Cores before CDI 5.6 ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_token_validity: Option<u64>,
}

/// The request to verify a token. Anti-CSRF is checked before the call.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verify<'a> {
    pub(crate) access_token: &'a str,
    pub(crate) do_anti_csrf_check: bool,
    pub(crate) enable_anti_csrf: bool,
    pub(crate) check_database: bool,
}

/// The request to regenerate a token. It contains no payload, so that the core uses the stored
/// payload, which another client may have changed meanwhile.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Regenerate<'a> {
    pub(crate) access_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemoveHandles<'a> {
    pub(crate) session_handles: &'a [SessionHandle],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemoveUser<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) revoke_across_all_tenants: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignJwt<'a> {
    pub(crate) algorithm: &'static str,
    pub(crate) jwks_domain: &'a str,
    pub(crate) payload: &'a JsonObject,
    pub(crate) validity: u64,
    pub(crate) use_static_signing_key: bool,
}
