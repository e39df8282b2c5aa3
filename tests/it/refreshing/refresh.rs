//! The refresh endpoint: its answer, its paths, and what it does not look at (session
//! specification, 7.1 and 7.2).

use axum::Router;
use axum::routing::post;
use supersession::store::MemoryStore;
use supersession::{AntiCsrf, BuildError, Sessions, SessionsBuilder};

use super::{
    assert_cookies_only, assert_describes, assert_headers_only, cookie_lines, header_names,
    lines_of,
};
use crate::support::{App, Req, default_config};

/// A refresh gives everything anew.
///
/// Cases: S133.
#[tokio::test]
async fn a_refresh_replaces_every_token() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let first = app.login("alice").await;
    let request = Req::refresh()
        .refresh_cookie(&first)
        .header("anti-csrf", first.anti_csrf.as_deref().unwrap());
    let answer = app.send(request).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    assert_eq!(
        header_names(&answer),
        [
            "access-control-expose-headers",
            "anti-csrf",
            "cache-control",
            "content-type",
            "front-token",
            "set-cookie",
        ]
    );
    assert_eq!(answer.exposed(), ["front-token", "anti-csrf"]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let second = answer.tokens();
    assert_eq!(cookie_lines(&answer), lines_of(&second));
    assert_describes(&answer, &second);
    assert_ne!(second.access, first.access);
    assert_ne!(second.refresh, first.refresh);
    assert_ne!(second.anti_csrf, first.anti_csrf);
    let (old, new) = (first.payload(), second.payload());
    assert_ne!(new["refreshTokenHash1"], old["refreshTokenHash1"]);
    assert_eq!(new["antiCsrfToken"], second.anti_csrf.clone().unwrap());
    assert!(new["parentRefreshTokenHash1"].is_null());
    for kept in ["sub", "rsub", "tId", "iss", "sessionHandle"] {
        assert_eq!(new[kept], old[kept]);
    }
}

/// In a header the refresh token stands as it is, with letters that a cookie would have to encode.
///
/// Cases: S134.
#[tokio::test]
async fn a_refresh_token_in_a_header_is_not_percent_encoded() {
    let app = App::new().await;
    let mut tokens = app.login_as("alice", "header").await;
    // Tokens are base64, so after a few exchanges one has had a letter that percent-encoding would
    // change.
    let mut had_odd_letters = false;
    for _ in 0..8 {
        had_odd_letters |= tokens.refresh.contains(['+', '/', '=']);
        let answer = app.send(Req::refresh().bearer(&tokens.refresh)).await;
        tokens = assert_headers_only(&answer);
    }
    assert!(had_odd_letters);
    let encoded = tokens.refresh.replace('.', "%2E");
    app.send(Req::refresh().bearer(&encoded))
        .await
        .is_unauthorised();
}

/// `rid` chooses a recipe elsewhere; here there is but one.
///
/// Cases: S143.
#[tokio::test]
async fn rid_does_not_matter_to_a_refresh_by_header() {
    for mode in [
        AntiCsrf::None,
        AntiCsrf::ViaCustomHeader,
        AntiCsrf::ViaToken,
    ] {
        let app = App::with(|builder| builder.anti_csrf(mode)).await;
        let mut tokens = app.login_as("alice", "header").await;
        for rid in [Some("anti-csrf"), Some("session"), Some("unknown"), None] {
            let request = Req::refresh().bearer(&tokens.refresh);
            let request = match rid {
                Some(rid) => request.header("rid", rid),
                None => request,
            };
            tokens = assert_headers_only(&app.send(request).await);
        }
    }
}

