//! Key sets, and JWTs for the application's own purposes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Core, LEGACY, ROTATION, START, claims, header, kid, members, without};

const SIGN: &str = "POST /recipe/jwt";

fn request() -> Value {
    json!({ "algorithm": "RS256", "jwksDomain": "https://api.example.com", "payload": {}, "validity": 60 })
}

/// Cases: C86, C94, C95.
#[tokio::test]
async fn the_key_set_is_public_and_verifies_tokens() {
    let core = Core::new().await;
    core.app("a1", json!({ "api_keys": "abcdefghijklmnopqrstuvwxyz" }))
        .await;
    let request = http::Request::get("/appid-a1/.well-known/jwks.json");
    let reply = core.send(request.body(Default::default()).unwrap()).await;
    assert_eq!(reply.status, 200);
    let set: Value = serde_json::from_str(&reply.text).unwrap();
    assert_eq!(members(&set), ["keys"]);
    // The HTTP stack of the server omits the body later.
    let request = http::Request::head("/appid-a1/.well-known/jwks.json");
    let head = core.send(request.body(Default::default()).unwrap()).await;
    assert_eq!((head.status, &head.text), (reply.status, &reply.text));
    let kids = set["keys"].as_array().unwrap().iter();
    let kinds: Vec<_> = kids.map(|key| &key["kid"].as_str().unwrap()[..2]).collect();
    assert_eq!(kinds, ["d-", "s-"]);
    let made = core.session(LEGACY).await;
    let set = core.get("/.well-known/jwks.json", LEGACY).await;
    let key = set["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == kid(made.access()).as_str());
    let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.unwrap().clone()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.validate_aud = false;
    let read = jsonwebtoken::decode::<Value>(
        made.access(),
        &jsonwebtoken::DecodingKey::from_jwk(&key).unwrap(),
        &validation,
    );
    assert_eq!(read.unwrap().claims["sub"], "u");
    let older = core.get("/recipe/jwt/jwks", LEGACY).await;
    assert_eq!(members(&older), ["keys", "status"]);
    assert_eq!(older["keys"], set["keys"]);
}

/// Cases: C87, C88, C89.
#[tokio::test]
async fn key_rotation_leaves_no_gap() {
    // An interval of 3.6 seconds, and thus an overlap of 0.72 seconds.
    let core = Core::with(json!({
        "access_token_dynamic_signing_key_update_interval": 0.001, "access_token_validity": 2,
    }));
    let core = core.await;
    let first = kid(core.session(LEGACY).await.access());
    core.advance(Duration::from_millis(2_900));
    let overlapping = kid(core.session(LEGACY).await.access());
    assert_eq!(overlapping, first);
    let keys = core.get("/.well-known/jwks.json", LEGACY).await;
    assert_eq!(keys["keys"].as_array().unwrap().len(), 3);
    core.advance(Duration::from_millis(730));
    assert_ne!(kid(core.session(LEGACY).await.access()), first);

    let hourly = Core::with(json!({ "access_token_dynamic_signing_key_update_interval": 1 })).await;
    let max_age = async || {
        let reply = hourly
            .call("GET /.well-known/jwks.json", LEGACY, &Value::Null)
            .await;
        let value = reply.headers["cache-control"].to_str().unwrap().to_owned();
        let seconds = value.strip_prefix("max-age=").unwrap();
        let seconds = seconds.strip_suffix(", must-revalidate").unwrap();
        seconds.parse::<u64>().unwrap()
    };
    assert_eq!(max_age().await, 3_540);
    hourly.advance(Duration::from_secs(40));
    assert_eq!(max_age().await, 3_500);
}

/// Cases: C96, C100, C101, C102.
#[tokio::test]
async fn a_jwt_contains_the_requested_claims() {
    let core = Core::new().await;
    let mut body = request();
    body["algorithm"] = json!("rs256");
    body["payload"] = json!({ "o": { "n": null }, "a": [1, "x", true], "f": 1.5 });
    let made = core.ok(SIGN, LEGACY, body.clone()).await;
    let token = made["jwt"].as_str().unwrap();
    assert_eq!(members(&header(token)), ["alg", "kid", "typ"]);
    assert!(kid(token).starts_with("s-"));
    let now = START.get() / 1_000;
    assert_eq!(
        claims(token),
        json!({
            "iss": "https://api.example.com", "iat": now, "exp": now + 60,
            "o": { "n": null }, "a": [1, "x", true], "f": 1.5,
        })
    );
    body["payload"] = json!({ "iss": "mine" });
    body["useStaticSigningKey"] = json!(false);
    let made = core.ok(SIGN, LEGACY, body.clone()).await;
    let token = made["jwt"].as_str().unwrap();
    assert_eq!(claims(token)["iss"], "mine");
    assert!(kid(token).starts_with("d-"));
    let older = core.ok(SIGN, "2.18", body).await;
    assert!(kid(older["jwt"].as_str().unwrap()).starts_with("s-"));
}

/// Cases: C97, C98, C99.
#[tokio::test]
async fn invalid_jwt_requests_are_rejected() {
    let core = Core::new().await;
    let mut body = request();
    body["algorithm"] = json!("rs512");
    let answer = core.ok(SIGN, LEGACY, body).await;
    assert_eq!(answer, json!({ "status": "UNSUPPORTED_ALGORITHM_ERROR" }));
    for field in ["algorithm", "jwksDomain", "payload", "validity"] {
        let text = format!("Field name '{field}' is invalid in JSON input");
        core.refused(SIGN, LEGACY, without(&request(), field), 400, &text)
            .await;
    }
    let mut body = request();
    body["payload"] = json!("{}");
    let text = "Field name 'payload' is invalid in JSON input";
    core.refused(SIGN, LEGACY, body, 400, text).await;
    for validity in [0, -1] {
        let mut body = request();
        body["validity"] = json!(validity);
        let text = "validity must be greater than or equal to 0";
        core.refused(SIGN, LEGACY, body, 400, text).await;
    }
}

/// The SDKs' suites create access tokens with the JWT recipe.
#[tokio::test]
async fn a_jwt_with_the_members_of_a_session_token_is_verified_as_one() {
    let core = Core::new().await;
    for (cdi, check_database) in [
        (LEGACY, false),
        (LEGACY, true),
        (ROTATION, false),
        (ROTATION, true),
    ] {
        let made = core.session(cdi).await;
        let mut body = request();
        let mut payload = claims(made.access());
        for name in ["iat", "exp"] {
            payload.as_object_mut().unwrap().remove(name).unwrap();
        }
        body["payload"] = payload;
        body["validity"] = json!(1_234);
        body["useStaticSigningKey"] = json!(false);
        let jwt = core.ok(SIGN, LEGACY, body).await;
        let jwt = jwt["jwt"].as_str().unwrap();
        let live = core.verify(cdi, jwt, check_database).await;
        assert_eq!(live["status"], "OK", "{live}");
        assert_eq!(live["session"]["handle"], made.handle());
        assert_eq!(live["session"]["userId"], "u");
    }
}

/// Verifiers use the address at which they reach the core, which can contain a tenant.
#[tokio::test]
async fn the_key_set_of_the_app_is_returned_for_any_tenant_in_the_path() {
    let core = Core::new().await;
    core.tenant("t1").await;
    let set = core.get("/.well-known/jwks.json", LEGACY).await;
    for tenant in ["public", "t1", "ghost"] {
        let path = format!("/{tenant}/.well-known/jwks.json");
        assert_eq!(core.get(&path, LEGACY).await, set);
    }
    let unknown = core
        .call(
            "GET /appid-ghost/.well-known/jwks.json",
            LEGACY,
            &Value::Null,
        )
        .await;
    assert_eq!(unknown.status, 400);
}
