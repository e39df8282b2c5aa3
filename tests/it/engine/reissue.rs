//! Verification against the database, and access tokens with another payload (core specification,
//! 2.6 and 7.4).

use std::time::Duration;

use serde_json::{Value, json};
use supersession::store::KeyKind;
use supersession::{AccessToken, Delivery, SessionError, VerifyOptions};
use supersession_testkit::Verb;

use super::foreign::{claims, h1, header, sign};
use super::{record, segment, stored_keys, value_of};
use crate::support::{App, Req, START};

/// The access token that a LEGACY refresh hands out. ROTATION neither promotes it nor replaces it.
///
/// Cases: C50, C79.
#[tokio::test]
async fn a_token_with_a_parent_is_verified_and_nothing_is_written() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let key = stored_keys(&app, KeyKind::Dynamic).await.remove(0);
    let mut payload = claims("alice");
    payload["sessionHandle"] = json!(tokens.handle);
    payload["refreshTokenHash1"] = json!(h1("an unconfirmed child"));
    payload["parentRefreshTokenHash1"] = json!(h1(&tokens.refresh));
    payload["iss"] = json!("https://api.example.com/auth");
    let token = sign(
        &key,
        &header("5", &key.kid).to_string(),
        &payload.to_string(),
    );
    let row = record(&app, tokens.handle.as_str()).await;
    app.store.clear_calls();
    for path in ["/verify", "/verify-db"] {
        let answer = app.send(Req::get(path).bearer(&token)).await;
        assert_eq!((answer.status, &answer.json()["payload"]), (200, &payload));
        assert!(answer.has_no_token_headers(), "{answer:?}");
    }
    assert_eq!(app.store.calls(), [Verb::Session]);
    assert_eq!(record(&app, tokens.handle.as_str()).await, row);
    // LEGACY asks the database for a token with a parent in any case; ROTATION only where a guard
    // does.
    app.sessions.revoke(tokens.handle.as_str()).await.unwrap();
    assert_eq!(
        app.send(Req::get("/verify").bearer(&token)).await.status,
        200
    );
    app.send(Req::get("/verify-db").bearer(&token))
        .await
        .is_unauthorised();
}

/// In LEGACY mode the first verification after a refresh promotes the session and mints a token.
/// Here the refresh has done all that: no verification of any generation mints or writes, and the
/// kind of key stays.
///
/// Cases: C46, C47, C48, C49, C53.
#[tokio::test]
async fn verifying_after_a_refresh_mints_and_writes_nothing() {
    for dynamic in [true, false] {
        let app = App::with(|builder| builder.use_dynamic_access_token_signing_key(dynamic)).await;
        let mut generations = vec![app.login("alice").await];
        let handle = generations[0].handle.clone();
        for _ in 0..3 {
            let refresh = Req::refresh().refresh_cookie(generations.last().unwrap());
            generations.push(app.send(refresh).await.tokens());
        }
        let row = record(&app, handle.as_str()).await;
        app.store.clear_calls();
        for tokens in &generations {
            for _ in 0..2 {
                let answer = app.send(Req::get("/verify").access_cookie(tokens)).await;
                assert_eq!(
                    (answer.status, &answer.json()["payload"]),
                    (200, &tokens.payload())
                );
                assert!(answer.has_no_token_headers(), "{answer:?}");
            }
            let prefix = if dynamic { "d-" } else { "s-" };
            assert!(tokens.header()["kid"].as_str().unwrap().starts_with(prefix));
        }
        assert_eq!(app.store.calls(), []);
        for _ in 0..2 {
            let answer = app
                .send(Req::get("/verify-db").access_cookie(&generations[3]))
                .await;
            assert!(
                answer.status == 200 && answer.has_no_token_headers(),
                "{answer:?}"
            );
        }
        assert_eq!(app.store.calls(), [Verb::Session, Verb::Session]);
        assert_eq!(record(&app, handle.as_str()).await, row);
    }
}

