//! Parsing of access tokens.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{TokenVersion, V1_HEADER, V2_HEADER};
use crate::clock::UnixSeconds;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::keys::SigningAlgorithm;
use crate::secret::{AntiCsrfToken, RefreshHash1};
use crate::token::access::AccessClaims;
use crate::wire;

/// A structurally valid access token that is not yet verified.
pub(crate) struct ParsedToken<'a> {
    /// `None` in the oldest versions.
    pub(crate) kid: Option<String>,
    /// The algorithm in the header. Only a key of this algorithm verifies the token.
    pub(crate) algorithm: SigningAlgorithm,
    /// `true` if the header contains the version. A JWT for another purpose has none.
    names_version: bool,
    pub(crate) version: TokenVersion,
    pub(crate) signing_input: &'a str,
    pub(crate) signature: Vec<u8>,
    payload: String,
}

/// The text is not an access token. The messages are those of SuperTokens' core.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The text is not a JWT.
    #[error("io.supertokens.session.jwt.JWT$JWTException: {0}")]
    Jwt(&'static str),
    /// The JWT is not a session token.
    #[error(
        "Access token does not contain all the information. Maybe the structure has changed? {0}"
    )]
    Incomplete(&'static str),
}

const NO_JWT: Malformed = Malformed::Jwt("Invalid JWT");

#[derive(Deserialize)]
struct Header {
    typ: Option<Value>,
    alg: Option<Value>,
    kid: Option<Value>,
    version: Option<Value>,
}

/// Parses the header and the segments.
pub(crate) fn parse(token: &str) -> Result<ParsedToken<'_>, Malformed> {
    let (signing_input, signature) = token.rsplit_once('.').ok_or(NO_JWT)?;
    let (header, payload) = signing_input.split_once('.').ok_or(NO_JWT)?;
    if payload.contains('.') {
        return Err(NO_JWT);
    }
    if header == V1_HEADER || header == V2_HEADER {
        let decode = |segment| STANDARD.decode(segment).map_err(|_| NO_JWT);
        return Ok(ParsedToken {
            kid: None,
            algorithm: SigningAlgorithm::Rs256,
            names_version: true,
            version: if header == V1_HEADER {
                TokenVersion::V1
            } else {
                TokenVersion::V2
            },
            signing_input,
            signature: decode(signature)?,
            payload: String::from_utf8(decode(payload)?).map_err(|_| NO_JWT)?,
        });
    }
    let decode = |segment| URL_SAFE_NO_PAD.decode(segment).map_err(|_| NO_JWT);
    let header = decode(header)?;
    // Otherwise an array would be accepted as a struct.
    if !header.trim_ascii_start().starts_with(b"{") {
        return Err(NO_JWT);
    }
    let header: Header = serde_json::from_slice(&header).map_err(|_| NO_JWT)?;
    let (kid, algorithm, version) = header.check()?;
    Ok(ParsedToken {
        kid: Some(kid),
        algorithm,
        names_version: version.is_some(),
        version: version.unwrap_or(TokenVersion::V5),
        signing_input,
        signature: decode(signature)?,
        payload: String::from_utf8(decode(payload)?).map_err(|_| NO_JWT)?,
    })
}

impl Header {
    fn check(self) -> Result<(String, SigningAlgorithm, Option<TokenVersion>), Malformed> {
        let typ = self.typ.ok_or(Malformed::Jwt("JWT header missing - typ"))?;
        let alg = self.alg.ok_or(Malformed::Jwt("JWT header missing - alg"))?;
        let kid = self.kid.ok_or(Malformed::Jwt("JWT header missing - kid"))?;
        if typ != wire::JWT_TYP {
            return Err(Malformed::Jwt("JWT header mismatch - typ"));
        }
        let algorithm = alg
            .as_str()
            .and_then(SigningAlgorithm::named)
            .ok_or(Malformed::Jwt("JWT header mismatch - alg"))?;
        let Value::String(kid) = kid else {
            return Err(Malformed::Jwt("JWT header mismatch - kid"));
        };
        let version = self
            .version
            .map(|version| {
                version
                    .as_str()
                    .and_then(TokenVersion::of_number)
                    .filter(|version| !version.is_oldest())
                    .ok_or(Malformed::Jwt("JWT header mismatch - version"))
            })
            .transpose()?;
        Ok((kid, algorithm, version))
    }
}

