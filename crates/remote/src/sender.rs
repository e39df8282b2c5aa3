//! Sends a call to one host, and classifies the response by its status.

use http::{HeaderValue, Request, header};
use http_body_util::Full;
use supersession::{AppId, wire};
use tokio::time::Instant;

use crate::call::Call;
use crate::call_error::{AttemptError, CallError, misuse};
use crate::cdi::Capabilities;
use crate::host_error::HostError;
use crate::hosts::Host;
use crate::http_client::{HttpClient, Response};

/// The message of a core that does not have the app or the tenant in the path.
pub(crate) const UNKNOWN_APP_OR_TENANT: &str = "AppId or tenantId not found";

/// The HTTP client with the credentials of the core.
pub(crate) struct Sender {
    pub(crate) http: HttpClient,
    pub(crate) api_key: Option<HeaderValue>,
    pub(crate) app: AppId,
}

impl Sender {
    pub(crate) async fn send(
        &self,
        host: &Host,
        call: &Call,
        capabilities: Option<Capabilities>,
        until: Instant,
    ) -> Result<Response, HostError> {
        let not_sent = |error: http::Error| HostError::NotSent(error.into());
        let uri = host
            .uri(call.tenant.as_ref(), &call.path_and_query())
            .map_err(not_sent)?;
        let mut request = Request::builder().method(call.method.clone()).uri(uri);
        if let (false, Some(key)) = (call.public, &self.api_key) {
            request = request.header(wire::API_KEY_HEADER, key);
        }
        if let Some(capabilities) = capabilities {
            request = request.header(wire::CDI_VERSION_HEADER, capabilities.cdi.name);
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        }
        let body = Full::new(call.body.clone().unwrap_or_default());
        let request = request.body(body).map_err(not_sent)?;
        self.http.send(request, until).await
    }

    /// Classifies a response by its status.
    pub(crate) fn check_status(
        &self,
        host: &Host,
        call: &Call,
        response: &Response,
    ) -> Result<(), AttemptError> {
        let endpoint = call.endpoint;
        let text = match response.status.as_u16() {
            200 => return Ok(()),
            429 => return Err(AttemptError::RateLimited(response.retry_after())),
            status @ 500.. => return Err(AttemptError::NextHost(HostError::ServerError(status))),
            401 if self.api_key.is_none() => format!(
                "the core at {host} requires an API key, and none is configured. Fix: pass one of its `api_keys` to `RemoteCore::api_key`"
            ),
            401 => format!(
                "the core at {host} rejects the API key. Fix: pass one of its `api_keys` to `RemoteCore::api_key`"
            ),
            400 if response.contains(wire::MESSAGE_PROTECTED_FIELD) => {
                return Err(AttemptError::Stop(CallError::ProtectedClaim));
            }
            400 if response.contains(UNKNOWN_APP_OR_TENANT) => {
                if host.capabilities().is_some() {
                    // The app existed when the versions were requested, so the tenant is unknown.
                    return Err(AttemptError::Stop(CallError::UnknownTenant));
                }
                format!(
                    "the core has no app `{}`. Fix: create the app in the core, or correct `RemoteCore::app_id`",
                    self.app
                )
            }
            404 => format!(
                "the core at {host} has no endpoint {endpoint}. Fix: check the URL of the host and its base path, and that SuperTokens' core 5 or later or `supersession-server` runs there"
            ),
            403 => format!(
                "the core at {host} forbids access to {endpoint}. Fix: check its address rules (`ip_allow_regex`, `ip_deny_regex`), and any proxy in front of it"
            ),
            status @ 300..=399 => format!(
                "the core at {host} redirects (status {status}). Fix: configure the URL to which it redirects"
            ),
            status => format!(
                "the core at {host} rejects the request to {endpoint} (status {status}). Fix: check that a SuperTokens-compatible core runs there, and look up the reason in its log"
            ),
        };
        Err(AttemptError::Stop(misuse(text).into()))
    }
}
