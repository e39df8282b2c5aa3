//! Creating sessions: responses by version, formats of tokens, validation.

use serde_json::{Value, json};
use supersession_testkit::Verb;

use crate::support::{
    Core, LEGACY, ROTATION, claims, hash2, header, kid, members, new_session, without,
};

const CREATE: &str = "POST /recipe/session";

#[tokio::test]
async fn a_new_session_is_returned_in_the_format_of_the_version() {
    let core = Core::new().await;
    for (cdi, session) in [
        ("5.6", "handle recipeUserId tenantId userDataInJWT userId"),
        ("4.0", "handle recipeUserId tenantId userDataInJWT userId"),
        ("3.0", "handle tenantId userDataInJWT userId"),
        ("2.21", "handle userDataInJWT userId"),
    ] {
        let made = core.session(cdi).await;
        assert_eq!(members(&made.0["session"]).join(" "), session, "{cdi}");
        assert_eq!(
            members(&made.0),
            ["accessToken", "refreshToken", "session", "status"]
        );
        for token in ["accessToken", "refreshToken"] {
            assert_eq!(members(&made.0[token]), ["createdTime", "expiry", "token"]);
        }
    }
}

/// Cases: C1, C2.
#[tokio::test]
async fn the_tenant_is_returned_to_versions_that_support_tenants() {
    let core = Core::new().await;
    let made = core.session("4.0").await;
    assert_eq!(made.0["session"]["tenantId"], "public");
    assert!(made.0.get("antiCsrfToken").is_none());
    let older = core.session("3.0").await;
    assert!(older.0["session"].get("recipeUserId").is_none());
    let oldest = core.session("2.21").await;
    assert!(oldest.0["session"].get("tenantId").is_none());
    assert!(oldest.0["session"].get("recipeUserId").is_none());
}

/// Cases: C3.
#[tokio::test]
async fn the_anti_csrf_token_is_the_one_in_the_access_token() {
    let core = Core::new().await;
    let made = core
        .session_with(LEGACY, json!({ "enableAntiCsrf": true }))
        .await;
    let token = made.0["antiCsrfToken"].as_str().unwrap();
    assert_eq!(claims(made.access())["antiCsrfToken"], token);
}

/// Cases: C4.
#[tokio::test]
async fn the_kind_of_key_can_be_chosen() {
    let core = Core::new().await;
    for cdi in ["2.21", LEGACY, ROTATION] {
        let made = core
            .session_with(cdi, json!({ "useDynamicSigningKey": false }))
            .await;
        let id = kid(made.access());
        assert!(uuid::Uuid::parse_str(id.strip_prefix("s-").unwrap()).is_ok());
        for fields in [json!({}), json!({ "useDynamicSigningKey": true })] {
            let id = kid(core.session_with(cdi, fields).await.access());
            assert!(id.strip_prefix("d-").unwrap().parse::<u64>().is_ok());
        }
    }
}

/// Cases: C5.
#[tokio::test]
async fn the_access_token_has_the_format_of_the_version() {
    let core = Core::new().await;
    for (cdi, version, tenant, recipe_user) in [
        (ROTATION, "5", true, true),
        ("4.0", "5", true, true),
        ("3.1", "4", true, false),
        ("3.0", "4", true, false),
        ("2.21", "3", false, false),
    ] {
        let made = core.session(cdi).await;
        assert_eq!(header(made.access())["version"], version, "{cdi}");
        let says = claims(made.access());
        let has = |name| says.get(name).is_some();
        assert_eq!((has("tId"), has("rsub")), (tenant, recipe_user), "{cdi}");
    }
    let oldest = core
        .session_with("2.9", json!({ "userDataInJWT": { "a": 1 } }))
        .await;
    let first = oldest.access().split('.').next().unwrap();
    assert_eq!(
        first,
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIyIn0="
    );
    assert_eq!(claims(oldest.access())["userData"], json!({ "a": 1 }));
}

/// Cases: C6.
#[tokio::test]
async fn null_in_the_payload_is_kept() {
    let core = Core::new().await;
    for cdi in ["2.9", "2.21", LEGACY, ROTATION] {
        let made = core
            .session_with(cdi, json!({ "userDataInJWT": { "nothing": null, "n": 1 } }))
            .await;
        let payload = json!({ "nothing": null, "n": 1 });
        assert_eq!(made.0["session"]["userDataInJWT"], payload);
        let verified = core.verify(cdi, made.access(), false).await;
        assert_eq!(verified["session"]["userDataInJWT"], payload);
    }
}

