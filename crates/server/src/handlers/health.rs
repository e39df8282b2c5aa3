//! Health checks, supported versions and metrics.

use http::{Method, StatusCode};
use serde_json::json as value;
use supersession::{TenantId, UserId};

use crate::call::Call;
use crate::cdi::SUPPORTED;
use crate::path::Endpoint;
use crate::response::{ErrorResponse, HttpResponse, json, text, with_type};

/// Responds with a greeting if the store is reachable.
pub(super) async fn hello(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    if call.target.endpoint == Endpoint::Root
        && call.target.tenant != TenantId::default()
        && call.app().await.is_err()
    {
        return Err(ErrorResponse::not_found());
    }
    call.app().await?;
    probe(call).await?;
    Ok(text("Hello"))
}

/// Responds if the process is running.
pub(crate) fn live(method: &Method) -> Result<HttpResponse, ErrorResponse> {
    match *method {
        Method::GET | Method::HEAD => Ok(text("live")),
        _ => Err(ErrorResponse::method_not_supported()),
    }
}

/// Responds with success if the store is writable and the process is not shutting down.
pub(super) async fn ready(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    if call.service.is_draining() {
        return Err(ErrorResponse::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "shutting down",
        ));
    }
    let service = call.service;
    if !service
        .readiness
        .check(&*service.store, &*service.clock)
        .await
    {
        return Err(ErrorResponse::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The session store is not writable; the log has the reason",
        ));
    }
    Ok(text("ready"))
}

/// Reads from the store, within a rate limit. Without a token in the bucket, the read is skipped.
async fn probe(call: &Call<'_>) -> Result<(), ErrorResponse> {
    let now = call.service.clock.now();
    if call.service.probes.take(&call.target.app, now) {
        // A point read that finds nothing.
        let (app, no_user) = (&call.target.app, UserId::from(""));
        call.service.store.user_metadata(app, &no_user).await?;
    }
    Ok(())
}

pub(super) fn metrics(call: &Call<'_>) -> HttpResponse {
    with_type(
        call.service.metrics.text().into_bytes(),
        "text/plain; version=0.0.4; charset=utf-8",
    )
}

pub(super) async fn api_version(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let app = call.app_on_public_tenant().await?;
    let max = app.config.max_cdi;
    let versions: Vec<_> = SUPPORTED
        .iter()
        .filter(|version| **version <= max)
        .map(ToString::to_string)
        .collect();
    json(&value!({ "versions": versions }))
}
