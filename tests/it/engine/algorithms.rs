//! Access tokens that are signed with something else than RS256.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use supersession::SigningAlgorithm;

use super::keys::{HOUR, MINUTE};
use super::segment;
use crate::support::{App, Req};

async fn app_with(algorithm: SigningAlgorithm) -> App {
    let app = App::with(|builder| {
        builder
            .signing_key_update_interval(HOUR)
            .access_token_validity(10 * MINUTE)
    })
    .await;
    app.restarted_with(|builder| {
        builder
            .signing_key_update_interval(HOUR)
            .access_token_validity(10 * MINUTE)
            .access_token_signing_algorithm(algorithm)
    })
    .await
}

#[tokio::test]
async fn a_new_algorithm_applies_from_the_next_key_and_old_tokens_stay_valid() {
    for (algorithm, name, jwt_algorithm) in [
        (SigningAlgorithm::Es256, "ES256", Algorithm::ES256),
        (SigningAlgorithm::EdDsa, "EdDSA", Algorithm::EdDSA),
    ] {
        let app = app_with(algorithm).await;
        let old = app.login("alice").await;
        assert_eq!(segment(&old.access, 0)["alg"], json!("RS256"));

        app.advance(HOUR - MINUTE);
        let at_the_end = app.login("alice").await;
        app.advance(2 * MINUTE);
        let new = app.login("alice").await;
        let header = segment(&new.access, 0);
        assert_eq!(header["alg"], json!(name));
        for tokens in [&at_the_end, &new] {
            // Twice, since the second look-up is another one.
            for _ in 0..2 {
                let answer = app.send(Req::get("/verify").access_cookie(tokens)).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
        let refreshed = app
            .send(Req::post("/auth/session/refresh").refresh_cookie(&at_the_end))
            .await
            .tokens();
        assert_eq!(segment(&refreshed.access, 0)["alg"], json!(name));

        let set = app.sessions.jwks().await.unwrap();
        let key = set.keys.iter().find(|key| header["kid"] == key.kid());
        let jwk = serde_json::from_value(serde_json::to_value(key.unwrap()).unwrap()).unwrap();
        let mut validation = Validation::new(jwt_algorithm);
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        jsonwebtoken::decode::<Value>(&new.access, &key, &validation).unwrap();
    }
}

#[tokio::test]
async fn the_static_key_stays_rsa() {
    let app = app_with(SigningAlgorithm::EdDsa).await;
    let jwt = app.sessions.create_jwt(json!({}), MINUTE).await.unwrap();
    assert_eq!(segment(&jwt, 0)["alg"], json!("RS256"));
}

#[tokio::test]
async fn an_algorithm_for_a_key_that_is_not_used_is_a_mistake() {
    let error = supersession::Sessions::builder(supersession::store::MemoryStore::new())
        .api_domain("https://api.example.com")
        .website_domain("https://example.com")
        .use_dynamic_access_token_signing_key(false)
        .access_token_signing_algorithm(SigningAlgorithm::Es256)
        .build()
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("access_token_signing_algorithm"), "{text}");
}
