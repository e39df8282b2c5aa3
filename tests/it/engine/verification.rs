//! Verification of access tokens, the hand-made ones included (core specification, section 2).

use serde_json::{Value, json};
use supersession::store::KeyKind;
use supersession::{AccessToken, AntiCsrf, VerifyOptions};
use supersession_testkit::Verb;

use super::foreign::{claims, header, sign};
use super::stored_keys;
use crate::support::{App, Req};

async fn kid_of(app: &App) -> String {
    stored_keys(app, KeyKind::Dynamic).await[0].kid.clone()
}

/// Signs with the app's rotating key, whatever the header says.
async fn forge(app: &App, header: &str, payload: &Value) -> String {
    let key = stored_keys(app, KeyKind::Dynamic).await.remove(0);
    sign(&key, header, &payload.to_string())
}

/// Cases: C28.
#[tokio::test]
async fn verifying_costs_no_look_up_and_answers_with_no_token() {
    let app = App::new().await;
    let body = json!({"userId": "alice", "payload": {"plan": "pro"}});
    let created = app.send(Req::post("/create").json(&body)).await;
    let tokens = created.tokens();
    app.store.clear_calls();
    let answer = app.send(Req::get("/verify").bearer(&tokens.access)).await;
    assert_eq!((answer.status, answer.json()), (200, created.json()));
    assert!(answer.has_no_token_headers(), "{answer:?}");
    assert_eq!(app.store.calls(), []);
    let answer = app
        .send(Req::get("/verify-db").bearer(&tokens.access))
        .await;
    assert_eq!((answer.status, answer.json()), (200, created.json()));
    assert!(answer.has_no_token_headers(), "{answer:?}");
    assert_eq!(app.store.calls(), [Verb::Session]);
}

/// To the core every text is a bad token; to a library it is somebody else's bearer value, which a
/// required session answers with `unauthorised` without clearing anything, and an optional one
/// passes over.
///
/// Cases: C29, C30, C44.
#[tokio::test]
async fn texts_that_are_not_access_tokens_are_ignored() {
    let app = App::new().await;
    let kid = kid_of(&app).await;
    let good = header("5", &kid).to_string();
    let mut bad = vec![
        "x".to_owned(),
        "a.b".to_owned(),
        "a.b.c.d".to_owned(),
        "...".to_owned(),
        "..".to_owned(),
    ];
    let payload = claims("alice");
    for header in ["", "{", "1", "\"text\"", "[]", "null", "\u{fffd}"] {
        bad.push(forge(&app, header, &payload).await);
    }
    let token = forge(&app, &good, &payload).await;
    assert_eq!(
        app.send(Req::get("/verify").bearer(&token)).await.status,
        200
    );
    bad.push(format!("!{token}"));
    bad.push(token.replacen('.', "=.", 1));
    for missing in [
        "sub",
        "rsub",
        "iat",
        "exp",
        "sessionHandle",
        "refreshTokenHash1",
        "tId",
    ] {
        let mut payload = payload.clone();
        payload.as_object_mut().unwrap().remove(missing);
        bad.push(forge(&app, &good, &payload).await);
    }
    let validity = std::time::Duration::from_secs(60);
    let jwt = app
        .sessions
        .create_jwt_with_dynamic_key(json!({"sub": "alice"}), validity)
        .await
        .unwrap();
    bad.push(jwt);
    for token in bad {
        let answer = app.send(Req::get("/verify").bearer(&token)).await;
        answer.is_unauthorised();
        assert!(answer.has_no_token_headers(), "{token}: {answer:?}");
        let answer = app.send(Req::get("/verify-optional").bearer(&token)).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"session": null})),
            "{token}"
        );
    }
}

