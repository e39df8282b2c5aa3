//! The front token: what the browser SDK may know of the access token (session specification,
//! section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::clock::UnixMillis;
use crate::secret::FrontToken;
use crate::token::access::AccessClaims;

/// Describes an access token: standard padded base64, so that a browser's `atob` reads it.
pub(crate) fn mint(claims: &AccessClaims) -> FrontToken {
    #[derive(Serialize)]
    struct Content<'a> {
        uid: &'a str,
        /// Milliseconds, unlike `exp`.
        ate: u64,
        up: &'a crate::json::JsonObject,
    }
    let front = Content {
        uid: &claims.user_id,
        ate: UnixMillis::from(claims.expires_at).get(),
        up: &claims.payload,
    };
    FrontToken::new(STANDARD.encode(serde_json::to_vec(&front).unwrap_or_default()))
}