/// Cases: C7, C8, C9.
#[tokio::test]
async fn protected_members_depend_on_the_token_version() {
    let core = Core::new().await;
    let with = |name: &str| new_session(&json!({ "userDataInJWT": { name: "x" } }));
    for cdi in ["2.21", "3.0", LEGACY, ROTATION] {
        let text = "The user payload contains protected field";
        core.refused(CREATE, cdi, with("sub"), 400, text).await;
    }
    assert_eq!(core.store.count(Verb::InsertSession), 0);
    let recipe_user = core.session_with("3.0", json!({ "userDataInJWT": { "rsub": "x" } }));
    let recipe_user = recipe_user.await;
    assert_eq!(claims(recipe_user.access())["rsub"], "x");
    let subject = core.session_with("2.18", json!({ "userDataInJWT": { "sub": "x" } }));
    assert_eq!(claims(subject.await.access())["userData"]["sub"], "x");
}

/// Cases: C10.
#[tokio::test]
async fn an_empty_user_id_is_valid() {
    let core = Core::new().await;
    let made = core.session_with(LEGACY, json!({ "userId": "" })).await;
    assert_eq!(made.0["session"]["userId"], "");
}

/// Cases: C11, C20.
#[tokio::test]
async fn fields_are_validated_in_order() {
    let core = Core::new().await;
    let invalid = |field: &str| format!("Field name '{field}' is invalid in JSON input");
    let mut body = json!({});
    for (field, wrong, right) in [
        ("userId", json!(1), json!("u")),
        ("enableAntiCsrf", json!("false"), json!(false)),
        ("userDataInJWT", json!("{}"), json!({})),
        ("userDataInDatabase", json!([]), json!({})),
    ] {
        core.refused(CREATE, LEGACY, body.clone(), 400, &invalid(field))
            .await;
        for wrong in [wrong, Value::Null] {
            body[field] = wrong;
            core.refused(CREATE, LEGACY, body.clone(), 400, &invalid(field))
                .await;
        }
        body[field] = right;
    }
    body["useDynamicSigningKey"] = json!("true");
    core.refused(CREATE, LEGACY, body, 400, &invalid("useDynamicSigningKey"))
        .await;
    assert_eq!(core.store.count(Verb::InsertSession), 0);
}

/// Cases: C12.
#[tokio::test]
async fn a_body_must_be_an_object() {
    let core = Core::new().await;
    core.refused(CREATE, LEGACY, Value::Null, 400, "Invalid Json Input")
        .await;
    for body in [json!([]), json!("x"), json!(1)] {
        core.refused(CREATE, LEGACY, body, 400, "Invalid Json Input")
            .await;
    }
}

/// Cases: C13, C14.
#[tokio::test]
async fn a_session_belongs_to_the_tenant_in_the_path() {
    let core = Core::new().await;
    core.tenant("t1").await;
    let made = core.ok("POST /t1/recipe/session", LEGACY, new_session(&json!({})));
    let made = made.await;
    let session = &made["session"];
    assert!(session["handle"].as_str().unwrap().ends_with("_t1"));
    assert_eq!(session["tenantId"], "t1");
    let token = made["accessToken"]["token"].as_str().unwrap();
    assert_eq!(claims(token)["tId"], "t1");
    let ghost = core
        .call(
            "POST /ghost/recipe/session",
            LEGACY,
            &new_session(&json!({})),
        )
        .await;
    assert_eq!(ghost.status, 400);
    assert_eq!(
        ghost.text,
        "AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId combination not found: (, public, ghost)\n"
    );
}

