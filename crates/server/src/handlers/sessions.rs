//! Creating a session, and returning its information.

use std::time::Duration;

use serde::Serialize;
use supersession::engine::{CreateOutcome, NewSession};
use supersession::store::KeyKind;
use supersession::{JsonObject, SessionHandle, TenantId, UnixMillis};

use super::bodies::{SESSION_HANDLE, SESSION_MISSING, Tokens};
use super::public_keys::PublicKeys;
use crate::call::Call;
use crate::input::Input;
use crate::registry::App;
use crate::response::{ErrorResponse, HttpResponse, json, unauthorised};

pub(super) async fn create(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let mut new = NewSession::new(input.user_id("userId")?, call.target.tenant.clone());
    new.anti_csrf = input.flag("enableAntiCsrf")?;
    new.payload = input.object("userDataInJWT")?;
    new.session_data = input.object("userDataInDatabase")?;
    let chosen = if call.cdi.is_before_key_sets() {
        None
    } else {
        input.optional_key_kind("useDynamicSigningKey")?
    };
    let validity = access_token_validity(call, &input)?;
    let app = call.app().await?;
    new.key_kind = if call.cdi.is_before_key_sets() {
        app.config.signing_key
    } else {
        chosen.unwrap_or(KeyKind::Dynamic)
    };
    new.access_token_validity = in_range(validity, &app)?;
    let engine = call.engine(&app).await?;
    let now = call.service.clock.now();
    match engine.create(new, call.cdi.protocol(), now).await? {
        CreateOutcome::ProtectedClaim => Err(ErrorResponse::protected_claim()),
        CreateOutcome::Created(issued) => {
            call.service.metrics.sessions_created.increment(1);
            tracing::debug!(handle = %issued.access.claims.handle, "session created");
            let mut answer = Tokens::new(*issued, call.cdi, engine)?;
            answer.keys = PublicKeys::for_response(call, &app).await?;
            json(&answer)
        }
    }
}

/// Returns the requested validity in milliseconds, if the CDI version supports this field.
pub(super) fn access_token_validity(
    call: &Call<'_>,
    input: &Input<'_>,
) -> Result<Option<i64>, ErrorResponse> {
    if call.cdi.supports_access_token_validity() {
        input.optional_number("accessTokenValidity")
    } else {
        Ok(None)
    }
}

/// Returns the requested validity. Rejects one that is not positive or longer than the configured
/// one.
pub(super) fn in_range(
    requested: Option<i64>,
    app: &App,
) -> Result<Option<Duration>, ErrorResponse> {
    let configured = app.config.engine.access_token_validity;
    let Some(requested) = requested else {
        return Ok(None);
    };
    u64::try_from(requested)
        .ok()
        .map(Duration::from_millis)
        .filter(|requested| *requested > Duration::ZERO && *requested <= configured)
        .map(Some)
        .ok_or_else(|| {
            ErrorResponse::bad_request(format!(
                "accessTokenValidity must be greater than 0 and at most the configured access_token_validity ({} ms)",
                configured.as_millis()
            ))
        })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Information {
    status: &'static str,
    session_handle: SessionHandle,
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipe_user_id: Option<String>,
    user_data_in_database: JsonObject,
    expiry: UnixMillis,
    #[serde(rename = "userDataInJWT")]
    payload: JsonObject,
    time_created: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<TenantId>,
}

pub(super) async fn information(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let handle = call.query.text(SESSION_HANDLE)?;
    let Some(record) = call.session(handle).await? else {
        return unauthorised(SESSION_MISSING);
    };
    json(&Information {
        status: "OK",
        session_handle: record.key.handle,
        user_id: record.user_id.to_string(),
        recipe_user_id: call
            .cdi
            .supports_recipe_users()
            .then(|| record.user_id.to_string()),
        user_data_in_database: record.session_data,
        expiry: record.expires_at,
        payload: record.payload,
        time_created: record.created_at,
        tenant_id: call.cdi.supports_tenants().then_some(record.key.tenant),
    })
}
