//! JWTs for the application's own purposes (core specification, 4.5).

use std::time::Duration;

use super::protocol::Format;
use super::{Engine, EngineSettings};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;
use crate::store::KeyKind;
use crate::token::access;
use crate::wire;

/// Maximum validity of a JWT: 36,500 days.
pub const MAX_JWT_VALIDITY: Duration = EngineSettings::LONGEST;

/// A JWT to sign for the application's own purposes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JwtRequest {
    /// Its claims. They take precedence over the claims that are added: `iat`, `exp` and `iss`.
    pub payload: JsonObject,
    /// The issuer.
    pub issuer: String,
    /// The validity. Values above [`MAX_JWT_VALIDITY`] are reduced to it.
    pub validity: Duration,
    /// The kind of key that signs.
    pub key_kind: KeyKind,
}

impl JwtRequest {
    /// Describes a JWT that a rotating key signs.
    #[must_use]
    pub fn new(payload: JsonObject, issuer: String, validity: Duration) -> Self {
        Self {
            payload,
            issuer,
            validity,
            key_kind: KeyKind::Dynamic,
        }
    }
}

/// The outcome of signing a JWT. Exhaustive, so that callers answer each case.
#[derive(Clone, Debug)]
pub enum JwtOutcome {
    /// The JWT.
    Signed(String),
    /// The payload has the members of a session token, which the engine's settings reject.
    SessionClaims,
}

impl Engine {
    /// Signs the payload and adds `iat`, `exp` and `iss`. SDKs recognise session tokens only by
    /// their members, so a payload with those members is rejected unless
    /// [`EngineSettings::jwts_as_sessions`] is set.
    ///
    /// # Errors
    /// A fault if the keys are unavailable.
    pub async fn create_jwt(
        &self,
        request: JwtRequest,
        now: UnixMillis,
    ) -> Result<JwtOutcome, Fault> {
        let session_members = [wire::CLAIM_SESSION_HANDLE, wire::CLAIM_REFRESH_TOKEN_HASH1];
        let is_session = session_members
            .iter()
            .all(|name| request.payload.contains_key(name));
        if is_session && !self.settings.jwts_as_sessions {
            return Ok(JwtOutcome::SessionClaims);
        }
        let issued_at = now.floor_seconds().get();
        let validity = request.validity.min(MAX_JWT_VALIDITY);
        let defaults = serde_json::json!({
            (wire::CLAIM_ISS): request.issuer,
            (wire::CLAIM_IAT): issued_at,
            (wire::CLAIM_EXP): issued_at.saturating_add(validity.as_secs()),
        });
        let defaults = JsonObject::from_serialize(&defaults).unwrap_or_default();
        let payload = defaults.merged_keeping_nulls(&request.payload);
        let key = self.keys.signer(request.key_kind, now).await?;
        let signing_input = access::signing_input(key.jwt_header(), &payload);
        let token = self.sign(key, signing_input, Format::Application).await?;
        Ok(JwtOutcome::Signed(token))
    }
}
