//! How the tokens of a new session travel.

use axum::response::IntoResponse as _;
use axum::routing::post;
use serde_json::json;
use supersession::{AntiCsrf, TokenTransferMethod};
use supersession_axum::{RequestSessions, SessionRejection};

use super::{cookie_lines, front_token, header_names};
use crate::support::{Answer, App, Req};

fn create(mode: Option<&str>) -> Req {
    let request = Req::post("/create").json(&json!({"userId": "alice"}));
    match mode {
        Some(mode) => request.header("st-auth-mode", mode),
        None => request,
    }
}

/// Fails unless the tokens of a new session are in headers, and only there.
#[track_caller]
fn is_by_header(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        header_names(answer),
        [
            "access-control-expose-headers",
            "cache-control",
            "content-length",
            "content-type",
            "front-token",
            "st-access-token",
            "st-refresh-token",
        ]
    );
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("front-token, st-access-token, st-refresh-token")
    );
    assert!(!answer.tokens().access.is_empty() && !answer.tokens().refresh.is_empty());
    describes_its_token(answer);
}

/// Fails unless the tokens of a new session are in two cookies, and only there.
#[track_caller]
fn is_by_cookie(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        header_names(answer),
        [
            "access-control-expose-headers",
            "cache-control",
            "content-length",
            "content-type",
            "front-token",
            "set-cookie",
        ]
    );
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("front-token")
    );
    let names: Vec<_> = answer
        .cookies()
        .into_iter()
        .map(|cookie| cookie.name)
        .collect();
    assert_eq!(names, ["sAccessToken", "sRefreshToken"]);
    assert!(!answer.tokens().access.is_empty() && !answer.tokens().refresh.is_empty());
    describes_its_token(answer);
}

#[track_caller]
fn describes_its_token(answer: &Answer) {
    let payload = answer.tokens().payload();
    let ate = payload["exp"].as_u64().unwrap() * 1_000;
    assert_eq!(
        front_token(answer.header("front-token").unwrap()),
        json!({"uid": "alice", "ate": ate, "up": payload})
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// With the default configuration, and with a function that returns `Any`, the client's
/// `st-auth-mode` decides: cookies only if it asks for them, in any case of letters; headers if it
/// asks for them, for something unknown, or for nothing. With `Any` from the application's own
/// function, only the exact word asks for cookies.
/// Cases: S33, S34, S35, S36, S37, S38, S46.
#[tokio::test]
async fn the_client_chooses_how_its_tokens_travel() {
    let default = App::new().await;
    let any = App::with(|builder| builder.token_transfer_method(|_, _| TokenTransferMethod::Any));
    let any = any.await;
    for app in [&default, &any] {
        is_by_header(&app.send(create(None)).await);
        is_by_header(&app.send(create(Some("lol"))).await);
        is_by_header(&app.send(create(Some(""))).await);
        is_by_header(&app.send(create(Some("header"))).await);
        is_by_cookie(&app.send(create(Some("cookie"))).await);
    }
    is_by_cookie(&default.send(create(Some("COOKIE"))).await);
    is_by_cookie(&default.send(create(Some("Cookie"))).await);
    is_by_header(&default.send(create(Some("HEADER"))).await);
    is_by_header(&any.send(create(Some("COOKIE"))).await);
}

/// A function that returns `Header` or `Cookie` decides, whatever the client asks for.
/// Cases: S39, S40.
#[tokio::test]
async fn the_application_may_choose_how_tokens_travel() {
    let header = App::with(|b| b.token_transfer_method(|_, _| TokenTransferMethod::Header)).await;
    let cookie = App::with(|b| b.token_transfer_method(|_, _| TokenTransferMethod::Cookie)).await;
    for mode in [None, Some("cookie"), Some("header"), Some("lol")] {
        is_by_header(&header.send(create(mode)).await);
        is_by_cookie(&cookie.send(create(mode)).await);
    }
}

/// A session in headers, created by a request with an access cookie, clears both cookies; the front
/// token is the new session's.
/// Cases: S41.
#[tokio::test]
async fn a_session_in_headers_clears_the_cookies_that_the_request_had() {
    let app = App::new().await;
    let old = app.login("bob").await;
    for cookie in [old.access.as_str(), "foreign", ""] {
        let request = create(Some("header")).cookie("sAccessToken", cookie);
        let answer = app.send(request).await;
        assert!(answer.clears_cookies(), "{answer:?}");
        assert_eq!(answer.cookies().len(), 2);
        assert_eq!(
            answer.exposed(),
            ["front-token", "st-access-token", "st-refresh-token"]
        );
        assert_eq!(answer.tokens().payload()["sub"], "alice");
        describes_its_token(&answer);
    }
    is_by_header(&app.send(create(Some("header")).cookie("other", "1")).await);
    is_by_header(&app.send(create(Some("header")).bearer(&old.access)).await);
}

/// A session in cookies, created by a request with a bearer token of any kind, empties both token
/// headers; the front token is the new session's.
/// Cases: S42.
#[tokio::test]
async fn a_session_in_cookies_empties_the_headers_that_the_request_had() {
    let app = App::new().await;
    let old = app.login_as("bob", "header").await;
    for bearer in [old.access.as_str(), "foreign"] {
        let answer = app.send(create(Some("cookie")).bearer(bearer)).await;
        assert!(answer.clears_headers(), "{answer:?}");
        assert_eq!(
            answer.exposed(),
            ["front-token", "st-access-token", "st-refresh-token"]
        );
        let cookies = answer.cookies();
        assert_eq!(cookies.len(), 2);
        assert!(cookies.iter().all(|cookie| !cookie.is_cleared()));
        assert_eq!(answer.tokens().payload()["sub"], "alice");
        describes_its_token(&answer);
    }
    is_by_cookie(&app.send(create(Some("cookie")).access_cookie(&old)).await);
}

/// Under `ViaToken` a session in cookies gets an anti-CSRF token, the one in its access token, and
/// the header is exposed.
/// Cases: S43.
#[tokio::test]
async fn a_session_in_cookies_gets_an_anti_csrf_token_under_via_token() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let answer = app.send(create(Some("cookie"))).await;
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("front-token, anti-csrf")
    );
    let anti_csrf = answer.header("anti-csrf").unwrap();
    assert_eq!(anti_csrf.len(), 36);
    assert_eq!(answer.tokens().payload()["antiCsrfToken"], anti_csrf);
    assert!(answer.header("st-access-token").is_none());
    assert!(answer.header("st-refresh-token").is_none());
    let other = app.send(create(Some("cookie"))).await;
    assert_ne!(other.header("anti-csrf").unwrap(), anti_csrf);
}

