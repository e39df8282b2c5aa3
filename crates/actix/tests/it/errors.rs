//! Errors are responses too, and faults are not verdicts.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorImATeapot;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpMessage as _, HttpResponse, ResponseError, web};
use serde_json::{Value, json};
use supersession::store::StoreErrorKind;
use supersession::{Fault, FaultKind, SessionError};
use supersession_actix::{
    RequestSessions, Session, SessionMiddleware, SessionRejection, verify_session,
};
use supersession_testkit::{PlannedFault, Verb};

use crate::support::{World, serve};

async fn merge_and_fail(session: Session) -> Result<String, SessionRejection> {
    let patch = json!({"step": 1});
    session.merge_into_access_token_payload(patch).await?;
    Err(SessionError::BadInput("after the merge".into()).into())
}

async fn merge_and_return_another_error(session: Session) -> Result<String, Error> {
    let patch = json!({"step": 1});
    let merged = session.merge_into_access_token_payload(patch).await;
    merged.map_err(SessionRejection::from)?;
    Err(ErrorImATeapot("short and stout"))
}

#[actix_web::test]
async fn a_handler_error_after_a_merge_still_delivers_the_token() {
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config
                .route("/ours", web::post().to(merge_and_fail))
                .route("/theirs", web::post().to(merge_and_return_another_error));
        })
        .await;
    let (access, _) = world.tokens("alice").await;
    let answer = server.post("/ours", &access).await;
    answer.is_message(400, "after the merge");
    assert_ne!(answer.header("st-access-token").unwrap(), access);
    let answer = server.post("/theirs", &access).await;
    answer.is(418, "short and stout");
    assert_ne!(answer.header("st-access-token").unwrap(), access);
}

/// Both handlers of [`merge_and_fail`] as middleware that fails in place of an answer.
async fn fail_in_middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let session = request.extensions().get::<supersession::Session>().cloned();
    let session = Session(session.ok_or_else(|| ErrorImATeapot("no session"))?);
    match request.path() {
        "/ours" => merge_and_fail(session).await.map(drop)?,
        "/theirs" => merge_and_return_another_error(session).await.map(drop)?,
        "/out" => Err(SessionRejection::from(SessionError::unauthorised("banned")))?,
        _ => {}
    }
    next.call(request).await
}

#[actix_web::test]
async fn an_error_of_a_middleware_gets_its_token_effects() {
    let world = World::new().await;
    let app = App::new()
        .route("/fine", web::post().to(|| async { "fine" }))
        .wrap(from_fn(fail_in_middleware))
        .wrap(verify_session())
        .wrap(SessionMiddleware::new(world.sessions.clone()));
    let server = serve(app).await;
    let (access, _) = world.tokens("alice").await;
    let answer = server.post("/ours", &access).await;
    answer.is_message(400, "after the merge");
    assert_ne!(answer.header("st-access-token").unwrap(), access);
    let answer = server.post("/theirs", &access).await;
    answer.is(418, "short and stout");
    assert_ne!(answer.header("st-access-token").unwrap(), access);
    let answer = server.post("/out", &access).await;
    answer.is_message(401, "unauthorised");
    answer.clears_everything();
    server.post("/fine", &access).await.is(200, "fine");
}

/// Outer middleware may look at the error, and answer it in its own way of making responses.
#[actix_web::test]
async fn an_error_of_a_middleware_keeps_its_effects_with_any_renderer() {
    async fn render(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        match next.call(request).await {
            Ok(response) => Ok(response.map_into_boxed_body()),
            Err(error) => {
                assert_eq!(error.as_response_error().status_code(), 401);
                assert_eq!(error.to_string(), "unauthorised: banned");
                assert!(!format!("{error:?}").contains("header"));
                let request = actix_web::test::TestRequest::default().to_http_request();
                Ok(ServiceResponse::from_err(error, request))
            }
        }
    }
    let world = World::new().await;
    let app = App::new()
        .wrap(from_fn(fail_in_middleware))
        .wrap(verify_session())
        .wrap(SessionMiddleware::new(world.sessions.clone()))
        .wrap(from_fn(render));
    let server = serve(app).await;
    let (access, _) = world.tokens("alice").await;
    let answer = server.post("/out", &access).await;
    answer.is_message(401, "unauthorised");
    answer.clears_everything();
}

