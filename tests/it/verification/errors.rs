//! Errors in the application's own hands, and their status codes.

use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;
use supersession::http::Reply;
use supersession::store::MemoryStore;
use supersession::{BuildError, SessionError, Sessions};
use supersession_axum::{Session, SessionRejection};

use crate::support::{App, Req, default_config};

/// Adapted: a renderer cannot fail but by panicking, and then the panic reaches the framework; the
/// client gets no answer that looks like one of ours.
/// Cases: S92.
#[tokio::test]
async fn a_panic_of_the_applications_renderer_reaches_the_framework() {
    let app = App::with(|builder| {
        builder.render_errors(|error, reply| match error {
            SessionError::Unauthorised(_) => panic!("of the application"),
            _ => reply,
        })
    })
    .await;
    let tokens = app.login("alice").await;
    let sending = app.clone();
    let sent = tokio::spawn(async move { sending.send(Req::get("/verify")).await }).await;
    let panic = sent.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"of the application"));
    // What was shared with the request is in order.
    let answer = app.send(Req::get("/verify").access_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
}

/// A renderer replaces status, body and headers of our answer, for guards and built-in routes
/// alike; what must be cleared is cleared all the same.
/// Cases: S92.
#[tokio::test]
async fn the_applications_renderer_replaces_the_answer_but_not_the_clearing() {
    let app = App::with(|builder| {
        builder.render_errors(|error, reply| match error {
            SessionError::Unauthorised(_) => {
                Reply::json(418, r#"{"own":true}"#).with_header("x-own", "yes")
            }
            _ => reply,
        })
    })
    .await;
    let tokens = app.login("alice").await;
    app.sessions.revoke(tokens.handle.as_str()).await.unwrap();
    for (request, clears) in [
        (Req::get("/verify"), false),
        (Req::get("/verify-db").access_cookie(&tokens), true),
        (Req::refresh(), true),
        (Req::signout(), false),
    ] {
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.json()), (418, json!({"own": true})));
        assert_eq!(answer.header("x-own"), Some("yes"));
        assert_eq!(answer.clears_everything(), clears, "{answer:?}");
        assert_eq!(answer.has_no_token_headers(), !clears, "{answer:?}");
    }
    app.advance_secs(3_600);
    app.send(Req::get("/verify").access_cookie(&tokens))
        .await
        .is_try_refresh();
}

/// A handler that takes the error itself answers as it likes, and nothing is cleared.
/// Cases: S92.
#[tokio::test]
async fn a_handler_may_take_the_error_itself() {
    async fn own(session: Result<Session, SessionRejection>) -> (StatusCode, String) {
        let error = match session {
            Ok(session) => SessionRejection::from(session.information().await.unwrap_err()),
            Err(rejection) => rejection,
        };
        (StatusCode::IM_A_TEAPOT, error.clears_tokens().to_string())
    }
    let app = App::with_routes(|builder| builder, |router| router.route("/own", get(own))).await;
    let tokens = app.login("alice").await;
    app.sessions.revoke(tokens.handle.as_str()).await.unwrap();
    for (request, clears) in [
        (Req::get("/own"), "false"),
        (Req::get("/own").access_cookie(&tokens), "true"),
    ] {
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.text.as_str()), (418, clears));
        assert!(answer.has_no_token_headers(), "{answer:?}");
    }
}

/// A status of the application's own for expired sessions is that of all three answers that ask to
/// refresh or sign in, with the same bodies and the same clearing; other errors keep theirs.
/// Cases: S93.
#[tokio::test]
async fn the_status_of_expired_sessions_can_be_chosen() {
    let app = App::with(|builder| builder.session_expired_status(402)).await;
    let answer = app.send(Req::get("/verify")).await;
    answer.is_message(402, "unauthorised");
    assert!(answer.has_no_token_headers());
    let answer = app.send(Req::refresh()).await;
    answer.is_message(402, "unauthorised");
    assert!(answer.clears_everything());
    let first = app.login("alice").await;
    app.send(Req::refresh().refresh_cookie(&first)).await;
    app.advance_secs(3_600);
    let answer = app.send(Req::get("/verify").access_cookie(&first)).await;
    answer.is_message(402, "try refresh token");
    assert!(answer.has_no_token_headers());
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    answer.is_message(402, "token theft detected");
    assert!(answer.clears_everything());
}

/// Two equal status codes cannot be configured: clients could not tell an expired session from a
/// claim that does not hold.
/// Cases: S94.
#[tokio::test]
async fn the_two_status_codes_must_differ() {
    for (expired, invalid_claim) in [(403, 403), (401, 401), (419, 419)] {
        let builder = default_config(Sessions::builder(MemoryStore::new()))
            .session_expired_status(expired)
            .invalid_claim_status(invalid_claim);
        let error = builder.build().await.unwrap_err();
        let BuildError::Config(problems) = &error else {
            panic!("{error}");
        };
        assert_eq!(problems.len(), 1, "{error}");
        assert_eq!(problems[0].setting, "session_expired_status");
        assert!(
            error.to_string().contains("different status codes"),
            "{error}"
        );
    }
}