/// Cases: C80, C81.
#[tokio::test]
async fn a_rotated_out_branch_is_rejected_without_clearing_newer_tokens() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let second = app
        .send(Req::refresh().refresh_cookie(&first))
        .await
        .tokens();
    app.advance_secs(600);
    let answer = app.send(Req::get("/verify-db").access_cookie(&first)).await;
    assert_eq!(
        answer.status, 200,
        "the token before the current one is still covered"
    );
    assert!(answer.has_no_token_headers(), "{answer:?}");

    app.send(Req::refresh().refresh_cookie(&second))
        .await
        .tokens();
    let answer = app.send(Req::get("/verify-db").access_cookie(&first)).await;
    answer.is_unauthorised();
    assert!(answer.has_no_token_headers(), "{answer:?}");
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&first))
            .await
            .status,
        200
    );
    assert_eq!(
        app.send(Req::get("/verify-db").access_cookie(&second))
            .await
            .status,
        200
    );
    let options = VerifyOptions::new().check_database(true);
    let token = AccessToken::new(first.access.clone());
    let error = app
        .sessions
        .verify_access_token(&token, None, &options)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "unauthorised: rotated-out token branch; refresh required"
    );
    assert!(record(&app, first.handle.as_str()).await.is_some());
}

/// Where the reference only says that there is news, the new token is sent along, as in LEGACY
/// mode; its expiry stays. The new token itself is no news.
///
/// Cases: C51, C52, C82.
#[tokio::test]
async fn a_changed_payload_reaches_the_client_where_the_database_is_asked() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    app.sessions
        .merge_into_access_token_payload(tokens.handle.as_str(), json!({"plan": "pro"}))
        .await
        .unwrap()
        .unwrap();
    app.advance_secs(10);
    let answer = app.send(Req::get("/verify").access_cookie(&tokens)).await;
    assert!(answer.has_no_token_headers(), "{answer:?}");
    assert_eq!(answer.json()["payload"].get("plan"), None);
    let answer = app
        .send(Req::get("/verify-db").access_cookie(&tokens))
        .await;
    let reissued = answer.tokens();
    let mut expected = tokens.payload();
    expected["plan"] = json!("pro");
    expected["iat"] = json!(super::START_SECS + 10);
    assert_eq!(
        (reissued.payload(), &answer.json()["payload"]),
        (expected.clone(), &expected)
    );
    assert_eq!(
        (reissued.refresh.as_str(), &reissued.anti_csrf),
        ("", &None)
    );
    let answer = app
        .send(Req::get("/verify-db").access_cookie(&reissued))
        .await;
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

/// Cases: C111, C112.
#[tokio::test]
async fn a_reissued_token_keeps_expiry_and_lineage_and_the_row_keeps_its_lineage() {
    let app = App::new().await;
    let body = json!({"userId": "alice", "payload": {"a": 1, "gone": 1}});
    let tokens = app
        .send(
            Req::post("/create")
                .header("st-auth-mode", "cookie")
                .json(&body),
        )
        .await
        .tokens();
    let before = record(&app, tokens.handle.as_str()).await.unwrap();
    app.advance_secs(60);
    let merge = |patch: Value| Req::post("/merge").access_cookie(&tokens).json(&patch);
    let reissued = app
        .send(merge(json!({"b": {"c": null}, "gone": null})))
        .await
        .tokens();
    let mut expected = tokens.payload();
    expected.as_object_mut().unwrap().remove("gone");
    expected["b"] = json!({"c": null});
    expected["iat"] = json!(super::START_SECS + 60);
    assert_eq!(reissued.payload(), expected);
    let after = record(&app, tokens.handle.as_str()).await.unwrap();
    assert_eq!(
        (&after.lineage, after.expires_at),
        (&before.lineage, before.expires_at)
    );
    let stored = json!({"a": 1, "b": {"c": null}, "iss": "https://api.example.com/auth"});
    assert_eq!(value_of(&after.payload), stored);

    // An empty patch keeps the stored payload.
    let reissued = app.send(merge(json!({}))).await.tokens();
    assert_eq!(reissued.payload(), expected);
    assert_eq!(
        record(&app, tokens.handle.as_str()).await.unwrap().payload,
        after.payload
    );
}

/// Cases: C113.
#[tokio::test]
async fn an_expired_token_is_not_reissued_but_the_change_is_stored() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let token = AccessToken::new(tokens.access.clone());
    let options = VerifyOptions::new();
    let session = app
        .sessions
        .verify_access_token(&token, None, &options)
        .await
        .unwrap()
        .unwrap();
    app.advance_secs(3_600);
    let delivery = session
        .merge_into_access_token_payload(json!({"a": 1}))
        .await
        .unwrap();
    assert_eq!(delivery, Delivery::AtNextRefresh);
    let now = session.all_session_tokens_dangerously();
    assert_eq!(now.access_token.expose(), tokens.access);
    assert!(!now.access_and_front_token_updated);
    assert_eq!(session.access_token_payload().get("a"), Some(json!(1)));
    let row = record(&app, tokens.handle.as_str()).await.unwrap();
    assert_eq!(row.payload.get("a"), Some(json!(1)));
    let refreshed = app
        .send(Req::refresh().refresh_cookie(&tokens))
        .await
        .tokens();
    assert_eq!(refreshed.payload()["a"], json!(1));
}

