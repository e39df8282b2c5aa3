//! Requests that the built-in routes answer (session specification, 7.1, 7.4 to 7.6).

use supersession::SessionsBuilder;

use super::{DEFAULT, Driver, Req, Stage};

/// The built-in routes at their default paths, and requests that are passed to the application.
pub async fn routes<D: Driver>(stage: &mut Stage<D>) {
    let tenants = |builder: SessionsBuilder| builder.path_tenants(["t1", "t-1"]);
    stage.open(DEFAULT, tenants).await;
    stage
        .send("the key set", Req::get("/auth/jwt/jwks.json"))
        .await;
    stage.pass(86_400);
    stage
        .send("the key set a day later", Req::get("/auth/jwt/jwks.json"))
        .await;
    stage
        .send(
            "discovery",
            Req::get("/auth/.well-known/openid-configuration"),
        )
        .await;
    let with_headers = Req::get("/auth/jwt/jwks.json")
        .header("cookie", "a=\u{fc}")
        .rid();
    stage
        .send("the key set with odd headers", with_headers)
        .await;

    for (method, path) in [
        ("GET", "/auth/session/refresh"),
        ("PUT", "/auth/session/refresh"),
        ("OPTIONS", "/auth/session/refresh"),
        ("GET", "/auth/signout"),
        ("POST", "/auth/jwt/jwks.json"),
        ("HEAD", "/auth/jwt/jwks.json"),
        ("OPTIONS", "/auth/jwt/jwks.json"),
        ("POST", "/auth/.well-known/openid-configuration"),
        ("POST", "/auth"),
        ("GET", "/auth/"),
        ("GET", "/auth/unknown"),
        ("POST", "/authx/session/refresh"),
        ("POST", "/AUTH/session/refresh"),
        ("POST", "/auth/session/refresh/more"),
        ("POST", "/auth//session/refresh"),
        ("POST", "/auth/session%2Frefresh"),
        ("POST", "/x/auth/session/refresh"),
        ("GET", "/unknown"),
        ("DELETE", "/unknown/deeper?query=1"),
    ] {
        stage
            .send(
                &format!("{method} {path} is the application's"),
                Req::new(method, path),
            )
            .await;
    }
    for path in [
        "/auth/session/refresh/",
        "/auth/t1/session/refresh",
        "/auth/public/signout",
        "/auth/t-1/signout/",
    ] {
        stage
            .send(&format!("POST {path} is ours"), Req::post(path))
            .await;
    }
    stage
        .send(
            "GET /auth/t1/jwt/jwks.json",
            Req::get("/auth/t1/jwt/jwks.json"),
        )
        .await;
    stage
        .send("a tenant of other letters", Req::post("/auth/t_1/signout"))
        .await;
    stage
        .send("two segments are no tenant", Req::post("/auth/a/b/signout"))
        .await;
    let tokens = stage.sign_in("alice signs in", "alice", "cookie").await;
    let query = Req::post("/auth/session/refresh?a=/b").refresh_cookie(&tokens);
    stage.send("refresh with a query", query).await;
    let query = Req::get("/auth/jwt/jwks.json?a=1");
    stage.send("the key set with a query", query).await;
    let tenant = Req::post("/auth/t1/session/refresh").refresh_cookie(&tokens);
    stage.send("refresh in a tenant", tenant).await;

    let off = |builder: SessionsBuilder| builder.without_refresh_route().without_signout_route();
    stage
        .restart("refresh and sign-out by the application", off)
        .await;
    let tokens = stage.sign_in("off: sign-in", "alice", "cookie").await;
    let next = stage
        .send(
            "off: the application's refresh",
            Req::refresh().refresh_cookie(&tokens),
        )
        .await
        .tokens();
    stage
        .send(
            "off: the application's refresh without a token",
            Req::refresh(),
        )
        .await;
    stage
        .send(
            "off: the application's sign-out",
            Req::sign_out().access_cookie(&next),
        )
        .await;
    stage
        .send(
            "off: the application's sign-out without a token",
            Req::sign_out(),
        )
        .await;
    stage
        .send(
            "off: discovery stays",
            Req::get("/auth/.well-known/openid-configuration"),
        )
        .await;
}

/// Other base paths, and a gateway in front of the application. With the base path `/`, the first
/// segment of the default paths is a tenant.
pub async fn paths<D: Driver>(stage: &mut Stage<D>) {
    for (configuration, base, gateway) in [
        ("base path /api/v1", "/api/v1", ""),
        ("base path /", "/", ""),
        ("behind a gateway at /gateway", "hello", "/gateway"),
    ] {
        let configure = |builder: SessionsBuilder| {
            builder
                .api_base_path(base)
                .api_gateway_path(gateway)
                .path_tenants(["auth"])
        };
        stage.open(configuration, configure).await;
        let name = |what: &str| format!("{configuration}: {what}");
        let base = format!("/{}", base.trim_matches('/'));
        let path = |path: &str| format!("{}{path}", base.trim_end_matches('/'));
        let tokens = stage.sign_in(&name("sign-in"), "alice", "cookie").await;
        let refresh = Req::post(&path("/session/refresh")).refresh_cookie(&tokens);
        let next = stage.send(&name("refresh"), refresh).await.tokens();
        let sign_out = Req::post(&path("/signout")).access_cookie(&next);
        stage.send(&name("sign-out"), sign_out).await;
        let discovery = Req::get(&path("/.well-known/openid-configuration"));
        stage.send(&name("discovery"), discovery).await;
        stage
            .send(&name("the usual path"), Req::get("/auth/jwt/jwks.json"))
            .await;
        if !gateway.is_empty() {
            let with_gateway = Req::post(&format!("{gateway}{}", path("/session/refresh")));
            stage
                .send(&name("the gateway's prefix is gone"), with_gateway)
                .await;
        }
    }
}
