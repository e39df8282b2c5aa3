//! Negotiation of the capabilities of a host: the CDI version, and the support for the document
//! extension.

use http::StatusCode;
use supersession::wire;
use tokio::time::Instant;

use crate::call::Call;
use crate::call_error::{AttemptError, misuse};
use crate::cdi::{Capabilities, Versions};
use crate::host_error::HostError;
use crate::hosts::Host;
use crate::http_client::Response;
use crate::sender::{Sender, UNKNOWN_APP_OR_TENANT};

/// Returns the capabilities of this host, which are negotiated if they are not known. Concurrent
/// callers share one negotiation.
pub(crate) async fn capabilities(
    sender: &Sender,
    host: &Host,
    until: Instant,
) -> Result<Capabilities, AttemptError> {
    if let Some(capabilities) = host.capabilities() {
        return Ok(capabilities);
    }
    let _one_at_a_time = tokio::time::timeout_at(until, host.negotiating.lock())
        .await
        .map_err(|_| not_sent(HostError::TimedOut))?;
    if let Some(capabilities) = host.capabilities() {
        return Ok(capabilities);
    }
    negotiate(sender, host, until)
        .await
        .map_err(|error| match error {
            AttemptError::NextHost(error) => not_sent(error),
            other => other,
        })
}

async fn negotiate(
    sender: &Sender,
    host: &Host,
    until: Instant,
) -> Result<Capabilities, AttemptError> {
    let call = Call::get("/apiversion");
    let response = sender
        .send(host, &call, None, until)
        .await
        .map_err(AttemptError::NextHost)?;
    sender.check_status(host, &call, &response)?;
    let versions: Versions = serde_json::from_slice(&response.body)
        .map_err(|_| AttemptError::NextHost(response.unreadable()))?;
    let cdi = versions.common().ok_or_else(|| {
        AttemptError::Stop(
            misuse(format!(
                "the core at {host} supports no version of the core driver interface from 3.0 to 5.6, only {}. Fix: upgrade the core, or this crate if the core is newer; check the core's `supertokens_max_cdi_version` and `supertokens_min_cdi_version`",
                versions.offered()
            ))
            .into(),
        )
    })?;
    let mut capabilities = Capabilities {
        cdi,
        documents: false,
    };
    let call = Call::get(wire::DOCUMENT_PATH);
    let response = sender
        .send(host, &call, Some(capabilities), until)
        .await
        .map_err(AttemptError::NextHost)?;
    // This is also the first call with the API key. `/apiversion` does not need one.
    capabilities.documents = match sender.check_status(host, &call, &response) {
        Ok(()) => true,
        // Other cores do not have this endpoint.
        Err(AttemptError::Stop(_)) if !rejects_any_request(&response) => false,
        Err(error) => return Err(error),
    };
    host.set_capabilities(Some(capabilities));
    tracing::debug!(target: "supersession", %host, cdi = cdi.name, documents = capabilities.documents, "negotiated the capabilities of a core");
    Ok(capabilities)
}

/// Returns `true` if the response rejects the client for any request.
fn rejects_any_request(response: &Response) -> bool {
    matches!(
        response.status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    ) || response.contains(UNKNOWN_APP_OR_TENANT)
}

/// Marks a failure of the negotiation. The call itself was not sent.
fn not_sent(error: HostError) -> AttemptError {
    AttemptError::NextHost(error.during_negotiation())
}
