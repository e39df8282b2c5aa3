//! Session data, payload, information, and regenerated access tokens.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Core, LEGACY, ROTATION, claims, members, new_session};

const UNKNOWN: &str = "Session does not exist.";

fn gone() -> Value {
    json!({ "status": "UNAUTHORISED", "message": UNKNOWN })
}

/// Cases: C103.
#[tokio::test]
async fn session_data_is_replaced_as_a_whole() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    for data in [json!({ "a": 1 }), json!({ "b": { "c": null } })] {
        let body = json!({ "sessionHandle": made.handle(), "userDataInDatabase": data });
        let answer = core.ok("PUT /recipe/session/data", LEGACY, body).await;
        assert_eq!(answer, json!({ "status": "OK" }));
        let query = format!("sessionHandle={}", made.handle());
        let known = core.get(&format!("/recipe/session?{query}"), LEGACY).await;
        assert_eq!(known["userDataInDatabase"], data);
        let older = core
            .get(&format!("/recipe/session/data?{query}"), LEGACY)
            .await;
        assert_eq!(older, json!({ "status": "OK", "userDataInDatabase": data }));
    }
}

#[tokio::test]
async fn information_has_the_format_of_the_version() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    let path = format!("/recipe/session?sessionHandle={}", made.handle());
    for (cdi, count) in [
        ("2.8", 7),
        ("2.21", 7),
        ("3.0", 8),
        ("4.0", 9),
        (ROTATION, 9),
    ] {
        let known = core.get(&path, cdi).await;
        assert_eq!(members(&known).len(), count, "{cdi}: {known}");
    }
}

/// Cases: C104, C105.
#[tokio::test]
async fn a_revoked_or_expired_session_is_unknown() {
    let core =
        Core::with(json!({ "refresh_token_validity": 1, "access_token_validity": 10 })).await;
    let made = core.session(LEGACY).await;
    core.advance(Duration::from_secs(60));
    for handle in ["unknown", made.handle(), "\0", &"x".repeat(300)] {
        let data = json!({ "sessionHandle": handle, "userDataInDatabase": {} });
        assert_eq!(
            core.ok("PUT /recipe/session/data", LEGACY, data).await,
            gone()
        );
        let payload = json!({ "sessionHandle": handle, "userDataInJWT": {} });
        assert_eq!(
            core.ok("PUT /recipe/jwt/data", LEGACY, payload).await,
            gone()
        );
        let query = format!("sessionHandle={}", handle.replace('\0', "%00"));
        for path in [
            "/recipe/session",
            "/recipe/session/data",
            "/recipe/jwt/data",
        ] {
            assert_eq!(core.get(&format!("{path}?{query}"), LEGACY).await, gone());
        }
    }
    let listed = core.get("/recipe/session/user?userId=u", LEGACY).await;
    assert_eq!(listed["sessionHandles"], json!([]));
}

/// Cases: C106.
#[tokio::test]
async fn a_query_requires_its_field() {
    let core = Core::new().await;
    let text = "Field name 'sessionHandle' is missing in GET request";
    for path in [
        "/recipe/session",
        "/recipe/session/data",
        "/recipe/jwt/data",
    ] {
        core.refused(&format!("GET {path}"), LEGACY, Value::Null, 400, text)
            .await;
        let empty = core.get(&format!("{path}?sessionHandle="), LEGACY).await;
        assert_eq!(empty, gone());
    }
}

/// Cases: C107, C108.
#[tokio::test]
async fn a_replaced_payload_is_in_the_next_token() {
    let core = Core::new().await;
    let made = core
        .session_with(LEGACY, json!({ "userDataInJWT": { "a": 1 } }))
        .await;
    let put = |payload: Value| json!({ "sessionHandle": made.handle(), "userDataInJWT": payload });
    let text = "The user payload contains protected field";
    for cdi in ["2.21", LEGACY] {
        core.refused(
            "PUT /recipe/jwt/data",
            cdi,
            put(json!({ "sub": "x" })),
            400,
            text,
        )
        .await;
    }
    let older = core.ok("PUT /recipe/jwt/data", "2.18", put(json!({ "sub": "x" })));
    assert_eq!(older.await["status"], "OK");
    core.ok("PUT /recipe/jwt/data", LEGACY, put(json!({})))
        .await;
    let query = format!("/recipe/jwt/data?sessionHandle={}", made.handle());
    let stored = core.get(&query, LEGACY).await;
    assert_eq!(stored, json!({ "status": "OK", "userDataInJWT": {} }));
    let next = core.refreshed(LEGACY, made.refresh()).await;
    assert!(claims(next.access()).get("a").is_none());
}

/// Cases: C109.
#[tokio::test]
async fn a_session_is_found_from_any_tenant() {
    let core = Core::new().await;
    core.tenant("t1").await;
    let made = core.ok("POST /t1/recipe/session", LEGACY, new_session(&json!({})));
    let made = made.await;
    let handle = made["session"]["handle"].as_str().unwrap();
    for path in ["", "/public", "/t1"] {
        let path = format!("{path}/recipe/session?sessionHandle={handle}");
        assert_eq!(core.get(&path, LEGACY).await["tenantId"], "t1");
    }
    let ghost = core
        .call(
            "GET /recipe/session?sessionHandle=x_ghost",
            LEGACY,
            &Value::Null,
        )
        .await;
    assert_eq!(ghost.status, 400);
    assert!(ghost.text.starts_with("AppId or tenantId not found => "));
}

