//! The front token: the part of an access token that the browser SDK can read (sessions 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::clock::{UnixMillis, UnixSeconds};
use crate::ids::UserId;
use crate::json::JsonObject;
use crate::secret::FrontToken;

/// Mints the front token of an access token. The encoding is standard padded base64, which the
/// browser's `atob` decodes.
pub(crate) fn mint(user_id: &UserId, expires_at: UnixSeconds, payload: &JsonObject) -> FrontToken {
    #[derive(Serialize)]
    struct Content<'a> {
        uid: &'a str,
        /// Expiry in milliseconds; the JWT's `exp` is in seconds.
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