/// Without anti-CSRF, with the custom header, and for a session in headers, there is no anti-CSRF
/// token: neither a header nor a value in the access token.
/// Cases: S44, S45.
#[tokio::test]
async fn no_other_session_gets_an_anti_csrf_token() {
    for (mode, transport) in [
        (AntiCsrf::None, "cookie"),
        (AntiCsrf::None, "header"),
        (AntiCsrf::ViaCustomHeader, "cookie"),
        (AntiCsrf::ViaCustomHeader, "header"),
        (AntiCsrf::ViaToken, "header"),
    ] {
        let app = App::with(|builder| builder.anti_csrf(mode)).await;
        let answer = app.send(create(Some(transport))).await;
        match transport {
            "cookie" => is_by_cookie(&answer),
            _ => is_by_header(&answer),
        }
        assert_eq!(
            answer.tokens().payload().get("antiCsrfToken"),
            Some(&json!(null))
        );
    }
}

/// What the application has set on the response stays: names that it exposes come first, none is
/// listed twice, a name that merely contains one of ours does not stand for it, and its own cookies
/// are kept, as is a `Cache-Control` that shared caches do not store by.
/// Cases: S47.
#[tokio::test]
async fn headers_that_the_application_has_set_survive() {
    async fn login(
        sessions: RequestSessions,
    ) -> Result<axum::response::Response, SessionRejection> {
        sessions.create("alice").await?;
        let headers = [
            ("access-control-expose-headers", "customValue"),
            ("cache-control", "private, max-age=5"),
            ("x-own", "yes"),
            ("set-cookie", "own=1; Path=/"),
        ];
        Ok((headers, "welcome").into_response())
    }
    async fn overlapping(
        sessions: RequestSessions,
    ) -> Result<axum::response::Response, SessionRejection> {
        sessions.create("alice").await?;
        let exposed = [("access-control-expose-headers", "X-Front-Token,ANTI-CSRF")];
        Ok((exposed, "").into_response())
    }
    let app = App::with_routes(
        |builder| builder.anti_csrf(AntiCsrf::ViaToken),
        |router| {
            let router = router.route("/login", post(login));
            router.route("/overlapping", post(overlapping))
        },
    )
    .await;
    let answer = app
        .send(Req::post("/login").header("st-auth-mode", "cookie"))
        .await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "welcome"));
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("customValue, front-token, anti-csrf")
    );
    assert_eq!(answer.header("x-own"), Some("yes"));
    assert_eq!(answer.header("cache-control"), Some("private, max-age=5"));
    let lines = cookie_lines(&answer);
    assert_eq!((lines.len(), lines[0]), (3, "own=1; Path=/"));
    let answer = app
        .send(Req::post("/overlapping").header("st-auth-mode", "cookie"))
        .await;
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("X-Front-Token,ANTI-CSRF, front-token")
    );
}

/// A response with tokens does not get into shared caches, whatever the application has set.
#[tokio::test]
async fn a_response_with_tokens_is_not_for_shared_caches() {
    async fn login(
        sessions: RequestSessions,
    ) -> Result<axum::response::Response, SessionRejection> {
        sessions.create("alice").await?;
        let headers = [
            ("cache-control", "public, max-age=3600, immutable"),
            ("cdn-cache-control", "max-age=3600"),
            ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
            ("vary", "accept"),
        ];
        Ok((headers, "welcome").into_response())
    }
    async fn page() -> axum::response::Response {
        ([("cache-control", "public, max-age=3600")], "page").into_response()
    }
    let app = App::with_routes(
        |builder| builder,
        |router| {
            router
                .route("/login", post(login))
                .route("/page", axum::routing::get(page))
        },
    )
    .await;
    for mode in ["cookie", "header"] {
        let answer = app
            .send(Req::post("/login").header("st-auth-mode", mode))
            .await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("cdn-cache-control"), None);
        assert_eq!(answer.header("expires"), None);
        assert_eq!(answer.header("vary"), Some("accept"));
    }
    // Responses without tokens are the application's own.
    let answer = app.send(Req::get("/page")).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
}
