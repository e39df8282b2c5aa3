//! Verification of Supersession's tokens with jsonwebtoken, as an application would write it by
//! hand.

use anyhow::Context as _;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ours::Ours;

/// Typed claims, and the remaining members.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claims {
    pub(crate) sub: String,
    #[expect(dead_code, reason = "an application reads it; here it is only parsed")]
    exp: u64,
    #[expect(dead_code, reason = "as above")]
    session_handle: String,
    #[serde(flatten)]
    #[expect(dead_code, reason = "as above")]
    rest: Map<String, Value>,
}

/// A key and the validation rules.
pub(crate) struct Decoder {
    key: DecodingKey,
    validation: Validation,
}

impl Decoder {
    /// Creates a decoder with the published key of these sessions.
    pub(crate) async fn of(ours: &Ours) -> anyhow::Result<Self> {
        let set = ours.sessions.jwks().await?;
        let key = set.keys.first().context("a key")?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&["https://api.example.com/auth"]);
        validation.set_required_spec_claims(&["exp", "iss"]);
        let key = serde_json::from_value(serde_json::to_value(key)?)?;
        Ok(Self {
            key: DecodingKey::from_jwk(&key)?,
            validation,
        })
    }

    /// Verifies and decodes a token.
    pub(crate) fn decode(&self, token: &str) -> jsonwebtoken::errors::Result<Claims> {
        jsonwebtoken::decode(token, &self.key, &self.validation).map(|data| data.claims)
    }
}
