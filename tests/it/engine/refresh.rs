//! What a refresh checks, and what the new tokens say (core specification, 3.1 and 3.5).

use std::time::Duration;

use serde_json::json;
use supersession::store::{DocumentWrite, KeyKind, SessionDocument};
use supersession::{AntiCsrf, AntiCsrfInput, RefreshToken, Store as _, UserId};

use super::foreign::{h1, master_key, seal_refresh_token};
use super::rotation::refresh;
use super::{object, record};
use crate::support::{App, Req, START, Tokens};

/// Cases: C60.
#[tokio::test]
async fn a_revoked_session_cannot_be_refreshed() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    app.sessions.revoke(tokens.handle.as_str()).await.unwrap();
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    answer.is_unauthorised();
    assert!(answer.clears_everything(), "{answer:?}");
    assert_eq!(record(&app, tokens.handle.as_str()).await, None);
}

/// Cases: C61.
#[tokio::test]
async fn a_session_ends_with_its_refresh_token_unless_it_is_refreshed_in_time() {
    let app = App::with(|builder| {
        builder
            .access_token_validity(Duration::from_secs(1))
            .refresh_token_validity(Duration::from_millis(1_500))
    })
    .await;
    let tokens = app.login("alice").await;
    app.advance(Duration::from_millis(1_500));
    app.send(Req::refresh().refresh_cookie(&tokens))
        .await
        .is_unauthorised();

    let mut tokens = app.login("alice").await;
    for _ in 0..3 {
        app.advance(Duration::from_millis(1_499));
        tokens = refresh(&app, &tokens).await;
    }
    app.advance(Duration::from_millis(1_500));
    app.send(Req::refresh().refresh_cookie(&tokens))
        .await
        .is_unauthorised();
}

/// Cases: C62.
#[tokio::test]
async fn a_refresh_with_the_check_requires_the_refresh_tokens_own_value() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let tokens = app.login("alice").await;
    let right = tokens.anti_csrf.clone().unwrap();
    let request = || Req::refresh().refresh_cookie(&tokens);
    for request in [
        request(),
        request().header("anti-csrf", "wrong"),
        request().header("anti-csrf", ""),
    ] {
        let answer = app.send(request).await;
        answer.is_unauthorised();
    }
    let token = RefreshToken::new(tokens.refresh.clone());
    let error = app
        .sessions
        .refresh_session(&token, AntiCsrfInput::Token(None))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "unauthorised: Anti CSRF token missing, or not matching"
    );
    let answer = app.send(request().header("anti-csrf", &right)).await;
    assert_eq!(answer.status, 200);
    let next = answer.tokens();
    assert_ne!(next.anti_csrf.as_deref(), Some(right.as_str()));
    assert_eq!(
        next.payload()["antiCsrfToken"],
        json!(next.anti_csrf.unwrap())
    );
}

/// Cases: C63.
#[tokio::test]
async fn the_check_can_be_turned_off_and_on_again() {
    let on = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let first = on.login("alice").await;
    let off = on
        .restarted_with(|builder| builder.anti_csrf(AntiCsrf::None))
        .await;
    let second = refresh(&off, &first).await;
    assert_eq!(
        (&second.anti_csrf, &second.payload()["antiCsrfToken"]),
        (&None, &json!(null))
    );
    let on = on
        .restarted_with(|builder| builder.anti_csrf(AntiCsrf::ViaToken))
        .await;
    let third = refresh(&on, &second).await;
    assert_eq!(
        third.payload()["antiCsrfToken"],
        json!(third.anti_csrf.unwrap())
    );
}

/// A stored payload of an older format may hold names that version 5 protects, `rsub` and `tId`
/// among them. The rotation is not stored, unlike the reference's.
///
/// Cases: C65, C66.
#[tokio::test]
async fn a_stored_payload_that_cannot_be_minted_leaves_the_session_as_it_was() {
    for name in ["sub", "rsub", "tId"] {
        let app = App::new().await;
        let tokens = app.login("alice").await;
        let key = record(&app, tokens.handle.as_str()).await.unwrap().key;
        let write = DocumentWrite::Overwrite(object(&json!({ name: "t1", "mine": 1 })));
        app.store
            .inner()
            .write_document(&key, SessionDocument::Payload, &write, START)
            .await
            .unwrap();
        let row = record(&app, tokens.handle.as_str()).await;
        let token = RefreshToken::new(tokens.refresh.clone());
        let error = app
            .sessions
            .refresh_session(&token, AntiCsrfInput::Disabled)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "unauthorised: The user payload contains protected field"
        );
        app.send(Req::refresh().refresh_cookie(&tokens))
            .await
            .is_unauthorised();
        assert_eq!(record(&app, tokens.handle.as_str()).await, row);
        // Removing the name heals the session.
        app.sessions
            .merge_into_access_token_payload(tokens.handle.as_str(), json!({ name: null }))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(refresh(&app, &tokens).await.payload()["mine"], json!(1));
    }
}

/// Cases: C68.
#[tokio::test]
async fn a_refresh_moves_the_session_to_the_configured_kind_of_key() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let app = app
        .restarted_with(|builder| builder.use_dynamic_access_token_signing_key(false))
        .await;
    app.send(Req::get("/verify").access_cookie(&first))
        .await
        .is_try_refresh();
    let second = refresh(&app, &first).await;
    let is_static = |tokens: &Tokens| tokens.header()["kid"].as_str().unwrap().starts_with("s-");
    assert!(is_static(&second));
    let row = record(&app, first.handle.as_str()).await.unwrap();
    assert_eq!(row.key_kind, KeyKind::Static);
    let request = Req::post("/merge")
        .access_cookie(&second)
        .json(&json!({"a": 1}));
    let reissued = app.send(request).await.tokens();
    assert!(is_static(&reissued));
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&reissued))
            .await
            .status,
        200
    );
}

/// Without linked accounts both ids are the row's; what the refresh token says of the user is not
/// taken over.
///
/// Cases: C70.
#[tokio::test]
async fn a_refresh_takes_the_user_from_the_row() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let content = json!({
        "sessionHandle": first.handle, "userId": "mallory", "parentRefreshTokenHash1": h1(&first.refresh),
    });
    let child = seal_refresh_token(&master_key(&app).await, content, "V2");
    let payload = app
        .send(Req::refresh().cookie("sRefreshToken", &child))
        .await
        .tokens()
        .payload();
    assert_eq!(
        (&payload["sub"], &payload["rsub"]),
        (&json!("alice"), &json!("alice"))
    );
    let row = record(&app, first.handle.as_str()).await.unwrap();
    assert_eq!(row.user_id, UserId::from("alice"));
}
