//! Key sets, and JWTs for the application's own purposes.

use std::time::Duration;

use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use serde_json::json as value;
use supersession::engine::{JwtOutcome, JwtRequest, MAX_JWT_VALIDITY};
use supersession::store::KeyKind;
use supersession::{Jwk, TenantId};

use crate::call::Call;
use crate::input::Input;
use crate::response::{ErrorResponse, HttpResponse, json, status};

/// Returns the key set of an app. As in the reference, the tenant in the path is ignored, because
/// verifiers derive this URL from the URL at which they reach the core.
pub(super) async fn public_key_set(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let app = call.app_of(&TenantId::default()).await?;
    let set = call.engine(&app).await?.jwks().await?;
    let mut answer = json(&set)?;
    if let Ok(value) = HeaderValue::from_str(&set.cache_control()) {
        answer.headers_mut().insert(CACHE_CONTROL, value);
    }
    Ok(answer)
}

pub(super) async fn key_set(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    #[derive(Serialize)]
    struct KeySet {
        status: &'static str,
        keys: Vec<Jwk>,
    }
    let app = call.app_from_5_0_on_public_tenant().await?;
    let set = call.engine(&app).await?.jwks().await?;
    json(&KeySet {
        status: "OK",
        keys: set.keys,
    })
}

pub(super) async fn sign(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let algorithm = input.text("algorithm")?;
    let issuer = input.text("jwksDomain")?;
    let payload = input.object("payload")?;
    let validity = input.number("validity")?;
    let use_static = if call.cdi.is_before_key_sets() {
        None
    } else {
        input.optional_flag("useStaticSigningKey")?
    };
    let validity = u64::try_from(validity).unwrap_or(0);
    if validity == 0 {
        return Err(ErrorResponse::bad_request(
            "validity must be greater than or equal to 0",
        ));
    }
    if validity > MAX_JWT_VALIDITY.as_secs() {
        return Err(ErrorResponse::bad_request(format!(
            "validity must be at most {} seconds",
            MAX_JWT_VALIDITY.as_secs()
        )));
    }
    if !algorithm.eq_ignore_ascii_case("RS256") {
        return status("UNSUPPORTED_ALGORITHM_ERROR");
    }
    let app = call.app_from_5_0_on_public_tenant().await?;
    let mut request = JwtRequest::new(payload, issuer, Duration::from_secs(validity));
    if use_static != Some(false) {
        request.key_kind = KeyKind::Static;
    }
    let now = call.service.clock.now();
    match call.engine(&app).await?.create_jwt(request, now).await? {
        JwtOutcome::Signed(jwt) => json(&value!({ "status": "OK", "jwt": jwt })),
        JwtOutcome::SessionClaims => Err(ErrorResponse::protected_claim()),
    }
}
