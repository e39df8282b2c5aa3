//! Promise 6: faults are not verdicts. Trouble is 503 or 500, clears nothing and says nothing.

use axum::Router;
use axum::routing::{get, post};
use serde_json::json;
use supersession::store::StoreErrorKind;
use supersession::{FaultKind, Hooks, SessionError};
use supersession_axum::{RequestSessions, Require, Session, SessionRejection, verify_session};
use supersession_testkit::{PlannedFault, Verb};
use tower::ServiceExt as _;

use crate::support::{Answer, App, Req};

#[track_caller]
fn is_unavailable(answer: &Answer) {
    answer.is_message(503, "service unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

#[track_caller]
fn is_internal_error(answer: &Answer) {
    answer.is_message(500, "internal server error");
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

#[tokio::test]
async fn a_failing_store_is_503_and_clears_nothing() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::NotWritable] {
        for (verb, request) in [
            (
                Verb::InsertSession,
                Req::post("/create")
                    .header("st-auth-mode", "cookie")
                    .json(&json!({})),
            ),
            (Verb::Session, Req::get("/verify-db").access_cookie(&tokens)),
            (
                Verb::WriteDocument,
                Req::post("/merge")
                    .access_cookie(&tokens)
                    .json(&json!({"a": 1})),
            ),
            (
                Verb::DeleteSessions,
                Req::post("/revoke").access_cookie(&tokens),
            ),
            (Verb::DeleteSessions, Req::signout().access_cookie(&tokens)),
            (Verb::Session, Req::refresh().refresh_cookie(&tokens)),
            (Verb::Rotate, Req::refresh().refresh_cookie(&tokens)),
        ] {
            app.store.plan(PlannedFault::new(kind).on(verb));
            is_unavailable(&app.send(request).await);
        }
    }
    // After all that the session is as good as before.
    assert_eq!(
        app.send(Req::get("/verify-db").access_cookie(&tokens))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn damaged_data_is_500_and_clears_nothing() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    for kind in [StoreErrorKind::Corrupt, StoreErrorKind::Internal] {
        app.store.plan(PlannedFault::new(kind).on(Verb::Session));
        is_internal_error(
            &app.send(Req::get("/verify-db").access_cookie(&tokens))
                .await,
        );
    }
}

#[tokio::test]
async fn verification_without_a_database_check_needs_no_store() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    app.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).times(100));
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&tokens))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_fault_with_an_optional_session_is_not_a_guest() {
    let app = App::with_routes(
        |builder| builder.check_database(true),
        |router| {
            router.route(
                "/feed",
                get(|session: Option<Session>| async move { format!("{}", session.is_some()) }),
            )
        },
    )
    .await;
    let tokens = app.login("alice").await;
    app.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Session));
    is_unavailable(&app.send(Req::get("/feed").access_cookie(&tokens)).await);
    assert_eq!(
        app.send(Req::get("/feed").access_cookie(&tokens))
            .await
            .text,
        "true"
    );
    assert_eq!(app.send(Req::get("/feed")).await.text, "false");
}

struct Anybody;

impl supersession::Guard for Anybody {
    fn options() -> supersession::VerifyOptions {
        supersession::VerifyOptions::new()
    }
}

