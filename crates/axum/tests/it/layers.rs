//! Other layers around the session layer and the guard, and inside.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::http::{Request, Response, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::routing::{get, post};
use serde_json::json;
use supersession_axum::core::SessionError;
use supersession_axum::{Session, SessionLayer, SessionRejection, verify_session};
use tower::timeout::TimeoutLayer as FailingTimeout;
use tower::{BoxError, Layer as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::support::{Server, World, bearer};

const LIMIT: Duration = Duration::from_secs(3600);

async fn merge(session: Session) -> Result<String, SessionRejection> {
    let patch = json!({"plan": "pro"});
    session.merge_into_access_token_payload(patch).await?;
    Ok("x".repeat(1_000))
}

/// Changes the payload before the layers further in run.
async fn merge_first(
    session: Session,
    request: Request<Body>,
    next: Next,
) -> Result<Response<Body>, SessionRejection> {
    merge(session).await?;
    Ok(next.run(request).await)
}

async fn fail() -> String {
    unreachable!("a bug of the application")
}

async fn hang() -> String {
    std::future::pending().await
}

#[tokio::test]
async fn bodies_of_other_types_compose_in_one_builder() {
    let world = World::new().await;
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, LIMIT);
    let layers = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CompressionLayer::new())
        .layer(timeout)
        .layer(SessionLayer::new(world.sessions.clone()))
        .layer(TraceLayer::new_for_http())
        .layer(CompressionLayer::new())
        .layer(verify_session())
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .layer(TraceLayer::new_for_http());
    let server = Server(Router::new().route("/", post(merge)).layer(layers));
    let (access, refresh) = world.tokens("alice").await;
    let answer = server.send(bearer(Request::post("/"), &access)).await;
    answer.is(StatusCode::OK, &"x".repeat(1_000));
    assert!(answer.header("st-access-token").is_some());
    let answer = server.send(Request::post("/")).await;
    answer.is(StatusCode::UNAUTHORIZED, r#"{"message":"unauthorised"}"#);
    let refresh = bearer(Request::post("/auth/session/refresh"), &refresh);
    server.send(refresh).await.is(StatusCode::OK, "{}");
}

/// The body of a rejection is written by the session layer, after the layers inside have encoded
/// the one before.
#[tokio::test]
async fn a_rejection_that_was_compressed_is_readable() {
    async fn refuse() -> SessionRejection {
        SessionError::BadInput("x".repeat(1_000).into()).into()
    }
    let world = World::new().await;
    let routes = Router::new().route("/", get(refuse).layer(CompressionLayer::new()));
    let server = world.serve(routes);
    let answer = server.send(Request::get("/").header("accept-encoding", "gzip"));
    let answer = answer.await;
    assert_eq!(answer.header("content-encoding"), None);
    let text = format!(r#"{{"message":"{}"}}"#, "x".repeat(1_000));
    answer.is(StatusCode::BAD_REQUEST, &text);
}

/// Without axum: a service with a body of its own, wrapped by hand.
#[tokio::test]
async fn a_service_of_another_body_is_wrapped() {
    let world = World::new().await;
    let inner = service_fn(async |_: Request<Body>| {
        let body = http_body_util::Full::new(axum::body::Bytes::from_static(b"inner"));
        Ok::<_, Infallible>(Response::new(body))
    });
    let guarded = CompressionLayer::new().layer(verify_session().layer(inner));
    let service = TraceLayer::new_for_http().layer(guarded);
    let service = SessionLayer::new(world.sessions.clone()).layer(service);
    let (access, _) = world.tokens("alice").await;
    for (token, status) in [(access.as_str(), 200), ("", 401)] {
        let request = bearer(Request::get("/"), token)
            .body(Body::empty())
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
}

/// The response of another layer in the handler's place carries the request's tokens.
#[tokio::test]
async fn responses_of_layers_that_handle_failures_carry_tokens() {
    let world = World::new().await;
    let now = Duration::ZERO;
    let timed_out = async |error: BoxError| {
        assert!(error.is::<tower::timeout::error::Elapsed>());
        (StatusCode::GATEWAY_TIMEOUT, "too slow")
    };
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, now);
    let failing = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(timed_out))
        .layer(FailingTimeout::new(now));
    let routes = Router::new()
        .route("/panic", post(fail).layer(CatchPanicLayer::new()))
        .route("/late", post(hang).layer(timeout))
        .route("/fail", post(hang).layer(failing));
    let server = world.serve(routes.layer(from_fn(merge_first)));
    let (access, _) = world.tokens("alice").await;
    for (path, status) in [("/panic", 500), ("/late", 408), ("/fail", 504)] {
        let answer = server.send(bearer(Request::post(path), &access)).await;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        assert!(answer.header("st-access-token").is_some(), "{answer:?}");
    }
}

/// An error that no layer inside has handled passes through as it is.
#[tokio::test]
async fn errors_of_fallible_services_pass_through() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    let world = World::new().await;
    let inner = service_fn(async |_: Request<Body>| Err::<Response<Body>, _>(Broken));
    let service = verify_session().optional().layer(inner);
    let service = SessionLayer::new(world.sessions.clone()).layer(service);
    let request = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap_err(), Broken);
}

/// A handler behind `Require` is tested without a guard.
#[tokio::test]
async fn require_can_be_made_for_a_test() {
    use supersession_axum::Require;
    use supersession_testkit::adapter::app::Admin;
    async fn admin(session: Require<Admin>) -> String {
        session.user_id().to_string()
    }
    let world = World::new().await;
    let session = world.sessions.create("alice").await.unwrap();
    assert_eq!(admin(Require::unchecked(session)).await, "alice");
    let _: Router = Router::new().route("/", get(admin));
}
