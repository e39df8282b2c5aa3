//! Cookies of an older domain (session specification, 3.11).

use supersession::{CookiePrefix, SessionsBuilder};

use super::{DEFAULT, Driver, Req, Stage, Tokens, default};

/// Duplicate cookies at refresh, with and without the setting that removes them.
pub async fn duplicates<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    let alice = stage.sign_in("alice signs in", "alice", "cookie").await;
    stage
        .send("no setting: refresh cookie twice", twice(&alice))
        .await;
    let access = Req::refresh()
        .access_cookie(&alice)
        .access_cookie(&alice)
        .refresh_cookie(&alice);
    stage.send("no setting: access cookie twice", access).await;
    let verify = Req::get("/verify")
        .access_cookie(&alice)
        .access_cookie(&alice);
    stage.send("a guard asks for a refresh", verify).await;

    stage
        .restart(
            "cookies on .example.com, before on the host alone",
            |builder| domain(builder).older_cookie_domain(""),
        )
        .await;
    stage
        .send("host: refresh cookie twice", twice(&alice))
        .await;
    let access = Req::refresh()
        .access_cookie(&alice)
        .access_cookie(&alice)
        .refresh_cookie(&alice);
    stage.send("host: access cookie twice", access).await;
    let both = twice(&alice).access_cookie(&alice).access_cookie(&alice);
    stage.send("host: both twice", both).await;
    let header = twice(&alice).bearer(&alice.refresh);
    stage.send("host: beside a bearer token too", header).await;
    let next = stage
        .send("then the refresh", Req::refresh().refresh_cookie(&alice))
        .await
        .tokens();

    stage
        .restart(
            "cookies on .example.com, before on api.example.com",
            |builder| domain(builder).older_cookie_domain("api.example.com"),
        )
        .await;
    stage
        .send("domain: refresh cookie twice", twice(&next))
        .await;
    stage
        .send(
            "domain: sign-out clears those of today",
            Req::sign_out().access_cookie(&next),
        )
        .await;
    planted(stage).await;
}

/// Cookies that another host can set beside cookies with guarded names.
async fn planted<D: Driver>(stage: &mut Stage<D>) {
    stage
        .restart("guarded names", |builder| {
            builder.cookie_prefix(CookiePrefix::Require)
        })
        .await;
    let alice = stage.sign_in("guarded: sign-in", "alice", "header").await;
    let planted = |request: Req| {
        request
            .cookie("__%48ost-sAccessToken", "x")
            .cookie("__%53ecure-sRefreshToken", "x")
            .cookie("sAccessToken", "x")
            .cookie("sAccessToken", "y")
            .cookie("sIdRefreshToken", "x")
            .cookie("__Host-sAccessToken", &alice.access)
            .cookie("__Secure-sRefreshToken", &alice.refresh)
    };
    for (name, request) in [
        ("guarded: a guard passes", Req::get("/verify")),
        ("guarded: a sign-out passes", Req::sign_out()),
    ] {
        stage.send(name, planted(request)).await;
    }
}

fn domain(builder: SessionsBuilder) -> SessionsBuilder {
    builder.cookie_domain(".example.com")
}

fn twice(tokens: &Tokens) -> Req {
    Req::refresh().refresh_cookie(tokens).refresh_cookie(tokens)
}
