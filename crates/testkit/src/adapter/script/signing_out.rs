//! The sign-out route (session specification, 7.3).

use supersession::AntiCsrf;

use crate::adapter::app;

use super::{DEFAULT, Driver, Req, Stage, default};

/// Sign-out, and the tokens that it clears.
pub async fn signing_out<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    stage.send("no token", Req::sign_out()).await;
    let alice = stage
        .sign_in("alice signs in with cookies", "alice", "cookie")
        .await;
    let bob = stage
        .sign_in("bob signs in with headers", "bob", "header")
        .await;
    stage
        .send("cookies", Req::sign_out().access_cookie(&alice))
        .await;
    stage
        .send(
            "again, with the same cookie",
            Req::sign_out().access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "the session is gone",
            Req::get("/checked").access_cookie(&alice),
        )
        .await;
    stage
        .send("headers", Req::sign_out().bearer(&bob.access))
        .await;
    let carol = stage.sign_in("carol signs in", "carol", "cookie").await;
    stage.revoke_all("carol").await;
    stage
        .send(
            "a session that was revoked before",
            Req::sign_out().access_cookie(&carol),
        )
        .await;
    let dave = stage.sign_in("dave signs in", "dave", "cookie").await;
    let foreign = Req::sign_out().bearer("a.b.c");
    stage.send("a foreign bearer token", foreign).await;
    stage.pass(3_600);
    stage
        .send("an expired token", Req::sign_out().access_cookie(&dave))
        .await;
    let refreshed = stage
        .send("dave refreshes", Req::refresh().refresh_cookie(&dave))
        .await
        .tokens();
    stage
        .send("and signs out", Req::sign_out().access_cookie(&refreshed))
        .await;

    stage
        .open("anti-CSRF by token", |builder| {
            builder.anti_csrf(AntiCsrf::ViaToken)
        })
        .await;
    let alice = stage.sign_in("by token: sign-in", "alice", "cookie").await;
    stage
        .send(
            "by token: without it",
            Req::sign_out().access_cookie(&alice),
        )
        .await;
    let request = Req::sign_out().access_cookie(&alice).anti_csrf(&alice);
    stage.send("by token: with it", request).await;

    stage
        .open("a global validator that fails", |builder| {
            builder.global_validator(app::is_verified())
        })
        .await;
    let alice = stage.sign_in("validator: sign-in", "alice", "cookie").await;
    stage
        .send(
            "validator: a guard refuses",
            Req::get("/verify").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "validator: sign-out does not ask",
            Req::sign_out().access_cookie(&alice),
        )
        .await;
}