#[tokio::test]
async fn a_missing_layer_is_a_500_that_names_it() {
    crate::support::capture::install();
    let router: Router = Router::new()
        .route("/session", get(|_: Session| async {}))
        .route("/optional", get(|_: Option<Session>| async {}))
        .route("/require", get(|_: Require<Anybody>| async {}))
        .route("/create", post(|_: RequestSessions| async {}))
        .route(
            "/guard",
            get(|| async {}).layer(verify_session().optional()),
        );
    for (method, path) in [
        ("GET", "/session"),
        ("GET", "/optional"),
        ("GET", "/require"),
        ("POST", "/create"),
        ("GET", "/guard"),
    ] {
        let response = router
            .clone()
            .oneshot(Req::new(method, path).into_http())
            .await
            .unwrap();
        let answer = Answer::read(response).await;
        assert_eq!(answer.status, 500, "{path}");
        assert!(
            answer.json()["message"]
                .as_str()
                .unwrap()
                .contains("SessionLayer"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_hook_that_fails_is_a_500_and_nothing_is_stored() {
    let hooks = Hooks::new().before_create(|_| async { Err("no room at the inn".into()) });
    let app = App::with(|builder| builder.hooks(hooks)).await;
    let answer = app
        .send(
            Req::post("/create")
                .header("st-auth-mode", "cookie")
                .json(&json!({})),
        )
        .await;
    is_internal_error(&answer);
    assert!(
        app.sessions
            .handles_for_user("alice")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_handler_error_after_a_merge_still_delivers_the_token() {
    async fn merge_and_fail(session: Session) -> Result<(), SessionRejection> {
        session
            .merge_into_access_token_payload(json!({"step": 1}))
            .await?;
        Err(SessionError::BadInput("after the merge".into()).into())
    }
    let app = App::with_routes(
        |builder| builder,
        |router| router.route("/fail", post(merge_and_fail)),
    )
    .await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::post("/fail").access_cookie(&tokens)).await;
    answer.is_message(400, "after the merge");
    assert_eq!(answer.tokens().payload()["step"], 1);
    assert_eq!(answer.front_token().unwrap()["up"]["step"], 1);
}

#[tokio::test]
async fn an_error_caught_by_the_handler_keeps_the_tokens() {
    async fn catch(session: Session, sessions: RequestSessions) -> &'static str {
        sessions.sessions().revoke(session.handle()).await.unwrap();
        match session.session_data::<serde_json::Value>().await {
            Err(error) if error.clears_tokens() => "caught",
            _ => "unexpected",
        }
    }
    let app = App::with_routes(
        |builder| builder,
        |router| router.route("/catch", post(catch)),
    )
    .await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::post("/catch").access_cookie(&tokens)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "caught"));
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

#[tokio::test]
async fn a_session_that_ends_in_the_handler_is_401_and_clears() {
    async fn read(session: Session, sessions: RequestSessions) -> Result<String, SessionRejection> {
        sessions.sessions().revoke(session.handle()).await?;
        let data: serde_json::Value = session.session_data().await?;
        Ok(data.to_string())
    }
    let app = App::with_routes(|builder| builder, |router| router.route("/read", get(read))).await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::get("/read").access_cookie(&tokens)).await;
    answer.is_unauthorised();
    assert!(answer.clears_everything(), "{answer:?}");
}

#[tokio::test]
async fn errors_rendered_by_the_application_still_clear_tokens() {
    let app = App::with(|builder| {
        builder.render_errors(|error, mut reply| {
            if let SessionError::Fault(fault) = error {
                assert_eq!(fault.kind(), FaultKind::Unavailable);
                reply.status = 599;
            } else {
                reply.body = r#"{"problem":"session"}"#.to_owned();
            }
            reply
        })
    })
    .await;
    let tokens = app.login("alice").await;
    app.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Session));
    assert_eq!(
        app.send(Req::get("/verify-db").access_cookie(&tokens))
            .await
            .status,
        599
    );
    app.sessions.revoke(tokens.handle.as_str()).await.unwrap();
    let answer = app
        .send(Req::get("/verify-db").access_cookie(&tokens))
        .await;
    assert_eq!(
        (answer.status, answer.json()),
        (401, json!({"problem": "session"}))
    );
    assert!(answer.clears_everything());
}

#[tokio::test]
async fn the_fault_reaches_the_operator_with_its_cause() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    app.store
        .plan(PlannedFault::new(StoreErrorKind::NotWritable).on(Verb::Session));
    app.send(Req::get("/verify-db").access_cookie(&tokens))
        .await;
    let logged = crate::support::capture::captured();
    let line = logged
        .lines()
        .find(|line| line.contains("supersession.request.fault") && line.contains("free space"));
    assert!(line.is_some(), "{logged}");
}

#[tokio::test]
async fn an_unauthorised_of_the_application_clears_tokens_of_an_unread_request() {
    async fn out() -> SessionRejection {
        SessionError::unauthorised("banned").into()
    }
    async fn out_keeping() -> SessionRejection {
        SessionError::unauthorised_keeping_tokens("later").into()
    }
    let routes = |router: Router| {
        router
            .route("/out", get(out))
            .route("/out-keeping", get(out_keeping))
    };
    let app = App::with_routes(|builder| builder, routes).await;
    let answer = app.send(Req::get("/out")).await;
    answer.is_unauthorised();
    assert!(answer.clears_everything(), "{answer:?}");
    assert_eq!(
        answer.cookie("sAccessToken").unwrap().same_site.as_deref(),
        Some("Lax")
    );
    let answer = app.send(Req::get("/out-keeping")).await;
    answer.is_unauthorised();
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

#[tokio::test]
async fn a_document_that_is_not_an_object_is_bad_input() {
    async fn overwrite(
        session: Session,
        body: axum::Json<serde_json::Value>,
    ) -> Result<(), SessionRejection> {
        Ok(session.update_session_data(&body.0).await?)
    }
    let app = App::with_routes(
        |builder| builder,
        |router| router.route("/data", post(overwrite)),
    )
    .await;
    let tokens = app.login("alice").await;
    for body in [json!([1]), json!("text"), json!(5)] {
        let answer = app
            .send(Req::post("/data").access_cookie(&tokens).json(&body))
            .await;
        answer.is_message(
            400,
            "expected a JSON object at the root, such as a struct or a map",
        );
    }
    assert_eq!(
        app.send(Req::post("/data").access_cookie(&tokens).json(&json!(null)))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_application_can_ask_whether_the_store_can_be_written() {
    let app = App::new().await;
    app.sessions.check_ready().await.unwrap();
    let fault = PlannedFault::new(StoreErrorKind::NotWritable).on(Verb::CheckReady);
    app.store.plan(fault);
    let outcome = app.sessions.check_ready().await;
    assert!(
        matches!(&outcome, Err(SessionError::Fault(fault)) if fault.kind() == FaultKind::Unavailable),
        "{outcome:?}"
    );
    app.sessions.check_ready().await.unwrap();
}
