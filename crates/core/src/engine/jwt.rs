//! JWTs for the application's own purposes (core specification, 4.5).

use super::{Engine, JwtOutcome};
use crate::authority;
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;
use crate::token::access;
use crate::wire;

impl Engine {
    /// Signs a JWT for the application's own purposes. SDKs recognise session tokens only by their
    /// members, so a payload with those members is rejected unless
    /// [`EngineSettings::jwts_as_sessions`](super::EngineSettings::jwts_as_sessions) is set.
    ///
    /// # Errors
    /// A fault if the keys are unavailable.
    pub async fn sign_jwt(&self, request: super::JwtRequest) -> Result<JwtOutcome, Fault> {
        let session_members = [wire::CLAIM_SESSION_HANDLE, wire::CLAIM_REFRESH_TOKEN_HASH1];
        let is_session = session_members
            .iter()
            .all(|name| request.payload.contains_key(name));
        if is_session && !self.jwts_as_sessions {
            return Ok(JwtOutcome::SessionClaims);
        }
        let request = authority::JwtRequest {
            payload: request.payload,
            issuer: request.issuer,
            validity: request.validity,
            key_kind: request.key_kind,
        };
        let token = self.create_jwt(request, self.clock.now()).await?;
        Ok(JwtOutcome::Signed(token))
    }

    /// Signs the payload and adds `iat`, `exp` and `iss`. Members of the payload take precedence.
    pub(crate) async fn create_jwt(
        &self,
        request: authority::JwtRequest,
        now: UnixMillis,
    ) -> Result<String, Fault> {
        let issued_at = now.floor_seconds().get();
        let validity = request.validity.min(super::MAX_JWT_VALIDITY);
        let defaults = serde_json::json!({
            (wire::CLAIM_ISS): request.issuer,
            (wire::CLAIM_IAT): issued_at,
            (wire::CLAIM_EXP): issued_at.saturating_add(validity.as_secs()),
        });
        let defaults = JsonObject::from_serialize(&defaults).unwrap_or_default();
        let payload = defaults.merged_keeping_nulls(&request.payload);
        let key = self.keys.signer(request.key_kind, now).await?;
        let signing_input = access::signing_input(key.jwt_header(), &payload);
        self.sign(key, signing_input).await
    }
}
