//! Maximum lengths of access tokens, so that browsers, servers and proxies accept the cookie or
//! header.

use crate::clock::UnixMillis;
use crate::config::Config;
use crate::cookies::CookieValue;
use crate::error::PayloadTooLarge;
use crate::ids::{MAX_USER_ID_LENGTH, SessionHandle};
use crate::json::JsonObject;
use crate::telemetry;
use crate::token::access::AccessClaims;
use crate::transport::{SameSite, Transport};
use crate::wire;

/// Longest cookie that every browser keeps: name, value and attributes (RFC 6265, 6.1). Most count
/// the name and the value only.
const MAX_COOKIE_BYTES: usize = 4_096;

/// Longest header field, with its name: the smallest default among common servers and proxies
/// (Apache's `LimitRequestFieldSize`; nginx and others allow 8,192).
const MAX_HEADER_BYTES: usize = 8_190;

/// Longest encoded header of a token, with the id of a static key.
const TOKEN_HEADER_BYTES: usize = 128;
/// Length of the longest encoded signature, that of RS256.
const SIGNATURE_BYTES: usize = 342;
/// Length of a token's own claims without the identifiers in them.
const CLAIMS_BYTES: usize = 260;
/// Length of a session handle before its tenant.
const HANDLE_BYTES: usize = 37;

/// Share of the limit from which a warning is logged.
const WARNING_PERCENT: usize = 75;

impl Config {
    /// Returns the maximum length of an access token that this transport can deliver.
    pub(crate) fn longest_access_token(&self, transport: Transport) -> usize {
        let sent = MAX_HEADER_BYTES.saturating_sub(self.access_token_header.len() + 2);
        let returned =
            MAX_HEADER_BYTES.saturating_sub(wire::AUTHORIZATION_HEADER.len() + ": Bearer ".len());
        let in_header = sent.min(returned);
        match transport {
            Transport::Header => in_header,
            Transport::Cookie => {
                let cookies = &self.cookies;
                let empty = CookieValue::Set {
                    value: "",
                    expires_at: UnixMillis::new(0),
                };
                // `Strict` is the longest value of its attribute.
                let line = cookies.line(
                    &cookies.access.written,
                    &cookies.access_path,
                    cookies.domain.as_deref(),
                    &empty,
                    SameSite::Strict,
                );
                let attributes = if cookies.partitioned {
                    crate::cookies::CookieSettings::partitioned(&line).len()
                } else {
                    line.len()
                };
                MAX_COOKIE_BYTES.saturating_sub(attributes).min(in_header)
            }
        }
    }

    /// Returns the maximum length of an access token after a write without a request: the length
    /// that a cookie can carry, unless configured.
    pub(crate) fn longest_access_token_anywhere(&self) -> usize {
        let by_cookie = || self.longest_access_token(Transport::Cookie);
        self.max_access_token_bytes.unwrap_or_else(by_cookie)
    }
}

/// Length of the identifiers in the claims of a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identifiers(usize);

impl Identifiers {
    pub(crate) fn of(claims: &AccessClaims) -> Self {
        Self(
            claims.user_id.len()
                + claims.recipe_user_id.len()
                + claims.handle.len()
                + claims.tenant_id.len(),
        )
    }

    /// Returns the length for a session that is not created yet.
    pub(crate) fn of_new(user_id: &str, tenant_id: &str) -> Self {
        Self(2 * user_id.len() + HANDLE_BYTES + 2 * tenant_id.len())
    }

    /// Returns the maximum length for a session whose user is unknown.
    pub(crate) fn at_most(handle: &SessionHandle) -> Self {
        Self(2 * MAX_USER_ID_LENGTH + handle.len() + handle.tenant_id().len())
    }
}

/// Returns the maximum length of the payload, without the token's own claims, in an access token of
/// this length.
pub(crate) fn longest_payload(longest_token: usize, identifiers: Identifiers) -> usize {
    let dots = 2;
    let encoded = longest_token.saturating_sub(TOKEN_HEADER_BYTES + SIGNATURE_BYTES + dots);
    (encoded / 4 * 3).saturating_sub(CLAIMS_BYTES + identifiers.0)
}

/// Rejects a payload that is too long to be delivered.
pub(crate) fn check_payload(payload: &JsonObject, limit: usize) -> Result<(), PayloadTooLarge> {
    let bytes = payload.as_str().len();
    if bytes > limit {
        Err(PayloadTooLarge { bytes, limit })
    } else {
        Ok(())
    }
}

/// Logs a warning if a payload is close to its limit.
pub(crate) fn warn_if_large(handle: &SessionHandle, payload: &JsonObject, limit: usize) {
    let bytes = payload.as_str().len();
    if bytes.saturating_mul(100) >= limit.saturating_mul(WARNING_PERCENT) {
        telemetry::payload_large(handle, bytes, limit);
    }
}

/// Returns `true` if a front token fits into its header.
pub(crate) fn fits_front_token(length: usize) -> bool {
    wire::FRONT_TOKEN_HEADER.len() + 2 + length <= MAX_HEADER_BYTES
}
