//! The sign-out endpoint (session specification, 7.3).

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::routing::post;
use serde_json::{Value, json};
use supersession::claims::{ClaimValidator, Verdict};
use supersession::store::StoreErrorKind;
use supersession::{AntiCsrf, Hooks};
use supersession_testkit::{PlannedFault, Verb};

use super::{CLEARED_COOKIES, cookie_lines, header_names, is_live};
use crate::support::{Answer, App, Req, Tokens};

#[track_caller]
fn assert_signed_out_by_cookie(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, r#"{"status":"OK"}"#)
    );
    assert_eq!(cookie_lines(answer), CLEARED_COOKIES);
    assert_eq!(answer.header("front-token"), Some("remove"));
    assert_eq!(answer.exposed(), ["front-token"]);
    assert_eq!(
        header_names(answer),
        [
            "access-control-expose-headers",
            "cache-control",
            "content-type",
            "front-token",
            "set-cookie",
        ],
        "{answer:?}"
    );
}

/// Cookies are cleared where the session was in cookies, also when the session is gone already.
///
/// Cases: S146, S148.
#[tokio::test]
async fn signing_out_ends_the_session_and_clears_its_cookies() {
    for exposed in [false, true] {
        let app = App::with(|builder| builder.expose_access_token_to_frontend(exposed)).await;
        let tokens = app.login("alice").await;
        let request = || Req::signout().access_cookie(&tokens);
        assert_signed_out_by_cookie(&app.send(request()).await);
        assert!(!is_live(&app, &tokens).await);
        assert_signed_out_by_cookie(&app.send(request()).await);

        let revoked = app.login("alice").await;
        app.sessions.revoke_all_for_user("alice").await.unwrap();
        let answer = app.send(Req::signout().access_cookie(&revoked)).await;
        assert_signed_out_by_cookie(&answer);
    }
}

/// Headers are cleared where the session was in headers, and no cookie is touched.
///
/// Cases: S147.
#[tokio::test]
async fn signing_out_clears_headers_where_the_session_was_in_headers() {
    let app = App::new().await;
    let tokens = app.login_as("alice", "header").await;
    let answer = app.send(Req::signout().bearer(&tokens.access)).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, r#"{"status":"OK"}"#)
    );
    assert!(answer.clears_headers());
    assert_eq!(answer.header("front-token"), Some("remove"));
    assert_eq!(
        answer.exposed(),
        ["front-token", "st-access-token", "st-refresh-token"]
    );
    assert_eq!(
        header_names(&answer),
        [
            "access-control-expose-headers",
            "cache-control",
            "content-type",
            "front-token",
            "st-access-token",
            "st-refresh-token",
        ]
    );
    assert!(!is_live(&app, &tokens).await);
}

/// Without a good access token nobody is signed out; an expired one asks for a refresh first.
///
/// Cases: S149, S150.
#[tokio::test]
async fn signing_out_requires_a_valid_access_token() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    for request in [
        Req::signout(),
        Req::signout().refresh_cookie(&tokens),
        Req::signout().bearer("foreign"),
    ] {
        let answer = app.send(request).await;
        answer.is_unauthorised();
        assert_eq!(header_names(&answer), ["content-type"]);
    }
    app.advance_secs(3_600);
    app.send(Req::signout().access_cookie(&tokens))
        .await
        .is_try_refresh();
    assert!(is_live(&app, &tokens).await);
}

/// Whoever may do nothing else may still sign out.
///
/// Cases: S151.
#[tokio::test]
async fn failing_global_validators_do_not_prevent_a_sign_out() {
    let app = App::with(|builder| {
        builder.global_validator(ClaimValidator::from_fn("never", |_| Verdict::Invalid(None)))
    })
    .await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::get("/verify").access_cookie(&tokens)).await;
    assert_eq!(answer.status, 403);
    assert_signed_out_by_cookie(&app.send(Req::signout().access_cookie(&tokens)).await);
}

/// Another site cannot sign anybody out.
///
/// Cases: S152.
#[tokio::test]
async fn signing_out_by_cookie_is_checked_against_other_sites() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let tokens = app.login("alice").await;
    let request = || Req::signout().access_cookie(&tokens);
    app.send(request()).await.is_try_refresh();
    app.send(request().header("anti-csrf", "wrong"))
        .await
        .is_try_refresh();
    assert!(is_live(&app, &tokens).await);
    let right = request().header("anti-csrf", tokens.anti_csrf.as_deref().unwrap());
    assert_signed_out_by_cookie(&app.send(right).await);
}

/// A route that is turned off is not there, nor is another method on the one that is.
///
/// Cases: S153.
#[tokio::test]
async fn a_disabled_sign_out_route_is_not_served() {
    let off = App::with(supersession::SessionsBuilder::without_signout_route).await;
    let on = App::new().await;
    for (app, method) in [(&off, "POST"), (&on, "GET")] {
        let tokens: Tokens = app.login("alice").await;
        let request = Req::new(method, "/auth/signout").access_cookie(&tokens);
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, ""));
        assert!(answer.has_no_token_headers());
        assert!(is_live(app, &tokens).await);
    }
}

/// An application's own route in place of the built-in one answers as it likes.
///
/// Cases: S154.
#[tokio::test]
async fn an_own_sign_out_route_answers_as_it_likes() {
    async fn refuse() -> Json<Value> {
        Json(json!({"status": "GENERAL_ERROR", "message": "not now"}))
    }
    let app = App::with_routes(
        supersession::SessionsBuilder::without_signout_route,
        |router| router.route("/auth/signout", post(refuse)),
    )
    .await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::signout().access_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"status": "GENERAL_ERROR", "message": "not now"})
    );
    assert_eq!(header_names(&answer), ["content-type"]);
    assert!(is_live(&app, &tokens).await);
}

/// A store in trouble signs nobody out, and does not pretend to.
#[tokio::test]
async fn signing_out_while_the_store_fails_clears_nothing() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    app.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::DeleteSessions));
    let answer = app.send(Req::signout().access_cookie(&tokens)).await;
    answer.is_message(503, "service unavailable");
    assert!(answer.has_no_token_headers());
    assert!(is_live(&app, &tokens).await);
    assert_signed_out_by_cookie(&app.send(Req::signout().access_cookie(&tokens)).await);
}

/// The hook hears of a sign-out, once, and not of one that was refused.
#[tokio::test]
async fn the_hook_runs_at_a_sign_out() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let app = App::with(move |builder| {
        builder.hooks(Hooks::new().on_signed_out(move |event| {
            ear.lock().unwrap().push(event);
            async {}
        }))
    })
    .await;
    let tokens = app.login("alice").await;
    app.send(Req::signout()).await.is_unauthorised();
    assert!(heard.lock().unwrap().is_empty());
    assert_signed_out_by_cookie(&app.send(Req::signout().access_cookie(&tokens)).await);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].user_id, "alice");
    assert_eq!(heard[0].handle, tokens.handle.as_str());
}
