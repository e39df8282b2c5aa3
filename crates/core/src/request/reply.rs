//! Responses to errors (session specification, 5.5). The only place that maps an error to a status
//! and a body.

use serde_json::json;

use super::RequestSessions;
use crate::error::{Fault, FaultKind, SessionError};
use crate::http::Reply;
use crate::telemetry;
use crate::wire;

impl RequestSessions {
    /// Returns the response to an error, as customized by the application. Also plans the cookies
    /// to clear, and logs the error.
    #[must_use]
    pub fn answer(&self, error: &SessionError) -> Reply {
        telemetry::request_failed(error);
        if matches!(error, SessionError::TryRefreshToken(_))
            && let sightings = self.sessions().sightings()
            && let Some(finding) = sightings.note_asked_to_refresh(self.config())
        {
            telemetry::found(&finding);
        }
        if error.clears_tokens() {
            // A handler can end a session although the request was never read.
            let presented = self.presented().ok();
            let site = presented.and_then(|presented| presented.site().ok());
            let same_site =
                site.map_or_else(|| self.config().likely_same_site(), |site| site.same_site);
            self.effects().plan(|plan| {
                plan.clear_all(same_site);
                if presented.is_some_and(|presented| presented.has_legacy_cookie) {
                    plan.clear_legacy_cookie(same_site);
                }
            });
        }
        let config = self.config();
        let reply = default_reply(
            error,
            config.session_expired_status,
            config.invalid_claim_status,
        );
        let reply = self.redirect(error, reply.status).unwrap_or(reply);
        config.rendered(error, reply)
    }
}

/// Returns the default response to an error.
pub(crate) fn default_reply(
    error: &SessionError,
    expired_status: u16,
    invalid_claim_status: u16,
) -> Reply {
    let message =
        |status: u16, message: &str| Reply::json(status, json!({ "message": message }).to_string());
    match error {
        SessionError::Unauthorised(_) => message(expired_status, wire::MESSAGE_UNAUTHORISED),
        SessionError::TryRefreshToken(_) => {
            message(expired_status, wire::MESSAGE_TRY_REFRESH_TOKEN)
        }
        SessionError::TokenTheftDetected(_) => {
            message(expired_status, wire::MESSAGE_TOKEN_THEFT_DETECTED)
        }
        SessionError::InvalidClaims(failures) => {
            let body = json!({ "message": wire::MESSAGE_INVALID_CLAIM, "claimValidationErrors": failures });
            Reply::json(invalid_claim_status, body.to_string())
        }
        SessionError::ClearDuplicateSessionCookies => message(200, &error.to_string()),
        SessionError::DuplicateSessionCookies => message(500, &error.to_string()),
        SessionError::ForeignOrigin => message(403, wire::MESSAGE_FOREIGN_ORIGIN),
        SessionError::PayloadTooLarge(error) => message(400, &error.to_string()),
        SessionError::BadInput(text) => message(400, text),
        SessionError::Refused(refusal) => refusal.reply(),
        SessionError::Fault(fault) => match fault.kind() {
            FaultKind::Unavailable => {
                message(503, "service unavailable").with_header("retry-after", "1")
            }
            FaultKind::Internal | FaultKind::Misuse => message(500, "internal server error"),
            FaultKind::MissingLayer => message(500, &fault.to_string()),
        },
    }
}

impl SessionError {
    /// Returns the response of an adapter's guards and extractors if the required layer is missing.
    /// Logs it at once, because no layer does.
    #[must_use]
    pub fn missing_layer(layer: &str, fix: &str) -> Self {
        let message = format!("{layer} is missing from this route. Fix: {fix}");
        let error = Self::Fault(Fault::new(FaultKind::MissingLayer, message));
        telemetry::request_failed(&error);
        error
    }

    /// Returns the default response to this error with the default statuses, for use without a
    /// layer.
    #[must_use]
    pub fn default_reply(&self) -> Reply {
        default_reply(self, 401, 403)
    }
}
