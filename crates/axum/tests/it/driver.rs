//! An application on axum, for the transcripts.

use axum::body::Body;
use axum::extract::{Json, OriginalUri};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{MethodRouter, any, post};
use axum::{Router, response::Response};
use http_body_util::BodyExt as _;
use serde_json::Value;
use supersession_axum::core::Sessions;
use supersession_axum::{
    RequestSessions, Require, Session, SessionLayer, SessionRejection, VerifySession,
    verify_session,
};
use supersession_testkit::adapter::{Driver, WireRequest, WireResponse, app};
use tower::ServiceExt as _;

pub(crate) struct Axum;

type Answer = Result<Json<Value>, SessionRejection>;

impl Driver for Axum {
    type App = Router;

    fn layer_name(&self) -> &'static str {
        "supersession_axum::SessionLayer"
    }

    async fn app(&self, sessions: Option<Sessions>) -> Router {
        match sessions {
            Some(sessions) => routes().layer(SessionLayer::new(sessions)),
            None => routes(),
        }
    }

    async fn send(&self, app: &Router, request: WireRequest) -> WireResponse {
        let mut message = Request::builder()
            .method(request.method.as_str())
            .uri(&request.path);
        for (name, value) in &request.headers {
            message = message.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let message = message.body(Body::from(request.body)).unwrap();
        let (head, body) = app.clone().oneshot(message).await.unwrap().into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let header = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), text(value));
        WireResponse {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(header).collect(),
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }
}

fn routes() -> Router {
    Router::new()
        .route("/create", post(create))
        .route("/create-with-headers", post(create_with_headers))
        .route("/verify", guarded(verify_session()))
        .route(
            "/guarded",
            any(json(StatusCode::OK, app::OPEN)).layer(verify_session()),
        )
        .route("/optional", guarded(verify_session().optional()))
        .route("/checked", guarded(verify_session().check_database(true)))
        .route(
            "/csrf-forced",
            guarded(verify_session().anti_csrf_check(true)),
        )
        .route(
            "/csrf-off",
            guarded(verify_session().anti_csrf_check(false)),
        )
        .route("/admin", guarded(verify_session().require(app::is_admin())))
        .route(
            "/fresh",
            guarded(verify_session().max_session_age(app::FRESH)),
        )
        .route(
            "/guarded-twice",
            guarded(verify_session().check_database(true)).layer(verify_session()),
        )
        .route(
            "/session",
            any(async |session: Session| Json(app::describe(&session))),
        )
        .route("/option", any(tell))
        .route(
            "/require",
            any(async |session: Require<app::Admin>| Json(app::describe(&session))),
        )
        .route(
            "/caught",
            any(async |sessions: RequestSessions| Json(app::catch(&sessions).await)),
        )
        .route("/unguarded", any(json(StatusCode::OK, app::OPEN)))
        .route("/merge", post(merge))
        .route("/guarded-merge", post(merge).layer(verify_session()))
        .route("/merge-twice", post(merge_twice))
        .route("/merge-then-fail", post(merge_then_fail))
        .route("/merge-then-unauthorised", post(merge_then_unauthorised))
        .route("/data", post(data))
        .route("/revoke", post(revoke))
        .route(
            "/own-unauthorised",
            post(async || SessionRejection::from(app::unauthorised())),
        )
        .route(
            "/auth/session/refresh",
            post(own_refresh).fallback(fallback),
        )
        .route("/auth/signout", post(own_sign_out).fallback(fallback))
        .fallback(fallback)
}

fn guarded(guard: VerifySession) -> MethodRouter {
    any(tell).layer(guard)
}

fn json(status: StatusCode, body: &'static str) -> impl IntoResponse + Clone {
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}

async fn tell(session: Option<Session>) -> Json<Value> {
    Json(app::tell(session.as_deref()))
}

async fn create(sessions: RequestSessions, Json(body): Json<Value>) -> Answer {
    Ok(Json(app::create(&sessions, body).await?))
}

async fn create_with_headers(sessions: RequestSessions, body: Json<Value>) -> Response {
    (
        AppendHeaders(app::OWN_HEADERS),
        create(sessions, body).await,
    )
        .into_response()
}

async fn merge(session: Session, Json(body): Json<Value>) -> Answer {
    Ok(Json(app::merge(&session, body).await?))
}

async fn merge_twice(session: Session, Json(body): Json<Value>) -> Answer {
    Ok(Json(app::merge_twice(&session, body).await?))
}

async fn merge_then_fail(
    session: Session,
    Json(body): Json<Value>,
) -> Result<impl IntoResponse, SessionRejection> {
    app::merge(&session, body).await?;
    Ok(json(StatusCode::IM_A_TEAPOT, app::FAILED))
}

async fn merge_then_unauthorised(session: Session, Json(body): Json<Value>) -> Answer {
    app::merge(&session, body).await?;
    Err(app::unauthorised().into())
}

async fn data(session: Session, Json(body): Json<Value>) -> Answer {
    Ok(Json(app::data(&session, body).await?))
}

async fn revoke(session: Session) -> Answer {
    Ok(Json(app::revoke(&session).await?))
}

async fn own_refresh(sessions: RequestSessions) -> Answer {
    Ok(Json(app::own_refresh(&sessions).await?))
}

async fn own_sign_out(sessions: RequestSessions) -> Answer {
    Ok(Json(app::own_sign_out(&sessions).await?))
}

async fn fallback(method: Method, OriginalUri(uri): OriginalUri) -> (StatusCode, Json<Value>) {
    let body = app::fallback(method.as_str(), uri.path());
    (StatusCode::NOT_FOUND, Json(body))
}