type Members<'a> = IndexMap<Cow<'a, str>, &'a RawValue>;

impl ParsedToken<'_> {
    /// Returns the claims, if all claims of a session token of its version are present, and the
    /// application's part of the payload.
    ///
    /// A JWT of the JWT recipe names no version. With `unversioned`, it is treated as version 5.
    pub(crate) fn claims(
        &self,
        unversioned: bool,
    ) -> Result<(AccessClaims, JsonObject), Malformed> {
        let version = self.version;
        let members: Members<'_> = serde_json::from_str(&self.payload).map_err(|_| NO_JWT)?;
        for name in version.claims() {
            if !members.contains_key(*name) {
                return Err(Malformed::Incomplete(name));
            }
        }
        if !self.names_version && !unversioned {
            return Err(Malformed::Jwt("JWT header missing - version"));
        }
        let oldest = version.is_oldest();
        let claims = Claims(&members);
        let (user, expiry, created, unit) = if oldest {
            (
                wire::LEGACY_CLAIM_USER_ID,
                wire::LEGACY_CLAIM_EXPIRY_TIME,
                wire::LEGACY_CLAIM_TIME_CREATED,
                1_000,
            )
        } else {
            (wire::CLAIM_SUB, wire::CLAIM_EXP, wire::CLAIM_IAT, 1)
        };
        let user_id = UserId::from(claims.text(user)?);
        let payload = if oldest {
            claims
                .optional(wire::LEGACY_CLAIM_USER_DATA)?
                .unwrap_or_default()
        } else {
            let own = version.claims();
            let custom: Members<'_> = members
                .iter()
                .filter(|(name, _)| !own.contains(&name.as_ref()))
                .map(|(name, value)| (name.clone(), *value))
                .collect();
            JsonObject::from_serialize(&custom).unwrap_or_default()
        };
        let claims = AccessClaims {
            recipe_user_id: if version >= TokenVersion::V5 {
                UserId::from(claims.text(wire::CLAIM_RSUB)?)
            } else {
                user_id.clone()
            },
            user_id,
            tenant_id: if version >= TokenVersion::V4 {
                TenantId::from_stored(&claims.text(wire::CLAIM_TENANT_ID)?)
            } else {
                TenantId::default()
            },
            handle: SessionHandle::from(claims.text(wire::CLAIM_SESSION_HANDLE)?),
            refresh_hash1: RefreshHash1::from_hex(claims.text(wire::CLAIM_REFRESH_TOKEN_HASH1)?),
            parent_refresh_hash1: claims
                .optional::<String>(wire::CLAIM_PARENT_REFRESH_TOKEN_HASH1)?
                .map(RefreshHash1::from_hex),
            anti_csrf: claims
                .optional::<String>(wire::CLAIM_ANTI_CSRF_TOKEN)?
                .map(AntiCsrfToken::new),
            issued_at: claims.instant(created, unit)?,
            expires_at: claims.instant(expiry, unit)?,
        };
        Ok((claims, payload))
    }
}

struct Claims<'a>(&'a Members<'a>);

impl Claims<'_> {
    fn text(&self, name: &'static str) -> Result<String, Malformed> {
        self.optional(name)?.ok_or(Malformed::Incomplete(name))
    }

    /// Returns a member that may be absent or null.
    fn optional<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, Malformed> {
        self.0.get(name).map_or(Ok(None), |raw| {
            serde_json::from_str(raw.get()).map_err(|_| Malformed::Incomplete(name))
        })
    }

    /// Returns a time that is stored in units of this fraction of a second.
    fn instant(&self, name: &'static str, unit: u64) -> Result<UnixSeconds, Malformed> {
        let number: f64 = self.optional(name)?.ok_or(Malformed::Incomplete(name))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, which is what is wanted"
        )]
        let whole = number as u64;
        Ok(UnixSeconds::new(whole / unit))
    }
}