#[actix_web::test]
async fn a_session_that_ends_in_the_handler_is_401_and_clears() {
    async fn read(session: Session, sessions: RequestSessions) -> Result<String, SessionRejection> {
        sessions.sessions().revoke(session.handle()).await?;
        let data: Value = session.session_data().await?;
        Ok(data.to_string())
    }
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config.route("/read", web::get().to(read));
        })
        .await;
    let (access, _) = world.tokens("alice").await;
    let answer = server.get("/read", &access).await;
    answer.is_message(401, "unauthorised");
    answer.clears_everything();
}

#[actix_web::test]
async fn a_rejection_caught_by_the_handler_keeps_the_tokens() {
    async fn catch(session: Session, sessions: RequestSessions) -> &'static str {
        sessions.sessions().revoke(session.handle()).await.unwrap();
        match session.session_data::<Value>().await {
            Err(error) if error.clears_tokens() => "caught",
            _ => "unexpected",
        }
    }
    async fn look(session: Result<Session, SessionRejection>) -> String {
        session.map_or_else(
            |rejection| rejection.to_string(),
            |session| session.user_id().to_string(),
        )
    }
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config
                .route("/catch", web::get().to(catch))
                .route("/look", web::get().to(look));
        })
        .await;
    let (access, _) = world.tokens("alice").await;
    let answer = server.get("/catch", &access).await;
    answer.is(200, "caught");
    answer.has_no_token_headers();
    let answer = server.get("/look", "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.starts_with("unauthorised"), "{answer:?}");
    answer.has_no_token_headers();
}

#[actix_web::test]
async fn a_failing_store_is_503_and_clears_nothing() {
    async fn data(session: Session) -> Result<String, SessionRejection> {
        let data: Value = session.session_data().await?;
        Ok(data.to_string())
    }
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config.route("/data", web::get().to(data));
        })
        .await;
    let (access, refresh) = world.tokens("alice").await;
    let trouble = |verb| {
        let fault = PlannedFault::new(StoreErrorKind::Unavailable);
        world.store.plan(fault.on(verb));
    };
    trouble(Verb::Session);
    let read = server.get("/data", &access).await;
    trouble(Verb::Rotate);
    let refreshed = server.post("/auth/session/refresh", &refresh).await;
    trouble(Verb::DeleteSessions);
    let signed_out = server.post("/auth/signout", &access).await;
    for answer in [read, refreshed, signed_out] {
        answer.is_message(503, "service unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        answer.has_no_token_headers();
    }
    server.get("/data", &access).await.is(200, "{}");
}

#[derive(Debug)]
enum AppError {
    Session(SessionRejection),
}

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("app error")
    }
}

impl ResponseError for AppError {
    fn error_response(&self) -> HttpResponse {
        let Self::Session(rejection) = self;
        rejection.error_response()
    }
}

#[actix_web::test]
async fn an_error_of_the_applications_own_may_hold_one() {
    async fn out() -> Result<String, AppError> {
        let error = SessionError::unauthorised("banned");
        Err(AppError::Session(error.into()))
    }
    async fn broken() -> Result<String, SessionRejection> {
        Err(Fault::new(FaultKind::Internal, "a secret of ours").into())
    }
    let world = World::with(|builder| {
        builder.render_errors(|_, mut reply| {
            reply.status += 100;
            reply
        })
    })
    .await;
    let server = world
        .serve(|config| {
            config
                .route("/out", web::get().to(out))
                .route("/broken", web::get().to(broken));
        })
        .await;
    // Rendered as configured, and cleared all the same.
    let answer = server.get("/out", "").await;
    answer.is_message(501, "unauthorised");
    answer.clears_everything();
    let answer = server.get("/broken", "").await;
    answer.is_message(600, "internal server error");
    answer.has_no_token_headers();
}
