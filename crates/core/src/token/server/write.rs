//! Writing of access tokens of all versions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{TokenVersion, V1_HEADER, V2_HEADER};
use crate::clock::UnixMillis;
use crate::json::JsonObject;
use crate::keys::{self, VerifyingKey};
use crate::secret::{AntiCsrfToken, RefreshHash1};
use crate::token::access::{self, AccessClaims, ProtectedClaim};

/// Versions 1 and 2.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Oldest<'a> {
    user_id: &'a str,
    expiry_time: UnixMillis,
    time_created: UnixMillis,
    session_handle: &'a str,
    refresh_token_hash1: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_refresh_token_hash1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anti_csrf_token: Option<&'a str>,
    user_data: &'a JsonObject,
}

/// Versions 3 to 5, without the application's members.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    sub: &'a str,
    exp: u64,
    iat: u64,
    session_handle: &'a str,
    refresh_token_hash1: &'a str,
    parent_refresh_token_hash1: Option<&'a str>,
    anti_csrf_token: Option<&'a str>,
    #[serde(rename = "tId", skip_serializing_if = "Option::is_none")]
    tenant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rsub: Option<&'a str>,
}

/// Returns the text that this key must sign, with the application's `custom` payload.
pub(crate) fn signing_input(
    claims: &AccessClaims,
    custom: &JsonObject,
    version: TokenVersion,
    key: &VerifyingKey,
) -> Result<String, ProtectedClaim> {
    if version.protects_member_of(custom) {
        return Err(ProtectedClaim);
    }
    let parent_refresh_token_hash1 = claims
        .parent_refresh_hash1
        .as_ref()
        .map(RefreshHash1::as_str);
    let anti_csrf_token = claims.anti_csrf.as_ref().map(AntiCsrfToken::expose);
    if version.is_oldest() {
        let content = Oldest {
            user_id: &claims.user_id,
            expiry_time: claims.expires_at.into(),
            time_created: claims.issued_at.into(),
            session_handle: &claims.handle,
            refresh_token_hash1: claims.refresh_hash1.as_str(),
            parent_refresh_token_hash1,
            anti_csrf_token,
            user_data: custom,
        };
        let header = if version == TokenVersion::V1 {
            V1_HEADER
        } else {
            V2_HEADER
        };
        let content = serde_json::to_vec(&content).unwrap_or_default();
        return Ok(format!("{header}.{}", STANDARD.encode(content)));
    }
    let own = Claims {
        sub: &claims.user_id,
        exp: claims.expires_at.get(),
        iat: claims.issued_at.get(),
        session_handle: &claims.handle,
        refresh_token_hash1: claims.refresh_hash1.as_str(),
        parent_refresh_token_hash1,
        anti_csrf_token,
        tenant_id: (version >= TokenVersion::V4).then_some(&*claims.tenant_id),
        rsub: (version >= TokenVersion::V5).then_some(&*claims.recipe_user_id),
    };
    let own = JsonObject::from_serialize(&own).unwrap_or_default();
    let content = own.merged_keeping_nulls(custom);
    Ok(if version == TokenVersion::V5 {
        access::signing_input(key.session_header(), &content)
    } else {
        let header = keys::header(&key.kid, key.algorithm(), Some(version.number()));
        access::signing_input(&header, &content)
    })
}

/// Joins the signing input with its signature.
pub(crate) fn assemble(
    version: TokenVersion,
    mut signing_input: String,
    signature: &[u8],
) -> String {
    if version.is_oldest() {
        signing_input.push('.');
        STANDARD.encode_string(signature, &mut signing_input);
        signing_input
    } else {
        access::assemble(signing_input, signature)
    }
}