/// A tenant in the path is accepted and ignored, as are a query and a slash at the end.
///
/// Cases: S144.
#[tokio::test]
async fn a_tenant_in_the_path_is_ignored() {
    let app = App::with(|builder| builder.path_tenants(["other-tenant1"])).await;
    let mut tokens = app.login("alice").await;
    for path in [
        "/auth/public/session/refresh",
        "/auth/other-tenant1/session/refresh",
        "/auth/session/refresh/",
        "/auth/session/refresh?tenant=x",
    ] {
        let answer = app.send(Req::post(path).refresh_cookie(&tokens)).await;
        tokens = assert_cookies_only(&answer);
        assert_eq!(tokens.payload()["tId"], "public");
    }
    for path in [
        "/session/refresh",
        "/auth/a/b/session/refresh",
        "/auth/a.b/session/refresh",
        "/auth//session/refresh",
        "/auth/session/refresh/x",
        "/authsession/refresh",
        "/AUTH/session/refresh",
    ] {
        let answer = app.send(Req::post(path).refresh_cookie(&tokens)).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{path}");
        assert!(answer.has_no_token_headers());
    }
}

/// A segment that is no tenant of the application belongs to a route of the application.
#[tokio::test]
async fn a_route_of_the_application_below_the_base_path_is_not_a_sign_out() {
    let own = |router: Router| {
        router
            .route("/auth/admin/signout", post(async || "the application's"))
            .route(
                "/auth/admin/session/refresh",
                post(async || "the application's"),
            )
    };
    let app = App::with_routes(|builder| builder, own).await;
    let tokens = app.login("alice").await;
    for path in ["/auth/admin/signout", "/auth/admin/session/refresh"] {
        let request = Req::post(path)
            .access_cookie(&tokens)
            .refresh_cookie(&tokens);
        let answer = app.send(request).await;
        assert_eq!(answer.text, "the application's", "{path}");
        assert!(answer.has_no_token_headers(), "{answer:?}");
    }
    assert_eq!(
        app.sessions.handles_for_user("alice").await.unwrap().len(),
        1
    );

    // An application that wants SuperTokens' rule has it, and hears what that means.
    let app = App::with_routes(SessionsBuilder::any_path_tenant, own).await;
    let tokens = app.login("alice").await;
    let answer = app
        .send(Req::post("/auth/admin/signout").access_cookie(&tokens))
        .await;
    assert_eq!(answer.text, r#"{"status":"OK"}"#);
    let findings = app.sessions.doctor().await;
    assert_eq!(findings[0].subject, "any_path_tenant", "{findings:?}");

    for tenant in ["", "a/b", "a_b", "a.b"] {
        let problems = default_config(Sessions::builder(MemoryStore::new()))
            .path_tenants([tenant])
            .build()
            .await;
        let Err(BuildError::Config(problems)) = problems else {
            panic!("{tenant}");
        };
        assert_eq!(problems[0].setting, "path_tenants", "{problems:?}");
    }
}

/// Behind a gateway that strips a prefix, cookies and the issuer have the public path, and requests
/// come without it.
///
/// Cases: S145.
#[tokio::test]
async fn behind_a_gateway_requests_come_without_its_path() {
    let app =
        App::with(|builder| builder.api_gateway_path("/gateway").api_base_path("hello")).await;
    let first = app.login("alice").await;
    assert_eq!(
        first.payload()["iss"],
        "https://api.example.com/gateway/hello"
    );
    let request = Req::post("/hello/session/refresh").refresh_cookie(&first);
    let answer = app.send(request).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    assert_eq!(
        answer.cookie("sRefreshToken").unwrap().path.as_deref(),
        Some("/gateway/hello/session/refresh")
    );
    assert_eq!(
        answer.cookie("sAccessToken").unwrap().path.as_deref(),
        Some("/")
    );
    let public = Req::post("/gateway/hello/session/refresh").refresh_cookie(&first);
    assert_eq!(app.send(public).await.status, 404);
}

/// Only POST refreshes; everything else on the path is the application's.
///
/// Cases: S140.
#[tokio::test]
async fn other_methods_on_the_refresh_path_are_the_applications() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let request = Req::new(method, "/auth/session/refresh").refresh_cookie(&tokens);
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{method}");
        assert!(answer.has_no_token_headers());
    }
    // Nothing was exchanged: the token is still the current one long after the grace period.
    app.advance_secs(3_000);
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
}
