//! The guide's CORS layer around the session layer: pages of the website can read every answer,
//! errors too.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN, SET_COOKIE,
};
use axum::http::{Method, Request, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router, response::Response};
use serde_json::{Map, Value, json};
use supersession_axum::core::store::{MemoryStore, StoreErrorKind};
use supersession_axum::core::{Fault, FaultKind, Sessions, wire};
use supersession_axum::{RequestSessions, Session, SessionLayer, SessionRejection, verify_session};
use supersession_testkit::adapter::app::is_admin;
use supersession_testkit::{FaultStore, PlannedFault, Verb};
use tower::ServiceExt as _;
use tower_http::cors::CorsLayer;

const WEBSITE: &str = "https://example.org";

fn cors() -> CorsLayer {
    let allowed = wire::CORS_ALLOW_HEADERS.map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(HeaderValue::from_static(WEBSITE))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(
            allowed
                .into_iter()
                .chain([CONTENT_TYPE])
                .collect::<Vec<_>>(),
        )
        .expose_headers(wire::CORS_EXPOSE_HEADERS.map(HeaderName::from_static))
}

async fn login(sessions: RequestSessions) -> Result<(), SessionRejection> {
    sessions.create("alice").await?;
    Ok(())
}

async fn data(session: Session) -> Result<Json<Map<String, Value>>, SessionRejection> {
    Ok(Json(session.session_data().await?))
}

async fn merge(session: Session) -> Result<(), SessionRejection> {
    let patch = json!({"plan": "pro"});
    session.merge_into_access_token_payload(patch).await?;
    Ok(())
}

async fn broken() -> Result<(), SessionRejection> {
    Err(Fault::new(FaultKind::Internal, "a bug").into())
}

#[track_caller]
fn is_readable(response: &Response, what: &str) {
    let header = |name| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(header(ACCESS_CONTROL_ALLOW_ORIGIN), Some(WEBSITE), "{what}");
    assert_eq!(
        header(ACCESS_CONTROL_ALLOW_CREDENTIALS),
        Some("true"),
        "{what}"
    );
    let exposed = header(ACCESS_CONTROL_EXPOSE_HEADERS).unwrap_or_default();
    for name in wire::CORS_EXPOSE_HEADERS {
        assert!(
            exposed.split(',').any(|listed| listed.trim() == name),
            "{what}: {exposed}"
        );
    }
}

#[tokio::test]
async fn every_answer_can_be_read_by_the_website() {
    let store = FaultStore::new(MemoryStore::new());
    let sessions = Sessions::builder(store.clone())
        .api_domain("https://api.example.com")
        .website_domain(WEBSITE)
        .build()
        .await
        .unwrap();
    let session = sessions.create("alice").await.unwrap();
    let tokens = session.all_session_tokens_dangerously();
    let access = format!("Bearer {}", tokens.access_token.expose());
    let refresh = format!("Bearer {}", tokens.refresh_token.unwrap().expose());
    let app: Router = Router::new()
        .route("/login", post(login))
        .route("/data", get(data))
        .route("/merge", post(merge))
        .route("/broken", get(broken))
        .route(
            "/admin",
            get(async || "").layer(verify_session().require(is_admin())),
        )
        .layer(SessionLayer::new(sessions))
        .layer(cors());

    let trouble = |verb| PlannedFault::new(StoreErrorKind::Unavailable).on(verb);
    for (method, path, bearer, fault, status) in [
        ("POST", "/login", "", None, 200),
        ("POST", "/merge", &*access, None, 200),
        ("GET", "/data", "", None, 401),
        ("GET", "/admin", &access, None, 403),
        ("GET", "/nowhere", &access, None, 404),
        ("GET", "/data", &access, Some(Verb::Session), 503),
        ("GET", "/broken", "", None, 500),
        (
            "POST",
            "/auth/session/refresh",
            &refresh,
            Some(Verb::Rotate),
            503,
        ),
        ("POST", "/auth/session/refresh", &refresh, None, 200),
        ("POST", "/auth/session/refresh", "", None, 401),
        ("POST", "/auth/signout", &access, None, 200),
    ] {
        if let Some(verb) = fault {
            store.plan(trouble(verb));
        }
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header(ORIGIN, WEBSITE)
            .header(wire::RID_HEADER, "anti-csrf");
        let request = match bearer {
            "" => request,
            bearer => request.header(wire::AUTHORIZATION_HEADER, bearer),
        };
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let what = format!("{method} {path} {bearer:.6}");
        assert_eq!(response.status().as_u16(), status, "{what}");
        is_readable(&response, &what);
    }
}

#[tokio::test]
async fn preflights_are_answered_without_a_session() {
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("https://api.example.com")
        .website_domain(WEBSITE)
        .build()
        .await
        .unwrap();
    let app: Router = Router::new()
        .route("/data", get(data))
        .layer(SessionLayer::new(sessions))
        .layer(cors());
    for path in ["/data", "/auth/session/refresh"] {
        let asked = wire::CORS_ALLOW_HEADERS.join(",");
        let request = Request::builder().method("OPTIONS").uri(path);
        let request = request
            .header(ORIGIN, WEBSITE)
            .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(ACCESS_CONTROL_REQUEST_HEADERS, asked);
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let allowed = response.headers()[ACCESS_CONTROL_ALLOW_HEADERS]
            .to_str()
            .unwrap();
        for name in wire::CORS_ALLOW_HEADERS.into_iter().chain(["content-type"]) {
            assert!(
                allowed.split(',').any(|listed| listed.trim() == name),
                "{allowed}"
            );
        }
        assert!(
            !response.headers().contains_key(wire::FRONT_TOKEN_HEADER),
            "{path}"
        );
        assert!(!response.headers().contains_key(SET_COOKIE), "{path}");
    }
}