/// What does not look like a token of ours is passed over; what does, but cannot be verified, asks
/// for a refresh. A version beyond the latest is read as the latest, as the backend SDKs do; the
/// core alone refuses it.
///
/// Cases: C31.
#[tokio::test]
async fn headers_of_other_tokens_are_rejected() {
    let app = App::new().await;
    let kid = kid_of(&app).await;
    let good = header("5", &kid);
    let with = |name: &str, value: Value| {
        let mut header = good.clone();
        header[name] = value;
        header
    };
    let mut no_kid = good.clone();
    no_kid.as_object_mut().unwrap().remove("kid");
    for header in [
        no_kid,
        with("version", json!("1")),
        with("version", json!("2")),
        with("version", json!({"a": 5})),
        with("version", json!(5)),
        with("version", json!("")),
        with("version", Value::Null),
        with("typ", json!("at+jwt")),
    ] {
        let token = forge(&app, &header.to_string(), &claims("alice")).await;
        let answer = app.send(Req::get("/verify").bearer(&token)).await;
        answer.is_unauthorised();
        assert!(answer.has_no_token_headers(), "{header}: {answer:?}");
    }
    for header in [
        with("kid", json!(7)),
        with("kid", json!("")),
        with("alg", json!("none")),
        with("alg", json!("HS256")),
        with("alg", json!("RS512")),
        with("alg", Value::Null),
    ] {
        let token = forge(&app, &header.to_string(), &claims("alice")).await;
        app.send(Req::get("/verify").bearer(&token))
            .await
            .is_try_refresh();
    }
    let token = forge(
        &app,
        &with("version", json!("999")).to_string(),
        &claims("alice"),
    )
    .await;
    assert_eq!(
        app.send(Req::get("/verify").bearer(&token)).await.status,
        200
    );
}

/// Cases: C32.
#[tokio::test]
async fn an_unknown_key_costs_exactly_one_read_and_a_bad_signature_none() {
    let app = App::new().await;
    let key = stored_keys(&app, KeyKind::Dynamic).await.remove(0);
    let unknown = sign(
        &key,
        &header("5", "d-7").to_string(),
        &claims("alice").to_string(),
    );
    app.store.clear_calls();
    app.send(Req::get("/verify").bearer(&unknown))
        .await
        .is_try_refresh();
    assert_eq!(app.store.calls(), [Verb::SigningKeys]);

    let other = stored_keys(&app, KeyKind::Static).await.remove(0);
    let forged = sign(
        &other,
        &header("5", &key.kid).to_string(),
        &claims("alice").to_string(),
    );
    app.advance_secs(1);
    app.store.clear_calls();
    app.send(Req::get("/verify").bearer(&forged))
        .await
        .is_try_refresh();
    assert_eq!(app.store.calls(), []);
}

/// Cases: C33.
#[tokio::test]
async fn an_access_token_expires_at_the_second_of_its_expiry() {
    let second = std::time::Duration::from_secs(1);
    let app = App::with(|builder| builder.access_token_validity(second)).await;
    let tokens = app.login("alice").await;
    app.advance(second - std::time::Duration::from_millis(1));
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&tokens))
            .await
            .status,
        200
    );
    app.advance(std::time::Duration::from_millis(1));
    for path in ["/verify", "/verify-optional", "/verify-db"] {
        app.send(Req::get(path).access_cookie(&tokens))
            .await
            .is_try_refresh();
    }
    let error = app
        .sessions
        .verify_access_token(
            &AccessToken::new(tokens.access),
            None,
            &VerifyOptions::new(),
        )
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "try refresh token: the access token has expired"
    );
}

/// Cases: C34.
#[tokio::test]
async fn a_check_by_token_requires_the_sessions_own_value() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let tokens = app.login("alice").await;
    let right = tokens.anti_csrf.clone().unwrap();
    let of_another = app.login("alice").await.anti_csrf.unwrap();
    let request = |path: &str| Req::post(path).access_cookie(&tokens);
    app.send(request("/verify")).await.is_try_refresh();
    for wrong in [
        "",
        "wrong",
        of_another.as_str(),
        &right.to_uppercase(),
        &right[1..],
    ] {
        app.send(request("/verify").header("anti-csrf", wrong))
            .await
            .is_try_refresh();
    }
    let answer = app
        .send(request("/verify").header("anti-csrf", &right))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(app.send(request("/verify-no-csrf")).await.status, 200);
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&tokens))
            .await
            .status,
        200
    );
    app.send(Req::get("/verify-csrf").access_cookie(&tokens))
        .await
        .is_try_refresh();
}