/// Cases: C114.
#[tokio::test]
async fn a_session_that_has_ended_gets_no_new_token() {
    for expired in [true, false] {
        let app =
            App::with(|builder| builder.refresh_token_validity(Duration::from_secs(3_601))).await;
        let tokens = app.login("alice").await;
        let options = VerifyOptions::new();
        let token = AccessToken::new(tokens.access.clone());
        let session = app
            .sessions
            .verify_access_token(&token, None, &options)
            .await
            .unwrap()
            .unwrap();
        if expired {
            app.advance_secs(3_601);
        } else {
            app.sessions.revoke(tokens.handle.as_str()).await.unwrap();
            let request = Req::post("/merge")
                .access_cookie(&tokens)
                .json(&json!({"a": 1}));
            let answer = app.send(request).await;
            answer.is_unauthorised();
            assert!(answer.clears_everything(), "{answer:?}");
        }
        let error = session
            .merge_into_access_token_payload(json!({"a": 1}))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "unauthorised: Session does not exist anymore"
        );
        assert_eq!(record(&app, tokens.handle.as_str()).await, None);
    }
}

/// Cases: C115.
#[tokio::test]
async fn a_reissue_signs_with_the_newer_key() {
    let hour = Duration::from_secs(3_600);
    let app = App::with(|builder| builder.signing_key_update_interval(hour)).await;
    app.advance_secs(1_800);
    let tokens = app.login("alice").await;
    app.advance(hour);
    app.clock
        .set(START.after(hour + Duration::from_secs(1_000)));
    let request = Req::post("/merge")
        .access_cookie(&tokens)
        .json(&json!({"a": 1}));
    let reissued = app.send(request).await.tokens();
    assert_eq!(tokens.header()["kid"], json!(format!("d-{START}")));
    assert_eq!(
        reissued.header()["kid"],
        json!(format!("d-{}", START.get() + 4_600_000))
    );
    for tokens in [&tokens, &reissued] {
        assert_eq!(
            app.send(Req::get("/verify").access_cookie(tokens))
                .await
                .status,
            200
        );
    }
}

/// Cases: C107, C116.
#[tokio::test]
async fn protected_names_cannot_be_set_but_removed() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let before = record(&app, tokens.handle.as_str()).await;
    for name in [
        "sub",
        "iat",
        "exp",
        "sessionHandle",
        "parentRefreshTokenHash1",
        "refreshTokenHash1",
        "antiCsrfToken",
        "rsub",
        "tId",
        "stt",
    ] {
        let patch = json!({"mine": 1, name: "x"});
        let answer = app
            .send(Req::post("/merge").access_cookie(&tokens).json(&patch))
            .await;
        answer.is_message(
            400,
            &format!("The user payload contains protected field: {name}"),
        );
        assert!(answer.has_no_token_headers(), "{answer:?}");
        for handle in [tokens.handle.as_str(), "unknown"] {
            let error = app
                .sessions
                .merge_into_access_token_payload(handle, &patch)
                .await
                .unwrap_err();
            assert!(matches!(error, SessionError::BadInput(_)), "{error}");
        }
    }
    assert_eq!(record(&app, tokens.handle.as_str()).await, before);
    let patch = json!({"sub": null, "mine": 1});
    let answer = app
        .send(Req::post("/merge").access_cookie(&tokens).json(&patch))
        .await;
    let payload = answer.tokens().payload();
    assert_eq!(
        (&payload["sub"], &payload["mine"]),
        (&json!("alice"), &json!(1))
    );
}

/// Cases: C118.
#[tokio::test]
async fn a_reissue_finds_the_tenant_of_its_session() {
    let app = App::new().await;
    let body = json!({"userId": "alice", "tenantId": "t1"});
    let answer = app
        .send(
            Req::post("/create")
                .header("st-auth-mode", "header")
                .json(&body),
        )
        .await;
    let tokens = answer.tokens();
    let request = Req::post("/merge")
        .bearer(&tokens.access)
        .json(&json!({"a": 1}));
    let reissued = app.send(request).await.tokens();
    assert_eq!(
        (
            &segment(&reissued.access, 1)["tId"],
            &reissued.payload()["a"]
        ),
        (&json!("t1"), &json!(1))
    );
    let row = record(&app, tokens.handle.as_str()).await.unwrap();
    assert_eq!(row.payload.get("a"), Some(json!(1)));
}