/// Cases: C110.
#[tokio::test]
async fn documents_must_be_objects() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    for (path, field) in [
        ("PUT /recipe/session/data", "userDataInDatabase"),
        ("PUT /recipe/jwt/data", "userDataInJWT"),
    ] {
        let text = format!("Field name '{field}' is invalid in JSON input");
        let mut body = json!({ "sessionHandle": made.handle() });
        core.refused(path, LEGACY, body.clone(), 400, &text).await;
        for wrong in [Value::Null, json!("{}"), json!([{}]), json!(1)] {
            body[field] = wrong;
            core.refused(path, LEGACY, body.clone(), 400, &text).await;
        }
    }
}

const RENEW: &str = "POST /recipe/session/regenerate";

/// Cases: C111, C112.
#[tokio::test]
async fn a_regenerated_token_differs_only_in_its_payload() {
    let core = Core::new().await;
    let made = core
        .session_with(LEGACY, json!({ "userDataInJWT": { "a": 1 } }))
        .await;
    let before = core.row(made.handle()).await.unwrap();
    core.advance(Duration::from_secs(7));
    for (payload, expected) in [
        (Some(json!({ "b": 2 })), json!({ "b": 2 })),
        (None, json!({ "b": 2 })),
        (Some(json!({})), json!({})),
    ] {
        let mut body = json!({ "accessToken": made.access() });
        if let Some(payload) = payload {
            body["userDataInJWT"] = payload;
        }
        let answer = core.ok(RENEW, LEGACY, body).await;
        assert_eq!(answer["session"]["userDataInJWT"], expected);
        let (old, new) = (
            claims(made.access()),
            claims(answer["accessToken"]["token"].as_str().unwrap()),
        );
        for same in [
            "exp",
            "refreshTokenHash1",
            "parentRefreshTokenHash1",
            "sub",
            "sessionHandle",
        ] {
            assert_eq!(new[same], old[same]);
        }
        assert_eq!(new["iat"].as_u64(), old["iat"].as_u64().map(|at| at + 7));
        let row = core.row(made.handle()).await.unwrap();
        assert_eq!(row.payload.as_str(), expected.to_string());
        assert_eq!(row.lineage, before.lineage);
    }
}

/// Cases: C113, C114.
#[tokio::test]
async fn no_token_is_minted_for_a_revoked_or_expired_session() {
    let core = Core::with(json!({ "access_token_validity": 5 })).await;
    let made = core.session(LEGACY).await;
    core.advance(Duration::from_secs(5));
    let body = json!({ "accessToken": made.access(), "userDataInJWT": { "b": 2 } });
    let answer = core.ok(RENEW, LEGACY, body.clone()).await;
    assert_eq!(answer["status"], "OK");
    assert!(answer.get("accessToken").is_none());
    let row = core.row(made.handle()).await.unwrap();
    assert_eq!(row.payload.as_str(), r#"{"b":2}"#);
    let remove = json!({ "sessionHandles": [made.handle()] });
    core.ok("POST /recipe/session/remove", LEGACY, remove).await;
    assert_eq!(core.ok(RENEW, LEGACY, body).await, gone());
}

/// Cases: C115.
#[tokio::test]
async fn a_token_of_an_older_key_is_regenerated_with_the_current_key() {
    let core = Core::with(json!({ "access_token_dynamic_signing_key_update_interval": 0.5 })).await;
    let made = core.session(LEGACY).await;
    core.advance(Duration::from_secs(1_800));
    core.session(LEGACY).await;
    core.advance(Duration::from_secs(61));
    let body = json!({ "accessToken": made.access(), "userDataInJWT": {} });
    let answer = core.ok(RENEW, LEGACY, body).await;
    let token = answer["accessToken"]["token"].as_str().unwrap();
    assert_ne!(
        crate::support::kid(token),
        crate::support::kid(made.access())
    );
}

/// Cases: C118.
#[tokio::test]
async fn a_token_is_regenerated_from_any_tenant() {
    let core = Core::new().await;
    core.tenant("t1").await;
    core.tenant("t2").await;
    let made = core.ok("POST /t1/recipe/session", LEGACY, new_session(&json!({})));
    let made = made.await;
    let body = json!({ "accessToken": made["accessToken"]["token"], "userDataInJWT": { "x": 1 } });
    let answer = core
        .ok("POST /t2/recipe/session/regenerate", LEGACY, body)
        .await;
    assert_eq!(answer["session"]["tenantId"], "t1");
    let handle = made["session"]["handle"].as_str().unwrap();
    assert_eq!(
        core.row(handle).await.unwrap().payload.as_str(),
        r#"{"x":1}"#
    );
}