/// Cases: C15, C16.
#[tokio::test]
async fn the_stored_row_matches_the_refresh_token() {
    let core =
        Core::with(json!({ "access_token_validity": 100, "refresh_token_validity": 1.5 })).await;
    let made = core.session(ROTATION).await;
    let row = core.row(made.handle()).await.unwrap();
    assert!(row.lineage.current == hash2(made.refresh()));
    assert!(row.lineage.previous.is_none());
    let path = format!("/recipe/session?sessionHandle={}", made.handle());
    let known = core.get(&path, ROTATION).await;
    let span = |answer: &Value, from: &str| {
        answer["expiry"].as_u64().unwrap() - answer[from].as_u64().unwrap()
    };
    assert_eq!(span(&known, "timeCreated"), 90_000);
    assert_eq!(
        span(&made.0["accessToken"], "createdTime"),
        90_000,
        "bounded by the session"
    );
    let core = Core::with(json!({ "access_token_validity": 100 })).await;
    let made = core.session(ROTATION).await;
    assert_eq!(span(&made.0["accessToken"], "createdTime"), 100_000);
    let core = Core::with(json!({
        "access_token_validity": 1000, "access_token_validity_jitter": 0.25,
    }));
    let core = core.await;
    for _ in 0..20 {
        let made = core.session(ROTATION).await;
        let span = span(&made.0["accessToken"], "createdTime");
        assert!((749_000..=1_000_000).contains(&span), "{span}");
    }
}

/// Cases: C17, C18, C19.
#[tokio::test]
async fn a_request_may_shorten_the_validity() {
    let core =
        Core::with(json!({ "access_token_validity": 100, "access_token_validity_jitter": 0.25 }))
            .await;
    let span =
        |token: &Value| token["expiry"].as_u64().unwrap() - token["createdTime"].as_u64().unwrap();
    for asked in [7_000, 100_000] {
        let made = core
            .session_with(ROTATION, json!({ "accessTokenValidity": asked }))
            .await;
        assert_eq!(span(&made.0["accessToken"]), asked);
        assert_eq!(span(&made.0["refreshToken"]), 144_000 * 60_000);
    }
    for asked in [0, -1, 100_001] {
        let body = new_session(&json!({ "accessTokenValidity": asked }));
        let text = "accessTokenValidity must be greater than 0 and at most the configured access_token_validity (100000 ms)";
        core.refused(CREATE, ROTATION, body, 400, text).await;
    }
    for ignored in [json!(0), json!("x")] {
        let made = core.session_with(LEGACY, json!({ "accessTokenValidity": ignored }));
        assert!(span(&made.await.0["accessToken"]) >= 74_000);
    }
}

#[tokio::test]
async fn a_user_id_that_no_store_accepts_is_rejected() {
    let core = Core::new().await;
    for id in ["x".repeat(129), "a\0b".to_owned()] {
        let reply = core
            .call(CREATE, LEGACY, &new_session(&json!({ "userId": id })))
            .await;
        assert_eq!(reply.status, 400, "{}", reply.text);
    }
    let longest = core.session_with(LEGACY, json!({ "userId": "ü".repeat(128) }));
    longest.await;
    let missing = without(&new_session(&json!({})), "userId");
    assert_eq!(core.call(CREATE, LEGACY, &missing).await.status, 400);
}

/// The rule is the same for all stores.
#[tokio::test]
async fn documents_with_a_null_character_are_rejected_everywhere() {
    let core = Core::new().await;
    let made = core.session(ROTATION).await;
    let handle = made.handle();
    let bad = json!({ "a": [{ "b": "x\0" }] });
    let mut session = new_session(&json!({}));
    session["userDataInDatabase"] = bad.clone();
    let mut payload = new_session(&json!({}));
    payload["userDataInJWT"] = bad.clone();
    for (call, body) in [
        ("POST /recipe/session", session),
        ("POST /recipe/session", payload),
        (
            "PUT /recipe/session/data",
            json!({ "sessionHandle": handle, "userDataInDatabase": bad }),
        ),
        (
            "PUT /recipe/jwt/data",
            json!({ "sessionHandle": handle, "userDataInJWT": bad }),
        ),
        (
            "PUT /recipe/user/metadata",
            json!({ "userId": "u", "metadataUpdate": bad }),
        ),
        (
            "POST /supersession/document",
            json!({ "sessionHandle": handle, "document": "sessionData", "write": "merge", "body": bad }),
        ),
        (
            "POST /supersession/document",
            json!({ "userId": "u", "write": "overwrite", "body": bad }),
        ),
    ] {
        let reply = core.call(call, ROTATION, &body).await;
        assert_eq!(reply.status, 400, "{call}: {}", reply.text);
        assert!(reply.text.contains("U+0000"), "{}", reply.text);
    }
}
