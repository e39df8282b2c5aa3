//! Verifying access tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use supersession_testkit::Verb;

use crate::support::{Core, LEGACY, ROTATION, claims, header, members, new_session, without};

const VERIFY: &str = "POST /recipe/session/verify";

fn request(token: &str) -> Value {
    json!({
        "accessToken": token, "doAntiCsrfCheck": false, "enableAntiCsrf": false,
        "checkDatabase": false,
    })
}

/// Cases: C28.
#[tokio::test]
async fn a_valid_token_returns_its_session() {
    let core = Core::new().await;
    for cdi in ["2.21", "3.0", LEGACY, ROTATION] {
        let made = core
            .session_with(cdi, json!({ "userDataInJWT": { "a": [1] } }))
            .await;
        let verified = core.verify(cdi, made.access(), false).await;
        assert_eq!(members(&verified), ["session", "status"]);
        assert_eq!(verified["session"], made.0["session"]);
    }
    assert_eq!(core.store.count(Verb::Session), 0);
}

/// Cases: C29, C30, C31.
#[tokio::test]
async fn an_invalid_token_requires_a_refresh() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    let (_, rest) = made.access().split_once('.').unwrap();
    let with_header = |header: &[u8]| format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
    let with = |change: Value| {
        let mut header = header(made.access());
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                header.as_object_mut().unwrap().remove(name);
            } else {
                header[name] = value.clone();
            }
        }
        with_header(header.to_string().as_bytes())
    };
    let jwt = |text: &str| format!("io.supertokens.session.jwt.JWT$JWTException: {text}");
    for (token, message) in [
        (String::new(), "Invalid JWT"),
        ("asdf".to_owned(), "Invalid JWT"),
        ("a.b".to_owned(), "Invalid JWT"),
        ("a.b.c.d".to_owned(), "Invalid JWT"),
        (format!("???.{rest}"), "Invalid JWT"),
        (with_header(b"\xff\xfe"), "Invalid JWT"),
        (with_header(b"not json"), "Invalid JWT"),
        (with_header(b"1"), "Invalid JWT"),
        (with_header(b"[]"), "Invalid JWT"),
        (with_header(br#"["JWT","RS256","d-1","5"]"#), "Invalid JWT"),
        (with(json!({ "typ": null })), "JWT header missing - typ"),
        (with(json!({ "alg": null })), "JWT header missing - alg"),
        (with(json!({ "kid": null })), "JWT header missing - kid"),
        (with(json!({ "typ": "JWS" })), "JWT header mismatch - typ"),
        (with(json!({ "alg": "none" })), "JWT header mismatch - alg"),
        (with(json!({ "kid": 1 })), "JWT header mismatch - kid"),
        (
            with(json!({ "version": "1" })),
            "JWT header mismatch - version",
        ),
        (
            with(json!({ "version": "2" })),
            "JWT header mismatch - version",
        ),
        (
            with(json!({ "version": "999" })),
            "JWT header mismatch - version",
        ),
        (
            with(json!({ "version": {} })),
            "JWT header mismatch - version",
        ),
        (with(json!({ "version": "4" })), "JWT verification failed"),
    ] {
        let answer = core.verify(LEGACY, &token, false).await;
        let expected = json!({ "status": "TRY_REFRESH_TOKEN", "message": jwt(message) });
        assert_eq!(answer, expected, "{token}");
    }
}

/// Cases: C32.
#[tokio::test]
async fn an_unknown_key_is_looked_up_once() {
    let core = Core::new().await;
    core.app("a1", json!({})).await;
    let other = core.ok(
        "POST /appid-a1/recipe/session",
        LEGACY,
        new_session(&json!({})),
    );
    let other = other.await;
    let token = other["accessToken"]["token"].as_str().unwrap();
    core.session(LEGACY).await;
    core.store.clear_calls();
    let expected = json!({ "status": "TRY_REFRESH_TOKEN", "message": "Key not found" });
    for _ in 0..3 {
        let mut header = header(token);
        header["kid"] = json!("d-1");
        let (_, rest) = token.split_once('.').unwrap();
        let token = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()));
        assert_eq!(core.verify(LEGACY, &token, false).await, expected);
    }
    assert_eq!(core.store.count(Verb::SigningKeys), 1);
}

