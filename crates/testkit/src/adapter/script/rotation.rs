//! Reuse of refresh tokens (session specification, 7.2; design notes, the same successor).

use supersession::Hooks;

use super::{DEFAULT, Driver, Req, Stage, Terms, default};

/// The grace period, and theft.
pub async fn rotation<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    let first = stage
        .sign_in("alice signs in with cookies", "alice", "cookie")
        .await;
    let second = stage
        .send("a refresh", Req::refresh().refresh_cookie(&first))
        .await
        .tokens();
    stage
        .send(
            "the same again at once gives the same",
            Req::refresh().refresh_cookie(&first),
        )
        .await;
    stage.pass(10);
    stage
        .send(
            "the same again in the grace window",
            Req::refresh().refresh_cookie(&first),
        )
        .await;
    let third = stage
        .send(
            "the successor moves on",
            Req::refresh().refresh_cookie(&second),
        )
        .await
        .tokens();
    stage
        .send(
            "the tokens of the successor are good",
            Req::get("/checked").access_cookie(&third),
        )
        .await;
    let reused = Req::refresh()
        .refresh_cookie(&first)
        .cookie("sIdRefreshToken", "x");
    stage.send("an older one is theft", reused).await;
    stage
        .send(
            "after which the session is gone",
            Req::get("/checked").access_cookie(&third),
        )
        .await;
    stage
        .send(
            "and cannot be refreshed",
            Req::refresh().refresh_cookie(&third),
        )
        .await;

    let first = stage
        .sign_in("bob signs in with headers", "bob", "header")
        .await;
    stage
        .send("bob refreshes", Req::refresh().bearer(&first.refresh))
        .await;
    stage.pass(3_600);
    stage
        .send(
            "the one before, long after, is theft",
            Req::refresh().bearer(&first.refresh),
        )
        .await;

    let lenient = Terms {
        recent_reuse_is_theft: false,
        ..Terms::default()
    };
    stage
        .open_on("the one before is no theft", lenient, |builder| {
            builder.hooks(Hooks::new().on_theft(|_| async {}))
        })
        .await;
    let first = stage
        .sign_in("carol signs in with cookies", "carol", "cookie")
        .await;
    let second = stage
        .send("carol refreshes", Req::refresh().refresh_cookie(&first))
        .await
        .tokens();
    stage.pass(3_600);
    stage
        .send(
            "the one before, long after",
            Req::refresh().refresh_cookie(&first),
        )
        .await;
    stage
        .send(
            "the session has ended all the same",
            Req::refresh().refresh_cookie(&second),
        )
        .await;

    stage
        .open("static signing keys", |builder| {
            builder.use_dynamic_access_token_signing_key(false)
        })
        .await;
    let first = stage
        .sign_in("dave signs in under a static key", "dave", "cookie")
        .await;
    stage.restart("rotating signing keys", default).await;
    stage
        .send(
            "the static key counts no more",
            Req::get("/verify").access_cookie(&first),
        )
        .await;
    let second = stage
        .send(
            "a refresh changes the key",
            Req::refresh().refresh_cookie(&first),
        )
        .await
        .tokens();
    stage
        .send(
            "the rotating key counts",
            Req::get("/verify").access_cookie(&second),
        )
        .await;
}
