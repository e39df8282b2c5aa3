//! Configurable parts of responses (session specification, 5.5, 3.7, section 11).

use std::time::Duration;

use serde_json::json;
use supersession::http::{Reply, RequestView};
use supersession::{SameSite, SessionError, SessionsBuilder};

use super::{DEFAULT, Driver, Req, Stage, Terms, default};

/// Custom statuses, error responses and names, cookie attributes and lifetimes.
pub async fn configured<D: Driver>(stage: &mut Stage<D>) {
    let statuses = |builder: SessionsBuilder| {
        builder
            .session_expired_status(440)
            .invalid_claim_status(418)
    };
    stage.open("other statuses", statuses).await;
    errors(stage, "statuses").await;

    stage
        .open("errors as the application likes them", |builder| {
            builder.render_errors(render)
        })
        .await;
    errors(stage, "rendered").await;
    let alice = stage
        .sign_in("rendered: sign-in to reuse", "alice", "cookie")
        .await;
    let next = stage
        .send("rendered: refresh", Req::refresh().refresh_cookie(&alice))
        .await
        .tokens();
    stage
        .send("rendered: refresh on", Req::refresh().refresh_cookie(&next))
        .await;
    stage
        .send("rendered: theft", Req::refresh().refresh_cookie(&alice))
        .await;

    let names = |builder: SessionsBuilder| {
        let builder = builder.cookie_names("my-access", "my-refresh");
        builder
            .response_header_names("my-access", "my-refresh")
            .expose_access_token_to_frontend(true)
    };
    stage.open("other names", names).await;
    let alice = stage
        .sign_in("names: sign-in with cookies", "alice", "cookie")
        .await;
    stage
        .sign_in("names: sign-in with headers", "bob", "header")
        .await;
    let own = |path: &str| {
        Req::post(path)
            .cookie("my-access", &alice.access)
            .cookie("my-refresh", &alice.refresh)
    };
    stage
        .send(
            "names: the usual name is nobody's",
            Req::get("/option").access_cookie(&alice),
        )
        .await;
    stage
        .send("names: merge", own("/merge").json(&json!({"a": 1})))
        .await;
    stage
        .send("names: refresh", own("/auth/session/refresh"))
        .await;
    stage.send("names: sign-out", own("/auth/signout")).await;

    let cookies = |builder: SessionsBuilder| {
        let builder = builder
            .cookie_domain(".example.com")
            .access_token_path("/app");
        builder
            .cookie_same_site(SameSite::Strict)
            .cookie_secure(false)
    };
    stage.open("cookie attributes", cookies).await;
    let alice = stage
        .sign_in("attributes: sign-in", "alice", "cookie")
        .await;
    stage
        .send(
            "attributes: own verdict",
            Req::post("/own-unauthorised").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "attributes: sign-out",
            Req::sign_out().access_cookie(&alice),
        )
        .await;

    stage
        .open("the origin from the request", |builder| {
            builder.origin(origin)
        })
        .await;
    for site in ["https://example.com", "https://example.org"] {
        let request = Req::create("cookie", &json!({})).header("origin", site);
        stage.send(&format!("origin {site}"), request).await;
    }
    let elsewhere = Req::post("/own-unauthorised").header("origin", "https://example.org");
    stage
        .send("origin of an error that nobody looked for", elsewhere)
        .await;

    let lifetimes = Terms {
        access_token_validity: Duration::from_secs(60),
        refresh_token_validity: Duration::from_secs(600),
        ..Terms::default()
    };
    stage
        .open_on("short lives, another issuer", lifetimes, |builder| {
            builder.issuer("https://issuer.example")
        })
        .await;
    let alice = stage.sign_in("lifetimes: sign-in", "alice", "cookie").await;
    stage.pass(60);
    stage
        .send(
            "lifetimes: expired",
            Req::get("/verify").access_cookie(&alice),
        )
        .await;
    stage
        .send("lifetimes: refresh", Req::refresh().refresh_cookie(&alice))
        .await;
    stage
        .send(
            "lifetimes: discovery",
            Req::get("/auth/.well-known/openid-configuration"),
        )
        .await;
    stage.open(DEFAULT, default).await;
    stage.send("the default again", Req::get("/verify")).await;
}

/// Provokes one error of each kind.
async fn errors<D: Driver>(stage: &mut Stage<D>, what: &str) {
    let name = |error: &str| format!("{what}: {error}");
    stage.send(&name("unauthorised"), Req::get("/verify")).await;
    stage
        .send(
            &name("unauthorised, by the application"),
            Req::post("/own-unauthorised"),
        )
        .await;
    stage
        .send(&name("refresh without a token"), Req::refresh())
        .await;
    let alice = stage.sign_in(&name("sign-in"), "alice", "cookie").await;
    stage
        .send(
            &name("invalid claim"),
            Req::get("/admin").access_cookie(&alice),
        )
        .await;
    let bad = Req::post("/merge")
        .access_cookie(&alice)
        .json(&json!({"sub": "x"}));
    stage.send(&name("bad input"), bad).await;
    stage.fail_once(supersession::store::StoreErrorKind::Unavailable);
    stage
        .send(
            &name("store down"),
            Req::get("/checked").access_cookie(&alice),
        )
        .await;
    stage.pass(3_600);
    stage
        .send(
            &name("try refresh token"),
            Req::get("/verify").access_cookie(&alice),
        )
        .await;
}

fn render(error: &SessionError, reply: Reply) -> Reply {
    match error {
        SessionError::Fault(_) => reply.with_header("x-trouble", "yes"),
        _ => Reply::json(
            reply.status,
            json!({"problem": error.to_string(), "was": reply.body}).to_string(),
        )
        .with_header("content-type", "application/problem+json")
        .with_header("x-problem", "session"),
    }
}

fn origin(request: &dyn RequestView) -> String {
    request
        .header("origin")
        .unwrap_or_else(|| "https://example.com".to_owned())
}
