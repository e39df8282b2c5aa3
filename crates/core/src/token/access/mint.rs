//! Putting an access token together.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::AccessClaims;
use crate::json::JsonObject;
use crate::keys::SigningAlgorithm;
use crate::secret::{AntiCsrfToken, RefreshHash1};
use crate::wire;

/// What a new access token is to say, beside the application's own payload.
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

/// The payload of the application has a member that belongs to the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The user payload contains protected field")]
pub(crate) struct ProtectedClaim;

/// Puts together the whole payload of a version 5 token: the core's claims, then the application's.
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

/// Whether the engine would refuse to mint this payload. `stt` may be 0 only, which says "no OAuth2
/// token".
pub(crate) fn names_protected_claim(custom: &JsonObject) -> bool {
    custom
        .keys()
        .iter()
        .any(|key| wire::PROTECTED_CLAIMS.contains(&key.as_str()))
}

/// The part of a payload that belongs to the application.
pub(crate) fn custom_payload(payload: &JsonObject) -> JsonObject {
    payload.without(&wire::PROTECTED_CLAIMS)
}

/// The text that is signed.
pub(crate) fn signing_input(header: &str, payload: &JsonObject) -> String {
    let mut text = String::with_capacity(header.len() + 1 + payload.as_str().len() * 4 / 3 + 4);
    text.push_str(header);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload.as_str(), &mut text);
    text
}

/// Joins what was signed with its signature.
pub(crate) fn assemble(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut signing_input);
    signing_input
}

/// The encoded header of a token that this key signs. `version` is absent on JWTs that are no
/// session tokens.
pub(crate) fn header(kid: &str, algorithm: SigningAlgorithm, version: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Out<'a> {
        alg: &'a str,
        typ: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<&'a str>,
        kid: &'a str,
    }
    let header = Out {
        alg: algorithm.name(),
        typ: wire::JWT_TYP,
        version,
        kid,
    };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).unwrap_or_default())
}
