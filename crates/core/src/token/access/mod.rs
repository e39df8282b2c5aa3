//! The access token: an RS256 JWT of version 3 to 5 (session specification, section 1).
//!
//! Parsing happens before the signature is checked, to tell our tokens from foreign bearer values.
//! What comes out of [`parse`] is therefore a claim, not a fact; only [`crate::verify`] turns it
//! into one.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::clock::UnixSeconds;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::secret::{AntiCsrfToken, RefreshHash1};
use crate::wire;

/// The only algorithm that is minted or accepted.
pub(crate) const ALGORITHM: &str = "RS256";

/// What an access token says.
#[derive(Clone, Debug)]
pub(crate) struct AccessClaims {
    pub(crate) user_id: UserId,
    pub(crate) recipe_user_id: UserId,
    pub(crate) tenant_id: TenantId,
    pub(crate) handle: SessionHandle,
    pub(crate) refresh_hash1: RefreshHash1,
    /// Set on tokens of a foreign core that has not confirmed the refresh yet.
    pub(crate) parent_refresh_hash1: Option<RefreshHash1>,
    pub(crate) anti_csrf: Option<AntiCsrfToken>,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) expires_at: UnixSeconds,
    /// The whole payload, the members above included.
    pub(crate) payload: JsonObject,
}

/// A token that has the shape of ours. Its signature has not been looked at.
#[derive(Debug)]
pub(crate) struct ParsedAccessToken<'a> {
    pub(crate) algorithm: String,
    pub(crate) kid: String,
    pub(crate) not_before: Option<f64>,
    pub(crate) claims: AccessClaims,
    pub(crate) signing_input: &'a str,
    pub(crate) signature: Vec<u8>,
}

/// Not one of our access tokens: to be ignored, as if it were not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an access token of this system: {0}")]
pub(crate) struct ForeignToken(&'static str);

/// Takes a token apart and checks its structure (session specification, 1.3 and 1.6).
///
/// Base64url must be unpadded and canonical, so that a token has one spelling only.
pub(crate) fn parse(token: &str) -> Result<ParsedAccessToken<'_>, ForeignToken> {
    let (signing_input, signature) = token
        .rsplit_once('.')
        .ok_or(ForeignToken("not three segments"))?;
    let (header, payload) = signing_input
        .split_once('.')
        .ok_or(ForeignToken("not three segments"))?;
    if payload.contains('.') {
        return Err(ForeignToken("not three segments"));
    }
    let header = decode(header)?;
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| ForeignToken("header"))?;
    let version = header.check()?;
    let payload = String::from_utf8(decode(payload)?).map_err(|_| ForeignToken("payload"))?;
    let raw: RawClaims<'_> = serde_json::from_str(&payload).map_err(|_| ForeignToken("payload"))?;
    let claims = raw.check(version, &payload)?;
    Ok(ParsedAccessToken {
        algorithm: header.alg.unwrap_or_default().into_owned(),
        // A key id that is no string names no key; verification will say so.
        kid: header.kid.and_then(string).unwrap_or_default(),
        not_before: raw
            .nbf
            .map(|nbf| number(Some(nbf)).unwrap_or(f64::INFINITY)),
        claims,
        signing_input,
        signature: decode(signature)?,
    })
}

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
pub(crate) fn header(kid: &str, version: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Out<'a> {
        alg: &'a str,
        typ: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<&'a str>,
        kid: &'a str,
    }
    let header = Out {
        alg: ALGORITHM,
        typ: wire::JWT_TYP,
        version,
        kid,
    };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).unwrap_or_default())
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, default)]
    alg: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    typ: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    kid: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    version: Option<&'a RawValue>,
}

impl Header<'_> {
    fn check(&self) -> Result<u32, ForeignToken> {
        if self.typ.and_then(string).as_deref() != Some(wire::JWT_TYP) {
            return Err(ForeignToken("typ"));
        }
        if self.kid.is_none() {
            return Err(ForeignToken("kid"));
        }
        let version = match self.version {
            // Quirk: a token without a version counts as version 3 (session specification, 1.3 and
            // 1.11).
            None => Some(3),
            Some(version) => string(version).and_then(|text| leading_integer(&text)),
        };
        version
            .filter(|version| *version >= 3)
            .ok_or(ForeignToken("version"))
    }
}

/// Quirk: `"5abc"` is version 5 (session specification, 1.3).
fn leading_integer(text: &str) -> Option<u32> {
    let text = text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .map_or(text, |end| &text[..end]);
    digits.parse().ok()
}

/// The members that the engine reads, as they stand; all others are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawClaims<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    sub: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    rsub: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    iat: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    exp: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    nbf: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    session_handle: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    refresh_token_hash1: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    parent_refresh_token_hash1: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    anti_csrf_token: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "tId", deserialize_with = "present")]
    tenant_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    stt: Option<&'a RawValue>,
}

impl RawClaims<'_> {
    fn check(&self, version: u32, payload: &str) -> Result<AccessClaims, ForeignToken> {
        let text =
            |claim: Option<&RawValue>, name| claim.and_then(string).ok_or(ForeignToken(name));
        if self.stt.is_some() && number(self.stt) != Some(0.0) {
            return Err(ForeignToken("stt"));
        }
        let user_id = UserId::from(text(self.sub, "sub")?);
        let recipe_user_id = if version >= 5 {
            UserId::from(text(self.rsub, "rsub")?)
        } else {
            user_id.clone()
        };
        // A `tId` in a version 3 token is the application's own (session specification, 1.5).
        let tenant_id = if version >= 4 {
            TenantId::from_stored(&text(self.tenant_id, "tId")?)
        } else {
            TenantId::default()
        };
        Ok(AccessClaims {
            user_id,
            recipe_user_id,
            tenant_id,
            handle: SessionHandle::from(text(self.session_handle, "sessionHandle")?),
            refresh_hash1: RefreshHash1::from_hex(text(
                self.refresh_token_hash1,
                "refreshTokenHash1",
            )?),
            parent_refresh_hash1: self
                .parent_refresh_token_hash1
                .and_then(string)
                .map(RefreshHash1::from_hex),
            anti_csrf: self
                .anti_csrf_token
                .and_then(string)
                .map(AntiCsrfToken::new),
            issued_at: seconds(number(self.iat).ok_or(ForeignToken("iat"))?),
            expires_at: seconds(number(self.exp).ok_or(ForeignToken("exp"))?),
            payload: payload.parse().map_err(|_| ForeignToken("payload"))?,
        })
    }
}

/// Keeps an explicit null apart from an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn number(raw: Option<&RawValue>) -> Option<f64> {
    serde_json::from_str(raw?.get()).ok()
}

/// Whole seconds; what lies before the epoch is the epoch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what is wanted"
)]
fn seconds(number: f64) -> UnixSeconds {
    UnixSeconds::new(number as u64)
}

fn decode(segment: &str) -> Result<Vec<u8>, ForeignToken> {
    URL_SAFE_NO_PAD
        .decode(segment)
        .map_err(|_| ForeignToken("base64url"))
}

#[cfg(test)]
mod tests;
