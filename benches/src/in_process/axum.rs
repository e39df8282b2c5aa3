//! The cases of axum 0.8.

use std::sync::Arc;

use anyhow::ensure;
use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use bench_harness::take_turns;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, HOST, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use serde_json::Value;
use supersession::store::MemoryStore;
use supersession::wire;
use supersession_axum::{Session, SessionLayer, SessionRejection};
use tower::Service as _;

use super::peers;
use crate::ours::{CACHE, NO_CACHE, Ours};
use crate::primitives::Decoder;

async fn ok() -> &'static str {
    "ok"
}

async fn user(session: Session) -> &'static str {
    std::hint::black_box(session.user_id());
    "ok"
}

async fn data(session: Session) -> Result<&'static str, SessionRejection> {
    let data: Value = session.session_data().await?;
    std::hint::black_box(&data);
    Ok("ok")
}

/// The claims of a bearer token, extracted as a simple application would do it.
pub(crate) struct Bearer(String);

impl FromRequestParts<Arc<Decoder>> for Bearer {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        decoder: &Arc<Decoder>,
    ) -> Result<Self, StatusCode> {
        let header = parts.headers.get(AUTHORIZATION);
        let token = header
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .ok_or(StatusCode::UNAUTHORIZED)?;
        let claims = decoder
            .decode(token)
            .map_err(|_| StatusCode::UNAUTHORIZED)?;
        Ok(Self(claims.sub))
    }
}

/// A router that decodes tokens.
pub(crate) fn decoding(decoder: Decoder) -> Router {
    let handler = |user: Bearer| async move {
        std::hint::black_box(&user.0);
        "ok"
    };
    Router::new()
        .route("/orders", get(handler))
        .with_state(Arc::new(decoder))
}

/// A router with Supersession's layer.
pub(crate) fn guarded(ours: &Ours) -> Router {
    Router::new()
        .route("/orders", get(user))
        .layer(SessionLayer::new(ours.sessions.clone()))
}

/// A router without sessions.
pub(crate) fn bare() -> Router {
    Router::new().route("/orders", get(ok))
}

pub(super) fn case(case: &str) -> anyhow::Result<()> {
    let making = tokio::runtime::Runtime::new()?;
    let cache = if case == "miss" { NO_CACHE } else { CACHE };
    let ours = making.block_on(Ours::open(MemoryStore::new(), cache))?;
    let token = making.block_on(ours.tokens(1))?.remove(0);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let layer = SessionLayer::new(ours.sessions.clone());
    let app = match case {
        "bare" => bare(),
        "from_fn" => bare().layer(from_fn(|request, next: Next| next.run(request))),
        "untouched" => bare().layer(layer),
        "hit" | "hit-cookie" | "miss" => guarded(&ours),
        "hit-data" => Router::new().route("/orders", get(data)).layer(layer),
        "jsonwebtoken" => decoding(making.block_on(Decoder::of(&ours))?),
        "tower-untouched" => peers::tower_sessions(ok),
        "tower-read" => peers::tower_sessions(peers::tower_read),
        "axum_session" => runtime.block_on(peers::axum_session())?,
        "axum-login" => peers::axum_login(),
        _ => anyhow::bail!("there is no case {case}"),
    };
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("api.example.com"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // Every request has a cookie and a token, whether or not the application reads them.
    let cookie = if case == "hit-cookie" {
        format!("{}={token}", wire::ACCESS_COOKIE)
    } else {
        runtime.block_on(signed_in(&app))?
    };
    headers.insert(COOKIE, HeaderValue::from_str(&cookie)?);
    if case != "hit-cookie" {
        headers.insert(
            AUTHORIZATION,
            HeaderValue::from_str(&format!("Bearer {token}"))?,
        );
    }
    drive(&runtime, app, &headers)
}

/// Signs in and returns the cookies that a browser then sends.
pub(crate) async fn signed_in(app: &Router) -> anyhow::Result<String> {
    let request = Request::get("/login").body(Body::empty())?;
    let answer = app.clone().call(request).await?;
    let cookies: Vec<_> = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok()?.split(';').next())
        .collect();
    Ok(if cookies.is_empty() {
        "theme=0123456789abcdef".to_owned()
    } else {
        cookies.join("; ")
    })
}

fn drive(
    runtime: &tokio::runtime::Runtime,
    mut app: Router,
    headers: &HeaderMap,
) -> anyhow::Result<()> {
    let request = || -> anyhow::Result<_> {
        let mut request = Request::get("/orders").body(Body::empty())?;
        request.headers_mut().clone_from(headers);
        Ok(request)
    };
    let first = request()?;
    let answer = runtime.block_on(async { app.call(first).await })?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    take_turns(|operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                let request = request().expect("as before");
                let answer = app.call(request).await.expect("infallible");
                assert_eq!(answer.status(), StatusCode::OK);
            }
        });
    })
}
