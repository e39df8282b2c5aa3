//! Rejections as pages.

use supersession::{Pages, RefreshInPlace, SessionsBuilder};

use super::{Driver, Req, Stage};

/// Navigations, forms and requests of htmx that are rejected.
pub async fn pages<D: Driver>(stage: &mut Stage<D>) {
    let pages = |builder: SessionsBuilder| {
        builder
            .refresh_in_place(RefreshInPlace::On)
            .pages(Pages::sign_in_at("/login").failed_claims_at("/confirm"))
    };
    stage.open("pages", pages).await;
    let navigation = |request: Req| request.header("sec-fetch-mode", "navigate");
    for path in ["/verify?a=1&b=2", "/session", "/checked"] {
        let name = format!("a navigation to {path} without a session");
        stage.send(&name, navigation(Req::get(path))).await;
    }
    let form = navigation(Req::post("/verify"))
        .header("sec-fetch-site", "same-origin")
        .header("referer", "https://api.example.com/cart?x=1");
    stage.send("a form without a session", form).await;
    let htmx = Req::get("/verify")
        .header("hx-request", "true")
        .header("hx-current-url", "https://api.example.com/cart");
    stage.send("htmx without a session", htmx).await;
    stage
        .send("a program without a session", Req::get("/verify"))
        .await;
    let alice = stage.sign_in("alice signs in", "alice", "cookie").await;
    let admin = navigation(Req::get("/admin").access_cookie(&alice));
    stage.send("a navigation that fails a claim", admin).await;
    let garbage = navigation(Req::get("/verify").cookie("sAccessToken", "garbage"));
    stage
        .send("a navigation with a damaged token", garbage)
        .await;
}
