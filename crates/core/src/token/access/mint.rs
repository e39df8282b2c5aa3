//! Builds access tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::AccessClaims;
use crate::json::JsonObject;
use crate::secret::{AntiCsrfToken, RefreshHash1};
use crate::wire;

/// The claims of a new access token that the system defines.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MintedClaims<'a> {
    sub: &'a str,
    rsub: &'a str,
    iat: u64,
    exp: u64,
    session_handle: &'a str,
    refresh_token_hash1: &'a str,
    parent_refresh_token_hash1: Option<&'a str>,
    anti_csrf_token: Option<&'a str>,
    #[serde(rename = "tId")]
    tenant_id: &'a str,
}

/// The application's payload contains a member that is reserved for the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The user payload contains protected field")]
pub(crate) struct ProtectedClaim;

/// Builds the whole payload of a version 5 token: the system's claims, followed by the
/// application's.
pub(crate) fn payload(
    claims: &AccessClaims,
    custom: &JsonObject,
) -> Result<JsonObject, ProtectedClaim> {
    if names_protected_claim(custom) {
        return Err(ProtectedClaim);
    }
    let minted = MintedClaims {
        sub: &claims.user_id,
        rsub: &claims.recipe_user_id,
        iat: claims.issued_at.get(),
        exp: claims.expires_at.get(),
        session_handle: &claims.handle,
        refresh_token_hash1: claims.refresh_hash1.as_str(),
        parent_refresh_token_hash1: claims
            .parent_refresh_hash1
            .as_ref()
            .map(RefreshHash1::as_str),
        anti_csrf_token: claims.anti_csrf.as_ref().map(AntiCsrfToken::expose),
        tenant_id: &claims.tenant_id,
    };
    let minted = JsonObject::from_serialize(&minted).unwrap_or_default();
    Ok(minted.merged_keeping_nulls(custom))
}

/// Returns `true` if the engine must not mint this payload (sessions 1.9). `stt` is allowed with
/// the value 0 only, which means that the token is not an OAuth2 token.
pub(crate) fn names_protected_claim(custom: &JsonObject) -> bool {
    custom
        .keys()
        .iter()
        .any(|key| wire::PROTECTED_CLAIMS.contains(&key.as_str()))
}

/// Returns the part of a payload that belongs to the application.
pub(crate) fn custom_payload(payload: &JsonObject) -> JsonObject {
    payload.without(&wire::PROTECTED_CLAIMS)
}

/// Builds the text to be signed.
pub(crate) fn signing_input(header: &str, payload: &JsonObject) -> String {
    let mut text = String::with_capacity(header.len() + 1 + payload.as_str().len() * 4 / 3 + 4);
    text.push_str(header);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload.as_str(), &mut text);
    text
}

/// Appends the signature to the signed text.
pub(crate) fn assemble(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut signing_input);
    signing_input
}
