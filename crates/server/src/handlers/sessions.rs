//! Creating a session, and returning its information.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use supersession::engine::{Create, CreateOutcome};
use supersession::{JsonObject, SessionHandle, TenantId, UnixMillis};

use super::older::PublicKeys;
use super::shapes::{SESSION_HANDLE, SESSION_MISSING, Tokens, key_kind};
use crate::answer::{Answer, Refusal, json, unauthorised};
use crate::input::Input;
use crate::registry::App;
use crate::service::Call;

pub(super) async fn create(call: &Call<'_>) -> Result<Answer, Refusal> {
    let input = Input::parse(&call.body)?;
    let mut new = Create::new(input.user_id("userId")?, call.target.tenant.clone());
    new.anti_csrf = input.flag("enableAntiCsrf")?;
    new.payload = input.object("userDataInJWT")?;
    new.session_data = input.object("userDataInDatabase")?;
    let chosen = if call.cdi.is_before_key_sets() {
        None
    } else {
        input.optional_flag("useDynamicSigningKey")?
    };
    let validity = access_token_validity(call, &input)?;
    let app = call.app().await?;
    let dynamic = if call.cdi.is_before_key_sets() {
        app.config.signing_key_dynamic
    } else {
        chosen.unwrap_or(true)
    };
    new.key_kind = key_kind(dynamic);
    new.access_token_validity = in_range(validity, &app)?;
    let engine = call.engine(&app).await?;
    match engine.create_session(new, call.cdi.dialect()).await? {
        CreateOutcome::ProtectedClaim => Err(Refusal::protected_claim()),
        CreateOutcome::Created(issued) => {
            let metrics = &call.service.metrics;
            metrics.sessions_created.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(handle = %issued.session.handle, "session created");
            let mut answer = Tokens::new(*issued, call.cdi, engine)?;
            answer.keys = PublicKeys::for_answer(call, &app).await?;
            json(&answer)
        }
    }
}

/// Returns the requested validity in milliseconds, if the CDI version supports this field.
pub(super) fn access_token_validity(
    call: &Call<'_>,
    input: &Input<'_>,
) -> Result<Option<i64>, Refusal> {
    if call.cdi.takes_access_token_validity() {
        input.optional_number("accessTokenValidity")
    } else {
        Ok(None)
    }
}

/// Returns the requested validity. Rejects one that is not positive or longer than the configured
/// one.
pub(super) fn in_range(asked: Option<i64>, app: &App) -> Result<Option<Duration>, Refusal> {
    let configured = app.config.engine.lifetimes.access_token_validity;
    let Some(asked) = asked else {
        return Ok(None);
    };
    u64::try_from(asked)
        .ok()
        .map(Duration::from_millis)
        .filter(|asked| *asked > Duration::ZERO && *asked <= configured)
        .map(Some)
        .ok_or_else(|| {
            Refusal::bad_request(format!(
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

pub(super) async fn information(call: &Call<'_>) -> Result<Answer, Refusal> {
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
            .knows_recipe_users()
            .then(|| record.user_id.to_string()),
        user_data_in_database: record.session_data,
        expiry: record.expires_at,
        payload: record.payload,
        time_created: record.created_at,
        tenant_id: call.cdi.knows_tenants().then_some(record.key.tenant),
    })
}
