//! An axum application with sessions on AWS Lambda, behind an API Gateway. On any other machine,
//! `cargo run -p lambda-axum` simulates two events of the gateway: a sign-in, and a call with the
//! cookies that the sign-in set.
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

use axum::routing::{get, post};
use axum::{Json, Router};
use lambda_http::{Body, Error, IntoResponse as _, Response, Service as _};
use serde_json::{Value, json};
use supersession_axum::core::store::MemoryStore;
use supersession_axum::core::{BuildError, Sessions, wire};
use supersession_axum::{RequestSessions, Session, SessionLayer, SessionRejection};

async fn login(sessions: RequestSessions) -> Result<&'static str, SessionRejection> {
    sessions.create("alice").data(json!({"visits": 1})).await?;
    Ok("welcome")
}

async fn cart(session: Session) -> Result<Json<Value>, SessionRejection> {
    Ok(Json(session.session_data().await?))
}

async fn app() -> Result<Router, BuildError> {
    // Instances are started and stopped at any time, and two events may reach different instances.
    // A real function therefore needs a store over the network instead of this one.
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("https://api.example.com")
        .website_domain("https://www.example.com")
        .build()
        .await?;
    Ok(Router::new()
        .route("/login", post(login))
        .route("/cart", get(cart))
        .layer(SessionLayer::new(sessions)))
}

/// Builds an event of an HTTP API, payload format 2.0.
fn event(method: &str, path: &str, cookies: &[String]) -> String {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "cookies": cookies,
        "headers": { "host": "api.example.com", wire::AUTH_MODE_HEADER: "cookie" },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "example",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "example"
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1_700_000_000_000_u64
        },
        "isBase64Encoded": false
    })
    .to_string()
}

/// Processes an event as `lambda_http::run` does.
async fn play(app: &mut Router, event: &str) -> Result<Response<Body>, Error> {
    let request = lambda_http::request::from_str(event)?;
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = app.call(request).await?.into_response().await;
    let body = std::str::from_utf8(response.body())?;
    println!("{method} {path}: {} {body}", response.status().as_u16());
    Ok(response)
}

/// Returns the cookies that the browser sends back: each `set-cookie` without its attributes. The
/// gateway passes them as the list `cookies`.
fn cookies(response: &Response<Body>) -> Result<Vec<String>, Error> {
    let set_cookies = response.headers().get_all(wire::SET_COOKIE_HEADER);
    let cookies = set_cookies.into_iter().map(|cookie| {
        let cookie = cookie.to_str()?;
        Ok(cookie
            .split_once(';')
            .map_or(cookie, |(pair, _)| pair)
            .to_owned())
    });
    cookies.collect()
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut app = app().await?;
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        return lambda_http::run(app).await;
    }
    let signed_in = play(&mut app, &event("POST", "/login", &[])).await?;
    let cookies = cookies(&signed_in)?;
    println!("cookies: {}", cookies.len());
    play(&mut app, &event("GET", "/cart", &cookies)).await?;
    Ok(())
}