/// Cases: C33.
#[tokio::test]
async fn an_expired_token_requires_a_refresh() {
    let core = Core::with(json!({ "access_token_validity": 1 })).await;
    let made = core.session(LEGACY).await;
    assert_eq!(
        core.verify(LEGACY, made.access(), false).await["status"],
        "OK"
    );
    core.advance(Duration::from_secs(1));
    let expected = json!({ "status": "TRY_REFRESH_TOKEN", "message": "Access token expired" });
    for cdi in [LEGACY, ROTATION] {
        assert_eq!(core.verify(cdi, made.access(), false).await, expected);
    }
}

/// Cases: C34, C35.
#[tokio::test]
async fn anti_csrf_tokens_must_match_if_checked() {
    let core = Core::new().await;
    let made = core
        .session_with(LEGACY, json!({ "enableAntiCsrf": true }))
        .await;
    let without_any = core.session(LEGACY).await;
    let check = async |token: &str, sent: Option<&str>, checks: bool| {
        let mut body = request(token);
        body["enableAntiCsrf"] = json!(true);
        body["doAntiCsrfCheck"] = json!(checks);
        if let Some(sent) = sent {
            body["antiCsrfToken"] = json!(sent);
        }
        let answer = core.ok(VERIFY, LEGACY, body).await;
        let text = answer.get("message").unwrap_or(&answer["status"]);
        text.as_str().unwrap().to_owned()
    };
    let own = made.0["antiCsrfToken"].as_str().unwrap();
    assert_eq!(check(made.access(), Some(own), true).await, "OK");
    assert_eq!(check(made.access(), None, false).await, "OK");
    for sent in [None, Some("x")] {
        assert_eq!(
            check(made.access(), sent, true).await,
            "anti-csrf check failed"
        );
    }
    assert_eq!(
        check(without_any.access(), Some(own), true).await,
        "Access token does not contain all the information. Maybe the structure has changed?"
    );
}

/// Cases: C36.
#[tokio::test]
async fn a_revoked_session_is_rejected_where_the_database_is_checked() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    let body = json!({ "sessionHandles": [made.handle()] });
    core.ok("POST /recipe/session/remove", LEGACY, body).await;
    for cdi in [LEGACY, ROTATION] {
        let answer = core.verify(cdi, made.access(), true).await;
        let message = "Either the session has ended or has been blacklisted";
        assert_eq!(
            answer,
            json!({ "status": "UNAUTHORISED", "message": message })
        );
        assert_eq!(core.verify(cdi, made.access(), false).await["status"], "OK");
    }
}

/// Cases: C37.
#[tokio::test]
async fn all_fields_are_required() {
    let core = Core::new().await;
    let whole = request("x");
    for cdi in ["2.21", LEGACY, ROTATION] {
        for field in [
            "accessToken",
            "doAntiCsrfCheck",
            "enableAntiCsrf",
            "checkDatabase",
        ] {
            let text = format!("Field name '{field}' is invalid in JSON input");
            core.refused(VERIFY, cdi, without(&whole, field), 400, &text)
                .await;
        }
    }
    let older = without(&whole, "checkDatabase");
    assert_eq!(
        core.ok(VERIFY, "2.20", older).await["status"],
        "TRY_REFRESH_TOKEN"
    );
}

