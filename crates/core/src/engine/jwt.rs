//! JWTs for the application's own purposes (core specification, 4.5).

use super::Engine;
use crate::authority::JwtRequest;
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;
use crate::token::access;
use crate::wire;

impl Engine {
    /// Signs `iat`, `exp` and `iss`, and the payload on top of them: its members win.
    pub(crate) async fn create_jwt(
        &self,
        request: JwtRequest,
        now: UnixMillis,
    ) -> Result<String, Fault> {
        let issued_at = now.floor_seconds().get();
        let defaults = serde_json::json!({
            (wire::CLAIM_ISS): request.issuer,
            (wire::CLAIM_IAT): issued_at,
            (wire::CLAIM_EXP): issued_at.saturating_add(request.validity.as_secs()),
        });
        let defaults = JsonObject::from_serialize(&defaults).unwrap_or_default();
        let payload = defaults.merged_keeping_nulls(&request.payload);
        let key = self.keys.signer(request.key_kind, now).await?;
        let signing_input = access::signing_input(key.jwt_header(), &payload);
        self.sign(key, signing_input).await
    }
}
