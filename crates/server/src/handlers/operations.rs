//! Endpoints that SDKs, dashboards and command-line tools of SuperTokens call, and that do little
//! here.

use http::Method;
use serde_json::json as value;
use supersession::{AppId, TenantId};

use crate::call::Call;
use crate::input::Input;
use crate::response::{ErrorResponse, HttpResponse, json, status};

/// Responds that access is not allowed. There is no configuration file whose path could be
/// returned.
pub(super) fn config(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    call.query.text("pid")?;
    if call.target.app != AppId::default() || call.target.tenant != TenantId::default() {
        return Err(ErrorResponse::forbidden(
            "you can call this only from the base connection uri domain, public app and tenant",
        ));
    }
    status("NOT_ALLOWED")
}

/// Responds that no telemetry exists. This server sends none.
pub(super) async fn telemetry(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    call.app_on_public_tenant().await?;
    json(&value!({ "exists": false }))
}

/// Responds with the available features. None depends on a licence.
pub(super) async fn feature_flag(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    call.app_on_public_tenant().await?;
    json(&value!({ "status": "OK", "features": ["multi_tenancy"], "usageStats": {} }))
}

/// Handles licence keys. No licence is needed, and a given key is ignored.
pub(super) async fn license(
    call: &Call<'_>,
    method: &Method,
) -> Result<HttpResponse, ErrorResponse> {
    if *method == Method::PUT
        && Input::parse(&call.body)?
            .optional_text("licenseKey")?
            .is_none()
    {
        return Err(ErrorResponse::bad_request(
            "Field name 'licenseKey' is missing in JSON input",
        ));
    }
    call.app_on_public_tenant().await?;
    if *method == Method::GET {
        status("NO_LICENSE_KEY_FOUND_ERROR")
    } else {
        status("OK")
    }
}

/// Returns the request counts of this process for the last day.
pub(super) async fn request_stats(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let app = call.app_from_5_0_on_public_tenant().await?;
    json(&app.requests.answer(call.service.clock.now()))
}
