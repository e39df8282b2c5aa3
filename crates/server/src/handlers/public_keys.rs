//! Support for SDKs from before key sets: public keys in responses, and the handshake.

use serde::Serialize;
use serde_json::json as value;
use supersession::store::KeyKind;
use supersession::{UnixMillis, engine};

use crate::call::Call;
use crate::registry::App;
use crate::response::{ErrorResponse, HttpResponse, json};

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublicKeys {
    jwt_signing_public_key: String,
    jwt_signing_public_key_expiry_time: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt_signing_public_key_list: Option<Vec<PublicKey>>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicKey {
    public_key: String,
    expiry_time: UnixMillis,
    created_at: UnixMillis,
}

impl PublicKey {
    /// SDKs drop a key at its `expiryTime`, so this is the expiry of the last token that the key
    /// signed.
    fn new(key: &engine::PublicKey) -> Self {
        Self {
            public_key: key.public_key.clone(),
            expiry_time: key.verifies_until,
            created_at: key.created_at,
        }
    }
}

impl PublicKeys {
    /// Returns the public keys if responses of this CDI version contain them.
    pub(super) async fn for_response(
        call: &Call<'_>,
        app: &App,
    ) -> Result<Option<Self>, ErrorResponse> {
        if !call.cdi.is_before_key_sets() {
            return Ok(None);
        }
        let kind = app.config.signing_key;
        let mut keys = call.engine(app).await?.public_keys(kind).await?;
        if kind == KeyKind::Static {
            keys.truncate(1);
        }
        // A new key is listed before it signs (core specification, 4.1).
        let signing = keys.iter().find(|key| key.signs).or(keys.first());
        Ok(signing.map(|signing| Self {
            jwt_signing_public_key: signing.public_key.clone(),
            jwt_signing_public_key_expiry_time: signing.signs_until,
            jwt_signing_public_key_list: call
                .cdi
                .lists_public_keys()
                .then(|| keys.iter().map(PublicKey::new).collect()),
        }))
    }
}

pub(super) async fn handshake(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    if !call.cdi.is_before_key_sets() {
        return Err(ErrorResponse::not_found());
    }
    let app = call.app().await?;
    let keys = PublicKeys::for_response(call, &app).await?;
    let settings = &app.config.engine;
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut answer = value!({
        "status": "OK",
        "accessTokenBlacklistingEnabled": app.config.access_token_blacklisting,
        "accessTokenValidity": millis(settings.access_token_validity),
        "refreshTokenValidity": millis(settings.refresh_token_validity),
    });
    if let (Some(answer), Ok(serde_json::Value::Object(keys))) =
        (answer.as_object_mut(), serde_json::to_value(keys))
    {
        answer.extend(keys);
    }
    json(&answer)
}