/// Cases: C35.
#[tokio::test]
async fn a_session_from_before_the_check_was_turned_on_must_refresh() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let app = app
        .restarted_with(|builder| builder.anti_csrf(AntiCsrf::ViaToken))
        .await;
    for request in [
        Req::post("/verify"),
        Req::post("/verify").header("anti-csrf", "x"),
    ] {
        app.send(request.access_cookie(&tokens))
            .await
            .is_try_refresh();
    }
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&tokens))
            .await
            .status,
        200
    );
    let tokens = app
        .send(Req::refresh().refresh_cookie(&tokens))
        .await
        .tokens();
    let request = Req::post("/verify")
        .access_cookie(&tokens)
        .header("anti-csrf", tokens.anti_csrf.as_deref().unwrap());
    assert_eq!(app.send(request).await.status, 200);
}

/// Cases: C36.
#[tokio::test]
async fn a_revoked_session_ends_at_once_only_where_the_database_is_asked() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    assert!(app.sessions.revoke(tokens.handle.as_str()).await.unwrap());
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&tokens))
            .await
            .status,
        200
    );
    let answer = app
        .send(Req::get("/verify-db").access_cookie(&tokens))
        .await;
    answer.is_unauthorised();
    assert!(answer.clears_everything(), "{answer:?}");
    let options = VerifyOptions::new().check_database(true);
    let error = app
        .sessions
        .verify_access_token(&AccessToken::new(tokens.access), None, &options)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "unauthorised: Either the session has ended or has been blacklisted"
    );
}

/// Cases: C38.
#[tokio::test]
async fn a_token_of_any_tenant_of_the_app_verifies() {
    let app = App::new().await;
    let body = json!({"userId": "alice", "tenantId": "t1"});
    let created = app.send(Req::post("/create").json(&body)).await;
    for path in ["/verify", "/verify-db"] {
        let answer = app
            .send(Req::get(path).bearer(&created.tokens().access))
            .await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, created.json()),
            "{path}"
        );
    }
}

/// Version 4 has `tId` but no `rsub`; version 3 neither, and a `tId` there is the application's
/// own.
///
/// Cases: C42.
#[tokio::test]
async fn tokens_of_versions_3_and_4_are_read_by_their_own_rules() {
    let app = App::new().await;
    let kid = kid_of(&app).await;
    let mut payload = claims("alice");
    payload.as_object_mut().unwrap().remove("rsub");
    payload["tId"] = json!("t7");
    payload["iss"] = json!("https://elsewhere.example");
    for (version, tenant) in [("3", "public"), ("4", "t7")] {
        let token = forge(&app, &header(version, &kid).to_string(), &payload).await;
        let answer = app.send(Req::get("/verify").bearer(&token)).await;
        let expected = json!({
            "userId": "alice", "recipeUserId": "alice", "tenantId": tenant, "handle": "some-handle",
            "payload": payload,
        });
        assert_eq!((answer.status, answer.json()), (200, expected), "{version}");
    }
    payload["tId"] = json!({"mine": true});
    let token = forge(&app, &header("3", &kid).to_string(), &payload).await;
    let answer = app.send(Req::get("/verify").bearer(&token)).await;
    assert_eq!(
        (&answer.json()["tenantId"], &answer.json()["payload"]["tId"]),
        (&json!("public"), &json!({"mine": true}))
    );
    for (version, rsub) in [("5", "r"), ("6", "r")] {
        payload["rsub"] = json!(rsub);
        payload["tId"] = json!("t7");
        let token = forge(&app, &header(version, &kid).to_string(), &payload).await;
        let answer = app.send(Req::get("/verify").bearer(&token)).await;
        assert_eq!(
            (&answer.json()["userId"], &answer.json()["recipeUserId"]),
            (&json!("alice"), &json!("r"))
        );
    }
}
