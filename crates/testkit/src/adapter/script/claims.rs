//! Claims (session specification, 9.3 to 9.7).

use serde_json::json;

use crate::adapter::app;

use super::{DEFAULT, Driver, Req, Stage, default};

/// Claims that are valid, that are invalid, and that are refetched.
pub async fn claims<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    let admin = stage
        .sign_in("an admin signs in with cookies", "admin", "cookie")
        .await;
    let alice = stage
        .sign_in("alice signs in with headers", "alice", "header")
        .await;
    let nobody = stage.sign_in("nobody signs in", "nobody", "cookie").await;
    let broken = stage
        .sign_in(
            "a user signs in whose role cannot be had",
            "broken",
            "cookie",
        )
        .await;

    let answer = stage
        .send(
            "a claim is fetched and sent",
            Req::get("/admin").access_cookie(&admin),
        )
        .await;
    let fetched = answer.tokens();
    stage
        .send(
            "and not fetched again",
            Req::get("/admin").access_cookie(&fetched),
        )
        .await;
    stage
        .send(
            "nor in the extractor",
            Req::get("/require").access_cookie(&fetched),
        )
        .await;
    stage
        .send(
            "the extractor fetches too",
            Req::get("/require").access_cookie(&admin),
        )
        .await;
    stage.pass(300);
    stage
        .send(
            "at the age limit",
            Req::get("/admin").access_cookie(&fetched),
        )
        .await;
    stage.pass(1);
    stage
        .send(
            "past the age limit it is fetched anew",
            Req::get("/admin").access_cookie(&fetched),
        )
        .await;

    stage
        .send("a wrong value", Req::get("/admin").bearer(&alice.access))
        .await;
    stage
        .send(
            "a wrong value in the extractor",
            Req::get("/require").bearer(&alice.access),
        )
        .await;
    stage
        .send(
            "a wrong value is stored all the same",
            Req::get("/checked").bearer(&alice.access),
        )
        .await;
    stage
        .send("no value", Req::get("/admin").access_cookie(&nobody))
        .await;
    stage.send("no session", Req::get("/admin")).await;
    stage
        .send("no session in the extractor", Req::get("/require"))
        .await;
    stage
        .send("OPTIONS passes the guard", Req::new("OPTIONS", "/admin"))
        .await;
    stage
        .send(
            "OPTIONS has no session for the extractor",
            Req::new("OPTIONS", "/require"),
        )
        .await;
    stage
        .send(
            "a claim that cannot be fetched",
            Req::get("/admin").access_cookie(&broken),
        )
        .await;

    let given =
        json!({"userId": "admin", "payload": {"role": {"v": "admin", "t": 1_767_225_900_000_u64}}});
    let given = stage
        .sign_in_with("a role given at sign-in", "cookie", &given)
        .await;
    stage
        .send("is not fetched", Req::get("/admin").access_cookie(&given))
        .await;

    stage
        .open("two global validators", |builder| {
            builder
                .global_validator(app::is_verified())
                .global_validator(app::is_admin())
        })
        .await;
    let alice = stage.sign_in("global: sign-in", "alice", "cookie").await;
    stage
        .send(
            "global: all that fail are told",
            Req::get("/verify").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "global: optional is not softer",
            Req::get("/optional").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "global: the plain extractor",
            Req::get("/session").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "global: and the optional one",
            Req::get("/option").access_cookie(&alice),
        )
        .await;
    stage
        .send("global: nobody is not asked", Req::get("/option"))
        .await;
}
