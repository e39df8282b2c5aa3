//! What guards and extractors demand, together and apart.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get, post};
use serde_json::json;
use supersession::{AntiCsrf, Delivery, Guard, VerifyOptions};
use supersession_axum::{RequestSessions, Require, Session, SessionRejection, verify_session};
use supersession_testkit::Verb;

use crate::support::{Answer, App, Req};

const FIVE_MINUTES: Duration = Duration::from_secs(300);

struct FreshLogin;

impl Guard for FreshLogin {
    fn options() -> VerifyOptions {
        VerifyOptions::new().max_session_age(FIVE_MINUTES)
    }
}

async fn name(session: Session) -> String {
    session.user_id().to_string()
}

#[track_caller]
fn is_too_old(answer: &Answer, age: f64) {
    let failure = json!({
        "id": "session-age",
        "reason": {"message": "expired", "ageInSeconds": age, "maxAgeInSeconds": 300},
    });
    let body = json!({"message": "invalid claim", "claimValidationErrors": [failure]});
    assert_eq!((answer.status, answer.json()), (403, body));
    assert!(answer.has_no_token_headers());
}

#[tokio::test]
async fn a_guard_can_demand_a_fresh_sign_in() {
    let routes = |router: Router| {
        router
            .route(
                "/layer",
                get(name).layer(verify_session().max_session_age(FIVE_MINUTES)),
            )
            .route(
                "/extractor",
                get(|session: Require<FreshLogin>| async move { session.user_id().to_string() }),
            )
    };
    let app = App::with_routes(|builder| builder, routes).await;
    let mut tokens = app.login("alice").await;
    app.advance(FIVE_MINUTES);
    for path in ["/layer", "/extractor"] {
        assert_eq!(
            app.send(Req::get(path).access_cookie(&tokens)).await.text,
            "alice"
        );
    }
    app.advance(Duration::from_millis(500));
    for path in ["/layer", "/extractor"] {
        is_too_old(
            &app.send(Req::get(path).access_cookie(&tokens)).await,
            300.5,
        );
    }
    // A refresh is no sign-in.
    tokens = app
        .send(Req::refresh().refresh_cookie(&tokens))
        .await
        .tokens();
    is_too_old(
        &app.send(Req::get("/layer").access_cookie(&tokens)).await,
        300.5,
    );
    let tokens = app.login("alice").await;
    assert_eq!(
        app.send(Req::get("/layer").access_cookie(&tokens))
            .await
            .text,
        "alice"
    );
}

#[tokio::test]
async fn an_extractor_behind_a_guard_does_not_verify_again() {
    let routes = |router: Router| {
        router.route(
            "/unchecked",
            post(name).layer(verify_session().anti_csrf_check(false)),
        )
    };
    let app = App::with_routes(|builder| builder.anti_csrf(AntiCsrf::ViaToken), routes).await;
    let tokens = app.login("alice").await;
    assert_eq!(
        app.send(Req::post("/unchecked").access_cookie(&tokens))
            .await
            .text,
        "alice"
    );
}

#[tokio::test]
async fn an_inner_guard_adds_to_the_outer_one_and_the_token_is_verified_once() {
    let routes = |router: Router| {
        let inner = any(name).layer(verify_session().check_database(true));
        router.merge(
            Router::new()
                .route("/both", inner)
                .route_layer(verify_session()),
        )
    };
    let app = App::with_routes(|builder| builder, routes).await;
    let tokens = app.login("alice").await;
    app.store.clear_calls();
    assert_eq!(
        app.send(Req::get("/both").access_cookie(&tokens))
            .await
            .text,
        "alice"
    );
    assert_eq!(app.store.calls(), [Verb::Session]);
    app.sessions.revoke(tokens.handle.as_str()).await.unwrap();
    let answer = app.send(Req::get("/both").access_cookie(&tokens)).await;
    answer.is_unauthorised();
    assert!(answer.clears_everything());
}

