//! JWTs for the application's own purposes (core specification, 4.5).

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use supersession::SessionError;

use super::{START_SECS, segment};
use crate::support::App;

const MINUTE: Duration = Duration::from_secs(60);

/// Cases: C96, C102.
#[tokio::test]
async fn a_jwt_names_its_key_and_no_version() {
    let app = App::new().await;
    let by_default = app.sessions.create_jwt(json!({}), MINUTE).await.unwrap();
    let dynamic = app
        .sessions
        .create_jwt_with_dynamic_key(json!({}), MINUTE)
        .await
        .unwrap();
    for (jwt, prefix) in [(by_default, "s-"), (dynamic, "d-")] {
        let header = segment(&jwt, 0);
        let kid = header["kid"].as_str().unwrap();
        assert!(kid.starts_with(prefix), "{kid}");
        assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": kid}));
        let set = app.sessions.jwks().await.unwrap();
        let key = set.keys.iter().find(|key| key.kid() == kid).unwrap();
        let key = serde_json::from_value(serde_json::to_value(key).unwrap()).unwrap();
        let key = DecodingKey::from_jwk(&key).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        jsonwebtoken::decode::<Value>(&jwt, &key, &validation).unwrap();
    }
}

/// Cases: C99.
#[tokio::test]
async fn the_validity_of_a_jwt_is_at_least_a_second() {
    let app = App::new().await;
    for short in [Duration::ZERO, Duration::from_millis(999)] {
        let error = app.sessions.create_jwt(json!({}), short).await.unwrap_err();
        assert!(matches!(error, SessionError::BadInput(_)), "{error}");
    }
    let jwt = app
        .sessions
        .create_jwt(json!({}), Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!(segment(&jwt, 1)["exp"], json!(START_SECS + 1));
}

/// Cases: C100, C101.
#[tokio::test]
async fn the_payload_of_a_jwt_goes_on_top_of_issuer_and_times() {
    let app = App::new().await;
    let jwt = app.sessions.create_jwt(json!({}), MINUTE).await.unwrap();
    let times =
        json!({"iss": "https://api.example.com/auth", "iat": START_SECS, "exp": START_SECS + 60});
    assert_eq!(segment(&jwt, 1), times);

    let payload = json!({
        "iss": "mine", "exp": 7, "o": {"n": null, "a": [1, {"x": [true]}]}, "f": 1.5, "big": 9_007_199_254_740_993_u64,
        "b": false, "null": null, "sub": "alice", "text": "žluťoučký \u{1f980}",
    });
    let jwt = app.sessions.create_jwt(&payload, MINUTE).await.unwrap();
    let mut expected = payload;
    expected["iat"] = json!(START_SECS);
    assert_eq!(segment(&jwt, 1), expected);
}
