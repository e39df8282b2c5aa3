//! Events and metrics for the operator, and their names.
//!
//! Events go to [`tracing`] under the target `supersession`. With the feature `metrics`, each event
//! also increments a counter of the same name through the [`metrics`](https://docs.rs/metrics)
//! facade. Events contain ids and never tokens.
//!
//! | event and counter | level | fields |
//! | --- | --- | --- |
//! | `supersession.session.created` | INFO | `handle`, `user_id`, `tenant_id` |
//! | `supersession.session.refreshed` | INFO | `handle`, `user_id` |
//! | `supersession.session.revoked` | INFO | `count` |
//! | `supersession.session.stolen` | WARN | `handle`, `user_id`, `class` |
//! | `supersession.session.signed_out` | INFO | `handle`, `user_id` |
//! | `supersession.request.rejected` | DEBUG | `kind`, `reason` |
//! | `supersession.request.fault` | ERROR | `kind`, `error` (with all causes) |
//! | `supersession.payload.large` | WARN | `handle`, `bytes`, `limit` |
//! | `supersession.feed.lost` | WARN | |
//! | `supersession.feed.restored` | INFO | |
//! | `supersession.doctor.finding` | WARN | `subject`, `problem`, `fix` |
//! | `supersession.cleanup.done` | DEBUG | `sessions`, `keys` |
//!
//! Spans, target `supersession`, level DEBUG: `verify_session`, `refresh_session`,
//! `create_session`.

use crate::error::{Fault, SessionError, TokenTheft};
use crate::findings::Finding;
use crate::hooks::SessionEvent;
use crate::ids::SessionHandle;
use crate::token::access::AccessClaims;

macro_rules! emit {
    ($level:ident, $name:literal, by $count:expr, { $($field:tt)* }) => {{
        tracing::event!(name: $name, target: "supersession", tracing::Level::$level, $($field)*);
        #[cfg(feature = "metrics")]
        metrics::counter!($name).increment($count);
    }};
    ($level:ident, $name:literal, { $($field:tt)* }) => {
        emit!($level, $name, by 1, { $($field)* })
    };
}

pub(crate) fn session_created(claims: &AccessClaims) {
    emit!(INFO, "supersession.session.created", {
        handle = %claims.handle, user_id = %claims.user_id, tenant_id = %claims.tenant_id, "session created"
    });
}

pub(crate) fn session_refreshed(claims: &AccessClaims) {
    emit!(INFO, "supersession.session.refreshed", {
        handle = %claims.handle, user_id = %claims.user_id, "session refreshed"
    });
}

pub(crate) fn sessions_revoked(count: usize) {
    if count > 0 {
        emit!(INFO, "supersession.session.revoked", by count as u64, { count, "sessions revoked" });
    }
}

pub(crate) fn session_stolen(theft: &TokenTheft) {
    emit!(WARN, "supersession.session.stolen", {
        handle = %theft.handle, user_id = %theft.user_id, class = theft.class.as_str(),
        "a refresh token was used again; the session is revoked"
    });
}

pub(crate) fn signed_out(event: &SessionEvent) {
    emit!(INFO, "supersession.session.signed_out", {
        handle = %event.handle, user_id = %event.user_id, "signed out"
    });
}

/// Emits one event for each request that is answered with an error.
pub(crate) fn request_failed(error: &SessionError) {
    let kind = match error {
        SessionError::Fault(fault) => return fault_met(fault),
        // For the operator to repair, by a setting.
        SessionError::DuplicateSessionCookies => {
            emit!(ERROR, "supersession.request.fault", {
                kind = "DuplicateSessionCookies", error = %error, "session fault"
            });
            return;
        }
        SessionError::Unauthorised(_) => "unauthorised",
        SessionError::TryRefreshToken(_) => "try_refresh_token",
        SessionError::TokenTheftDetected(_) => "token_theft_detected",
        SessionError::InvalidClaims(_) => "invalid_claims",
        SessionError::ClearDuplicateSessionCookies => "clear_duplicate_session_cookies",
        // For the developer: the application puts too much into the payload.
        SessionError::PayloadTooLarge(_) => {
            emit!(ERROR, "supersession.request.fault", {
                kind = "PayloadTooLarge", error = %error, "session fault"
            });
            return;
        }
        SessionError::ForeignOrigin => "foreign_origin",
        SessionError::BadInput(_) => "bad_input",
        SessionError::Refused(_) => "refused",
    };
    emit!(DEBUG, "supersession.request.rejected", { kind, reason = %error, "request rejected" });
}

pub(crate) fn fault_met(fault: &Fault) {
    emit!(ERROR, "supersession.request.fault", { kind = ?fault.kind(), error = fault.report(), "session fault" });
}

/// A payload is close to the longest one that can be delivered.
pub(crate) fn payload_large(handle: &SessionHandle, bytes: usize, limit: usize) {
    emit!(WARN, "supersession.payload.large", {
        %handle, bytes, limit,
        "the access token payload is close to the longest that can be delivered; keep long values in the session data"
    });
}

pub(crate) fn feed_lost() {
    emit!(WARN, "supersession.feed.lost", {
        "the store's revocation feed is lost; guards ask the store until it is back"
    });
}

pub(crate) fn feed_restored() {
    emit!(INFO, "supersession.feed.restored", {
        "the store's revocation feed is back"
    });
}

/// Emits a finding of the doctor at start-up.
pub(crate) fn found(finding: &Finding) {
    let Finding {
        subject,
        problem,
        fix,
        ..
    } = finding;
    emit!(WARN, "supersession.doctor.finding", {
        subject, problem, fix, "the session configuration looks wrong"
    });
}

pub(crate) fn cleanup_done(sessions: u64, keys: u64) {
    emit!(DEBUG, "supersession.cleanup.done", by sessions, { sessions, keys, "expired sessions deleted" });
}