#[tokio::test]
async fn checking_the_database_can_be_the_default_and_a_guard_can_skip_it() {
    let routes = |router: Router| {
        router.route("/strict", get(name)).route(
            "/lax",
            get(name).layer(verify_session().check_database(false)),
        )
    };
    let app = App::with_routes(|builder| builder.check_database(true), routes).await;
    let tokens = app.login("alice").await;
    app.sessions.revoke_all_for_user("alice").await.unwrap();
    app.send(Req::get("/strict").access_cookie(&tokens))
        .await
        .is_unauthorised();
    assert_eq!(
        app.send(Req::get("/lax").access_cookie(&tokens)).await.text,
        "alice"
    );
}

#[tokio::test]
async fn a_guard_runs_before_the_body_is_read() {
    let routes = |router: Router| {
        let echo =
            post(|axum::Json(body): axum::Json<serde_json::Value>| async move { body.to_string() });
        router.route("/echo", echo.layer(verify_session()))
    };
    let app = App::with_routes(|builder| builder, routes).await;
    let garbage = Req::post("/echo").header("content-type", "application/json");
    app.send(garbage).await.is_unauthorised();
}

#[tokio::test]
async fn a_session_attached_after_an_untouched_response_is_not_delivered() {
    let kept: Arc<Mutex<Option<supersession::RequestSessions>>> = Arc::default();
    let keep = {
        let kept = Arc::clone(&kept);
        get(|sessions: RequestSessions| async move {
            *kept.lock().unwrap() = Some(sessions.0);
        })
    };
    let app = App::with_routes(|builder| builder, |router| router.route("/keep", keep)).await;
    assert_eq!(app.send(Req::get("/keep")).await.status, 200);
    let request = kept.lock().unwrap().take().unwrap();
    let session = app.sessions.create("alice").await.unwrap();
    let attached = request.attach(&session).unwrap();
    let delivery = attached
        .merge_into_access_token_payload(json!({"after": 1}))
        .await
        .unwrap();
    assert_eq!(delivery, Delivery::AtNextRefresh);
}

#[tokio::test]
async fn a_change_after_the_response_is_stored_and_reported_as_not_delivered() {
    let kept: Arc<Mutex<Option<supersession::Session>>> = Arc::default();
    let keep = {
        let kept = Arc::clone(&kept);
        get(|session: Session| async move {
            let delivery = session
                .merge_into_access_token_payload(json!({"during": 1}))
                .await
                .unwrap();
            assert_eq!(delivery, Delivery::InThisResponse);
            *kept.lock().unwrap() = Some(session.0.clone());
        })
    };
    let app = App::with_routes(|builder| builder, |router| router.route("/keep", keep)).await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::get("/keep").access_cookie(&tokens)).await;
    assert_eq!(answer.tokens().payload()["during"], 1);
    let session = kept.lock().unwrap().take().unwrap();
    let delivery = session
        .merge_into_access_token_payload(json!({"after": 2}))
        .await
        .unwrap();
    assert_eq!(delivery, Delivery::AtNextRefresh);
    assert_eq!(session.access_token_payload().get("after"), Some(json!(2)));
    let refreshed = app
        .send(Req::refresh().refresh_cookie(&tokens))
        .await
        .tokens();
    assert_eq!(
        (
            &refreshed.payload()["during"],
            &refreshed.payload()["after"]
        ),
        (&json!(1), &json!(2))
    );
}

#[tokio::test]
async fn a_session_made_without_a_request_can_be_attached_to_one() {
    async fn attach(sessions: RequestSessions) -> Result<(), SessionRejection> {
        let session = sessions.sessions().create("alice").await?;
        sessions.attach(&session)?;
        Ok(())
    }
    let app = App::with_routes(
        |builder| builder,
        |router| router.route("/attach", post(attach)),
    )
    .await;
    let tokens = app
        .send(Req::post("/attach").header("st-auth-mode", "cookie"))
        .await
        .tokens();
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&tokens))
            .await
            .status,
        200
    );
    assert_eq!(
        app.send(Req::refresh().refresh_cookie(&tokens))
            .await
            .status,
        200
    );
}
