//! Errors that a middleware returns in place of a response: they come out as they do without the
//! session middleware.

use std::fmt;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{ErrorImATeapot, InternalError, JsonPayloadError};
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::web::{Bytes, Json};
use actix_web::{App, Error, HttpResponse, ResponseError, web};
use serde_json::{Value, json};
use supersession_actix::{Session, SessionMiddleware, original_error, verify_session};

use crate::support::{World, bearer, serve};

/// A body of unknown size, in pieces.
struct Pieces(Vec<&'static str>);

impl MessageBody for Pieces {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, Self::Error>>> {
        let piece = self
            .0
            .pop()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        std::task::Poll::Ready(piece)
    }
}

#[derive(Debug)]
struct Own;

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error of the application")
    }
}

impl ResponseError for Own {
    fn error_response(&self) -> HttpResponse {
        HttpResponse::PaymentRequired().body("pay first")
    }
}

fn error_at(path: &str) -> Option<Error> {
    let to_login = HttpResponse::SeeOther()
        .insert_header(("location", "/login"))
        .finish();
    let pieces = HttpResponse::Accepted().body(Pieces(vec!["two", "one "]));
    Some(match path {
        "/redirect" => InternalError::from_response("no session", to_login).into(),
        "/stream" => InternalError::from_response("stream", pieces).into(),
        "/teapot" => ErrorImATeapot("short and stout"),
        "/json" => JsonPayloadError::ContentType.into(),
        "/own" => Own.into(),
        _ => return None,
    })
}

const ERRORS: [(&str, u16, &str); 5] = [
    ("/redirect", 303, ""),
    ("/stream", 202, "one two"),
    ("/teapot", 418, "short and stout"),
    ("/json", 400, "Content type error"),
    ("/own", 402, "pay first"),
];

/// A guard as actix-web documents it.
async fn fail(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match error_at(request.path()) {
        Some(error) => Err(error),
        None => next.call(request).await,
    }
}

/// As [`fail`], after the session's payload was changed.
async fn merge_and_fail(
    session: Session,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let patch = json!({"step": 1});
    session
        .merge_into_access_token_payload(patch)
        .await
        .unwrap();
    fail(request, next).await
}

#[actix_web::test]
async fn they_are_the_same_as_without_the_session_middleware() {
    let world = World::new().await;
    let without = serve(App::new().wrap(from_fn(fail))).await;
    let with = App::new()
        .wrap(from_fn(fail))
        .wrap(SessionMiddleware::new(world.sessions.clone()));
    let with = serve(with).await;
    for (path, status, text) in ERRORS {
        for server in [&with, &without] {
            let answer = server.get(path, "").await;
            answer.is(status, text);
            let location = (path == "/redirect").then_some("/login");
            assert_eq!(answer.header("location"), location, "{answer:?}");
            answer.has_no_token_headers();
        }
    }
}

#[actix_web::test]
async fn they_carry_token_effects() {
    let world = World::new().await;
    let app = App::new()
        .wrap(from_fn(merge_and_fail))
        .wrap(SessionMiddleware::new(world.sessions.clone()));
    let server = serve(app).await;
    let (access, _) = world.tokens("alice").await;
    for (path, status, text) in ERRORS {
        let answer = server.get(path, &access).await;
        answer.is(status, text);
        let new = answer.header("st-access-token").unwrap();
        assert_ne!(new, access, "{answer:?}");
        // No session: the extractor's own error, rendered.
        let answer = server.get(path, "").await;
        answer.is_message(401, "unauthorised");
    }
}

/// A middleware further out finds the error that was returned, and not a wrapper.
#[actix_web::test]
async fn their_type_can_be_requested_outside() {
    async fn look(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let error = match next.call(request).await {
            Ok(response) => return Ok(response.map_into_boxed_body()),
            Err(error) => error,
        };
        assert!(original_error(&error).as_error::<Own>().is_some());
        Err(error)
    }
    async fn untouched(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        match next.call(request).await {
            Ok(response) => Ok(response.map_into_boxed_body()),
            Err(error) => {
                assert!(error.as_error::<Own>().is_some());
                Err(error)
            }
        }
    }
    let world = World::new().await;
    let (access, _) = world.tokens("alice").await;
    let layer = || SessionMiddleware::new(world.sessions.clone());
    let guarded = App::new().wrap(from_fn(fail)).wrap(verify_session());
    let guarded = guarded.wrap(layer()).wrap(from_fn(look));
    let bare = App::new().wrap(from_fn(fail)).wrap(layer());
    let bare = bare.wrap(from_fn(look)).wrap(from_fn(untouched));
    for server in [serve(guarded).await, serve(bare).await] {
        server.get("/own", &access).await.is(402, "pay first");
    }
}

/// An error of the application's own that answers with a session's error is rendered.
#[actix_web::test]
async fn an_error_that_holds_a_session_error_is_rendered() {
    #[derive(Debug)]
    struct Holds(supersession_actix::SessionRejection);
    impl fmt::Display for Holds {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Display::fmt(&self.0, f)
        }
    }
    impl ResponseError for Holds {
        fn error_response(&self) -> HttpResponse {
            self.0.error_response()
        }
    }
    async fn out(
        session: Session,
        _: ServiceRequest,
        _: Next<BoxBody>,
    ) -> Result<ServiceResponse, Error> {
        session.revoke().await.unwrap();
        let gone = session.session_data::<Value>().await.unwrap_err();
        Err(Holds(gone.into()).into())
    }
    let world = World::new().await;
    let app = App::new().route("/", web::get().to(async |_: Json<Value>| ""));
    let app = app.wrap(from_fn(out));
    let server = serve(app.wrap(SessionMiddleware::new(world.sessions.clone()))).await;
    let (access, _) = world.tokens("alice").await;
    let answer = server.get("/", &access).await;
    answer.is_message(401, "unauthorised");
    answer.clears_everything();
}

/// The server of actix-web asks an error for its response once.
#[actix_web::test]
async fn a_response_that_can_be_taken_once_is_whole() {
    let world = World::new().await;
    let app = App::new()
        .wrap(from_fn(merge_and_fail))
        .wrap(SessionMiddleware::new(world.sessions.clone()));
    let service = init_service(app).await;
    let (access, _) = world.tokens("alice").await;
    let request = bearer(TestRequest::get().uri("/redirect"), &access);
    let outcome = try_call_service(&service, request.to_request()).await;
    let error = outcome.err().unwrap();
    assert_eq!(error.as_response_error().status_code(), 303);
    let response = HttpResponse::from_error(error);
    assert_eq!(response.status(), 303);
    assert_eq!(response.headers().get("location").unwrap(), "/login");
    assert!(response.headers().contains_key("st-access-token"));
}
