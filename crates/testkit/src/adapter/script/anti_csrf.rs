//! Anti-CSRF (session specification, section 6).

use supersession::AntiCsrf;
use supersession::wire::RID_HEADER;

use super::{DEFAULT, Driver, Req, Stage, Tokens, default};

/// Requests that must prove their origin, in each mode.
pub async fn anti_csrf<D: Driver>(stage: &mut Stage<D>) {
    stage
        .open("anti-CSRF by token", |builder| {
            builder.anti_csrf(AntiCsrf::ViaToken)
        })
        .await;
    let by_token = "by token";
    let (alice, bob) = each_route(stage, by_token).await;
    let with = |method: &str, path: &str| {
        Req::new(method, path)
            .access_cookie(&alice)
            .anti_csrf(&alice)
    };
    stage
        .send("by token: POST with the token", with("POST", "/verify"))
        .await;
    stage
        .send("by token: HEAD with the token", with("HEAD", "/verify"))
        .await;
    stage
        .send(
            "by token: GET with the token where it is forced",
            with("GET", "/csrf-forced"),
        )
        .await;
    let wrong = Req::post("/verify")
        .access_cookie(&alice)
        .header("anti-csrf", "wrong");
    stage.send("by token: a wrong token", wrong).await;
    let another = Req::post("/verify").access_cookie(&alice).anti_csrf(&bob);
    stage
        .send("by token: the token of another session", another)
        .await;
    let merge = Req::post("/merge")
        .access_cookie(&alice)
        .anti_csrf(&alice)
        .json(&serde_json::json!({"a": 1}));
    stage
        .send(
            "by token: a payload update does not repeat the token",
            merge,
        )
        .await;
    stage
        .send(
            "by token: refresh without the token",
            Req::refresh().refresh_cookie(&alice),
        )
        .await;
    let refresh = Req::refresh().refresh_cookie(&alice).anti_csrf(&alice);
    let next = stage
        .send("by token: refresh with the token", refresh)
        .await
        .tokens();
    let request = Req::post("/verify").access_cookie(&next).anti_csrf(&next);
    stage
        .send("by token: POST after the refresh", request)
        .await;

    let custom =
        |builder: supersession::SessionsBuilder| builder.anti_csrf(AntiCsrf::ViaCustomHeader);
    stage.open("anti-CSRF by custom header", custom).await;
    let (alice, _) = each_route(stage, "by header").await;
    stage
        .send(
            "by header: POST with it",
            Req::post("/verify").access_cookie(&alice).rid(),
        )
        .await;
    let empty = Req::post("/verify")
        .access_cookie(&alice)
        .header(RID_HEADER, "");
    stage.send("by header: POST with an empty one", empty).await;
    stage
        .send(
            "by header: refresh without it",
            Req::refresh().refresh_cookie(&alice),
        )
        .await;
    let refresh = Req::refresh().refresh_cookie(&alice).rid();
    stage.send("by header: refresh with it", refresh).await;

    stage
        .open("no anti-CSRF", |builder| builder.anti_csrf(AntiCsrf::None))
        .await;
    each_route(stage, "none").await;

    stage
        .open("another site", |builder| {
            builder.website_domain("https://example.org")
        })
        .await;
    let alice = stage
        .sign_in("another site: sign-in", "alice", "cookie")
        .await;
    stage
        .send(
            "another site: POST without `rid`",
            Req::post("/verify").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "another site: POST with `rid`",
            Req::post("/verify").access_cookie(&alice).rid(),
        )
        .await;

    stage.open(DEFAULT, default).await;
    let old = stage
        .sign_in("a session from before anti-CSRF tokens", "alice", "cookie")
        .await;
    stage
        .restart("anti-CSRF by token, from now on", |builder| {
            builder.anti_csrf(AntiCsrf::ViaToken)
        })
        .await;
    stage
        .send(
            "from before: POST asks for a refresh",
            Req::post("/verify").access_cookie(&old),
        )
        .await;
    stage
        .send(
            "from before: the refresh makes a token",
            Req::refresh().refresh_cookie(&old),
        )
        .await;
}

/// Creates two sessions, and sends requests without a proof.
async fn each_route<D: Driver>(stage: &mut Stage<D>, mode: &str) -> (Tokens, Tokens) {
    let alice = stage
        .sign_in(
            &format!("{mode}: alice signs in with cookies"),
            "alice",
            "cookie",
        )
        .await;
    let bob = stage
        .sign_in(
            &format!("{mode}: bob signs in with cookies"),
            "bob",
            "cookie",
        )
        .await;
    let carol = stage
        .sign_in(
            &format!("{mode}: carol signs in with headers"),
            "carol",
            "header",
        )
        .await;
    for (method, path) in [
        ("GET", "/verify"),
        ("POST", "/verify"),
        ("HEAD", "/verify"),
        ("OPTIONS", "/verify"),
        ("POST", "/optional"),
        ("GET", "/csrf-forced"),
        ("POST", "/csrf-off"),
        ("POST", "/session"),
    ] {
        let request = Req::new(method, path).access_cookie(&alice);
        stage
            .send(&format!("{mode}: {method} {path} with nothing"), request)
            .await;
    }
    stage
        .send(
            &format!("{mode}: POST without a session"),
            Req::post("/optional"),
        )
        .await;
    let request = Req::post("/csrf-forced").bearer(&carol.access);
    stage
        .send(&format!("{mode}: headers are exempt"), request)
        .await;
    (alice, bob)
}
