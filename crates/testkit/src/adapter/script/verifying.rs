//! Verification (session specification, 5.1 to 5.6).

use supersession::wire::LEGACY_ID_REFRESH_COOKIE;

use super::{DEFAULT, Driver, Req, Stage, Tokens, default};

/// Responses of a guard to a request's tokens, for every method.
pub async fn verifying<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    stage
        .send("no token where one is required", Req::get("/verify"))
        .await;
    stage
        .send("no token where it is optional", Req::get("/optional"))
        .await;
    let cookies = stage
        .sign_in("alice signs in with cookies", "alice", "cookie")
        .await;
    let request = Req::get("/guarded").access_cookie(&cookies);
    stage.send("a handler that asks nothing", request).await;
    stage
        .send("a handler that is not asked", Req::get("/guarded"))
        .await;
    let headers = stage
        .sign_in("bob signs in with headers", "bob", "header")
        .await;
    for method in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE",
    ] {
        let request = Req::new(method, "/verify").access_cookie(&cookies);
        stage
            .send(&format!("{method} with a cookie"), request)
            .await;
    }
    stage
        .send(
            "OPTIONS without a token passes the guard",
            Req::new("OPTIONS", "/verify"),
        )
        .await;
    stage
        .send("HEAD without a token does not", Req::new("HEAD", "/verify"))
        .await;
    stage
        .send(
            "a bearer token",
            Req::get("/verify").bearer(&headers.access),
        )
        .await;
    stage
        .send(
            "an optional session that is there",
            Req::get("/optional").access_cookie(&cookies),
        )
        .await;
    let query = Req::get("/verify?a=1&b=2").access_cookie(&cookies);
    stage.send("a path with a query", query).await;

    let tampered = maimed(&cookies);
    let request = Req::get("/verify").cookie("sAccessToken", &tampered);
    stage.send("a wrong signature", request).await;
    let request = Req::get("/optional").cookie("sAccessToken", &tampered);
    stage.send("a wrong signature is no guest", request).await;
    let legacy = Req::get("/optional")
        .access_cookie(&cookies)
        .cookie(LEGACY_ID_REFRESH_COOKIE, "x");
    stage
        .send("the cookie of a legacy session asks for a refresh", legacy)
        .await;

    stage.pass(3_600);
    stage
        .send(
            "an expired cookie",
            Req::get("/verify").access_cookie(&cookies),
        )
        .await;
    stage
        .send(
            "an expired cookie is no guest",
            Req::get("/optional").access_cookie(&cookies),
        )
        .await;
    stage
        .send(
            "an expired bearer token",
            Req::get("/verify").bearer(&headers.access),
        )
        .await;
    let request = Req::new("OPTIONS", "/verify").access_cookie(&cookies);
    stage.send("OPTIONS looks at nothing", request).await;
}

/// Returns the access token with an invalid signature.
fn maimed(tokens: &Tokens) -> String {
    let (unsigned, _) = tokens.access.rsplit_once('.').unwrap_or_default();
    format!("{unsigned}.c2lnbmF0dXJl")
}
