//! The front token: what the browser SDK may know of the access token (session specification,
//! section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::clock::{UnixMillis, UnixSeconds};
use crate::ids::UserId;
use crate::json::JsonObject;
use crate::secret::FrontToken;

/// Describes an access token: standard padded base64, so that a browser's `atob` reads it.
pub(crate) fn mint(user_id: &UserId, expires_at: UnixSeconds, payload: &JsonObject) -> FrontToken {
    #[derive(Serialize)]
    struct Content<'a> {
        uid: &'a str,
        /// Milliseconds, unlike `exp`.
        ate: u64,
        up: &'a JsonObject,
    }
    let front = Content {
        uid: user_id,
        ate: UnixMillis::from(expires_at).get(),
        up: payload,
    };
    FrontToken::new(STANDARD.encode(serde_json::to_vec(&front).unwrap_or_default()))
}