/// Cases: C38, C39.
#[tokio::test]
async fn a_token_is_valid_on_any_tenant_of_its_app_before_5_6() {
    let core = Core::new().await;
    core.tenant("t1").await;
    core.tenant("t2").await;
    let made = core.ok("POST /t1/recipe/session", LEGACY, new_session(&json!({})));
    let made = made.await;
    let body = request(made["accessToken"]["token"].as_str().unwrap());
    for path in ["", "/public", "/t1", "/t2"] {
        let call = format!("POST {path}/recipe/session/verify");
        for cdi in [LEGACY, "5.5"] {
            let verified = core.ok(&call, cdi, body.clone()).await;
            assert_eq!(verified["session"], made["session"]);
        }
    }
    let text = "Only public tenantId can call this app specific API";
    core.refused("POST /t1/recipe/session/verify", ROTATION, body, 403, text)
        .await;
}

/// Cases: C40.
#[tokio::test]
async fn a_token_of_another_app_is_rejected() {
    let core = Core::new().await;
    core.app("a1", json!({})).await;
    let made = core.ok(
        "POST /appid-a1/recipe/session",
        LEGACY,
        new_session(&json!({})),
    );
    let made = made.await;
    let token = made["accessToken"]["token"].as_str().unwrap();
    let answer = core.verify(LEGACY, token, false).await;
    assert_eq!(answer["status"], "TRY_REFRESH_TOKEN");
    let own = core.ok(
        "POST /appid-a1/recipe/session/verify",
        LEGACY,
        request(token),
    );
    assert_eq!(own.await["status"], "OK");
}

/// Cases: C41.
#[tokio::test]
async fn older_versions_get_fewer_fields_of_a_session() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    let verified = core.verify("2.21", made.access(), false).await;
    assert_eq!(
        members(&verified["session"]),
        ["handle", "userDataInJWT", "userId"]
    );
}

/// Cases: C42.
#[tokio::test]
async fn a_payload_member_named_like_a_later_claim_is_kept() {
    let core = Core::new().await;
    let made = core
        .session_with("2.21", json!({ "userDataInJWT": { "tId": "mine" } }))
        .await;
    let verified = core.verify(LEGACY, made.access(), true).await;
    assert_eq!(verified["session"]["tenantId"], "public");
    assert_eq!(
        verified["session"]["userDataInJWT"],
        json!({ "tId": "mine" })
    );
}

/// Cases: C43.
#[tokio::test]
async fn tokens_of_version_2_are_accepted_by_all_versions() {
    let core = Core::new().await;
    let payload = json!({ "sub": "mine", "n": [null] });
    let made = core
        .session_with("2.18", json!({ "userDataInJWT": payload }))
        .await;
    for (cdi, checked) in [
        ("2.18", false),
        (LEGACY, false),
        (LEGACY, true),
        (ROTATION, true),
    ] {
        let verified = core.verify(cdi, made.access(), checked).await;
        assert_eq!(verified["status"], "OK", "{verified}");
        assert_eq!(verified["session"]["userDataInJWT"], payload);
    }
    let (head, rest) = made.access().split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let mut forged = claims(made.access());
    forged["userId"] = json!("another");
    let forged = base64::engine::general_purpose::STANDARD.encode(forged.to_string());
    let answer = core
        .verify(LEGACY, &format!("{head}.{forged}.{signature}"), false)
        .await;
    assert_eq!(answer["status"], "TRY_REFRESH_TOKEN");
}

/// Cases: C44.
#[tokio::test]
async fn a_jwt_for_another_purpose_is_not_a_session() {
    let core = Core::new().await;
    let body = json!({ "algorithm": "RS256", "jwksDomain": "x", "payload": { "sub": "u" }, "validity": 60 });
    let made = core.ok("POST /recipe/jwt", LEGACY, body).await;
    let answer = core
        .verify(LEGACY, made["jwt"].as_str().unwrap(), false)
        .await;
    let message = "Access token does not contain all the information. Maybe the structure has changed? sessionHandle";
    assert_eq!(
        answer,
        json!({ "status": "TRY_REFRESH_TOKEN", "message": message })
    );
}
