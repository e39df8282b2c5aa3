//! Verification with a database check (session specification, 5.1 and 5.3).

use serde_json::json;

use super::{DEFAULT, Driver, Req, Stage, default};

/// Revoked sessions, changed payloads, and maximum session ages.
pub async fn checking<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    let answer = stage
        .send("alice signs in", Req::create("cookie", &json!({})))
        .await;
    let (alice, handle) = (answer.tokens(), answer.member("handle"));
    let bob = stage
        .sign_in("bob signs in with headers", "bob", "header")
        .await;
    stage
        .send("a live session", Req::get("/checked").access_cookie(&alice))
        .await;
    stage
        .send(
            "a live session, in headers",
            Req::get("/checked").bearer(&bob.access),
        )
        .await;
    stage
        .send(
            "guarded twice",
            Req::get("/guarded-twice").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "a session that is fresh",
            Req::get("/fresh").access_cookie(&alice),
        )
        .await;
    stage.pass(300);
    stage
        .send(
            "a session that is just fresh",
            Req::get("/fresh").access_cookie(&alice),
        )
        .await;
    stage.pass(1);
    stage
        .send(
            "a session that is too old",
            Req::get("/fresh").access_cookie(&alice),
        )
        .await;

    stage.merge_payload(&handle, json!({"plan": "pro"})).await;
    stage
        .send(
            "a changed payload is not seen without the check",
            Req::get("/verify").access_cookie(&alice),
        )
        .await;
    let answer = stage
        .send(
            "a changed payload is sent",
            Req::get("/checked").access_cookie(&alice),
        )
        .await;
    let newer = answer.tokens();
    stage
        .send(
            "and is not sent again",
            Req::get("/checked").access_cookie(&newer),
        )
        .await;
    let request = Req::get("/guarded-twice").access_cookie(&alice);
    stage
        .send("a changed payload behind two guards", request)
        .await;

    let next = stage
        .send("alice refreshes", Req::refresh().refresh_cookie(&alice))
        .await
        .tokens();
    stage
        .send(
            "the token before is of the previous branch",
            Req::get("/checked").access_cookie(&newer),
        )
        .await;
    let last = stage
        .send(
            "alice refreshes again",
            Req::refresh().refresh_cookie(&next),
        )
        .await
        .tokens();
    let request = Req::get("/checked").access_cookie(&newer);
    stage
        .send("a token of an older branch keeps the tokens", request)
        .await;

    stage.revoke_all("alice").await;
    stage.revoke_all("bob").await;
    stage
        .send(
            "a revoked session without the check",
            Req::get("/verify").access_cookie(&last),
        )
        .await;
    stage
        .send(
            "a revoked session",
            Req::get("/checked").access_cookie(&last),
        )
        .await;
    stage
        .send(
            "a revoked session, in headers",
            Req::get("/checked").bearer(&bob.access),
        )
        .await;
    stage
        .send(
            "a revoked session, guarded twice",
            Req::get("/guarded-twice").access_cookie(&last),
        )
        .await;
    let request = Req::post("/merge")
        .access_cookie(&last)
        .json(&json!({"a": 1}));
    stage.send("a merge into a revoked session", request).await;
    let request = Req::post("/data")
        .access_cookie(&last)
        .json(&json!({"a": 1}));
    stage.send("data of a revoked session", request).await;

    let check = |builder: supersession::SessionsBuilder| builder.check_database(true);
    stage.restart("the database check everywhere", check).await;
    stage
        .send(
            "everywhere: a revoked session",
            Req::get("/option").access_cookie(&last),
        )
        .await;
}
