//! Guards in places of the application's own.

use axum::extract::Json;
use axum::routing::{any, post};
use axum::{Extension, Router};
use serde_json::{Value, json};
use supersession::{SessionError, SessionsBuilder, VerifyOptions};
use supersession_axum::{Session, verify_session};
use tower::ServiceExt as _;

use super::Request;
use crate::support::{Answer, App, Req, describe};

async fn own_refresh(Extension(session): Extension<supersession::Session>) -> Json<Value> {
    Json(describe(&session))
}

async fn own_refresh_by_extractor(session: Session) -> Json<Value> {
    Json(describe(&session))
}

/// With the built-in route off, a guard or an extractor on the refresh path refreshes: the handler
/// sees the session, and the response carries the new tokens. Without a refresh token it is 401
/// with clearing, as on the built-in route. Other methods are verified.
/// Cases: S80.
#[tokio::test]
async fn a_guard_on_the_refresh_path_refreshes() {
    let guarded = |router: Router| {
        let route = any(own_refresh).layer(verify_session());
        router.route("/auth/session/refresh", route)
    };
    let extracted =
        |router: Router| router.route("/auth/session/refresh", post(own_refresh_by_extractor));
    let guarded = App::with_routes(SessionsBuilder::without_refresh_route, guarded).await;
    let extracted = App::with_routes(SessionsBuilder::without_refresh_route, extracted).await;
    for app in [&guarded, &extracted] {
        let first = app.login("alice").await;
        app.advance_secs(3_600);
        let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let second = answer.tokens();
        assert_eq!(answer.json()["handle"], first.handle.as_str());
        assert_eq!(answer.json()["payload"], second.payload());
        assert_ne!(second.refresh, first.refresh);
        assert_eq!(answer.cookies().len(), 2);
        assert_eq!(answer.front_token().unwrap()["up"], second.payload());
        assert_eq!(
            app.send(Req::get("/verify").access_cookie(&second))
                .await
                .status,
            200
        );

        let by_header = app.login_as("alice", "header").await;
        let answer = app.send(Req::refresh().bearer(&by_header.refresh)).await;
        assert_eq!(answer.json()["handle"], by_header.handle.as_str());
        assert!(answer.cookies().is_empty() && !answer.tokens().refresh.is_empty());

        let answer = app.send(Req::refresh().access_cookie(&second)).await;
        answer.is_unauthorised();
        assert!(answer.clears_everything(), "{answer:?}");
    }
    let get = Req::get("/auth/session/refresh");
    let answer = guarded.send(get).await;
    answer.is_unauthorised();
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

/// Adapted: a guard needs the layer, and without it never lets a request pass, but answers 500 with
/// the name of what is missing. What does the work in an adapter gives the proper 401 without any
/// routing.
/// Cases: S83.
#[tokio::test]
async fn without_the_layer_no_request_passes() {
    let handler = || async { "passed" };
    let router = Router::new()
        .route("/guard", any(handler).layer(verify_session()))
        .route("/optional", any(handler).layer(verify_session().optional()))
        .route("/extractor", any(|_: Session| async { "passed" }))
        .route("/maybe", any(|_: Option<Session>| async { "passed" }));
    let app = App::new().await;
    let tokens = app.login("alice").await;
    for path in ["/guard", "/optional", "/extractor", "/maybe"] {
        let request = Req::get(path).access_cookie(&tokens).into_http();
        let answer = Answer::read(router.clone().oneshot(request).await.unwrap()).await;
        assert_eq!(answer.status, 500, "{path} {answer:?}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("SessionLayer"), "{message}");
        assert!(answer.has_no_token_headers());
    }

    let request = app.sessions.for_request("POST", "/");
    request.read(&Request::post(&[]));
    let error = request.verify(&VerifyOptions::new()).await.unwrap_err();
    assert!(matches!(error, SessionError::Unauthorised(_)));
    let reply = request.answer(&error);
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (401, r#"{"message":"unauthorised"}"#)
    );
    assert_eq!(
        reply.body.parse::<Value>().unwrap(),
        json!({"message": "unauthorised"})
    );
}
