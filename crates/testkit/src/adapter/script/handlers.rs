//! Operations on sessions in handlers, and their effects on the response (session specification,
//! 3.5, 3.13, 5.5, 10.1).

use serde_json::json;

use super::{DEFAULT, Driver, Req, Stage, Tokens, default};

/// Updates, revocations and errors in handlers.
pub async fn handlers<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    stage
        .send("a route without sessions", Req::get("/unguarded"))
        .await;
    let alice = stage
        .sign_in("alice signs in with cookies", "alice", "cookie")
        .await;
    let bob = stage
        .sign_in("bob signs in with headers", "bob", "header")
        .await;
    let with_tokens = Req::get("/unguarded")
        .access_cookie(&alice)
        .bearer(&bob.access);
    stage
        .send("a route without sessions takes no tokens", with_tokens)
        .await;

    stage
        .send("the extractor", Req::get("/session").access_cookie(&alice))
        .await;
    stage
        .send("the extractor without a session", Req::get("/session"))
        .await;
    stage
        .send("the extractor on OPTIONS", Req::new("OPTIONS", "/session"))
        .await;
    stage
        .send(
            "the optional extractor",
            Req::get("/option").bearer(&bob.access),
        )
        .await;
    stage
        .send(
            "the optional extractor without a session",
            Req::get("/option"),
        )
        .await;

    stage.pass(5);
    let post = |path: &str, tokens: &Tokens| Req::post(path).access_cookie(tokens);
    let patch = json!({"plan": "pro", "nested": {"a": [1, 2.5, null]}});
    let merged = stage
        .send("a merge", post("/merge", &alice).json(&patch))
        .await
        .tokens();
    stage
        .send(
            "a merge in headers",
            Req::post("/merge").bearer(&bob.access).json(&patch),
        )
        .await;
    stage
        .send(
            "a member goes with null",
            post("/merge", &merged).json(&json!({"plan": null})),
        )
        .await;
    stage
        .send("an empty merge", post("/merge", &merged).json(&json!({})))
        .await;
    stage
        .send(
            "two merges leave one cookie",
            post("/merge-twice", &merged).json(&json!({"b": 1})),
        )
        .await;
    stage
        .send(
            "a protected name",
            post("/merge", &merged).json(&json!({"sub": "mallory"})),
        )
        .await;
    stage
        .send(
            "a patch that is no object",
            post("/merge", &merged).json(&json!([1])),
        )
        .await;
    stage
        .send(
            "a merge from a stale token keeps what is stored",
            post("/merge", &alice).json(&json!({"c": 1})),
        )
        .await;
    stage
        .send(
            "session data",
            post("/data", &alice).json(&json!({"cart": ["book"]})),
        )
        .await;
    stage
        .send(
            "session data again",
            post("/data", &alice).json(&json!({"seen": true})),
        )
        .await;

    stage
        .send(
            "an error of the application keeps the effects",
            post("/merge-then-fail", &alice).json(&patch),
        )
        .await;
    let request = post("/merge-then-unauthorised", &alice).json(&patch);
    stage
        .send("an error of ours overrules a merge", request)
        .await;
    stage
        .send(
            "the session itself goes on",
            Req::get("/checked").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "the application's own verdict",
            Req::post("/own-unauthorised"),
        )
        .await;
    let request = Req::post("/own-unauthorised")
        .access_cookie(&alice)
        .bearer(&bob.access);
    stage
        .send(
            "the application's own verdict clears whatever there is",
            request,
        )
        .await;
    let legacy = post("/merge-then-unauthorised", &alice)
        .cookie("sIdRefreshToken", "x")
        .json(&patch);
    stage
        .send("a legacy cookie asks for a refresh first", legacy)
        .await;

    let not_json = Req::post("/guarded-merge").header("content-type", "application/json");
    stage.send("a guard comes before the body", not_json).await;
    stage
        .send("an error that the application catches", Req::get("/caught"))
        .await;
    stage.pass(3_595);
    stage
        .send(
            "an expired token that the application catches",
            Req::get("/caught").access_cookie(&alice),
        )
        .await;
    let alice = stage
        .send("alice refreshes", Req::refresh().refresh_cookie(&alice))
        .await
        .tokens();
    let bob = stage
        .send("bob refreshes", Req::refresh().bearer(&bob.refresh))
        .await
        .tokens();
    stage.send("a revocation", post("/revoke", &alice)).await;
    stage
        .send(
            "a revocation in headers",
            Req::post("/revoke").bearer(&bob.access),
        )
        .await;
    stage
        .send("a revocation again", post("/revoke", &alice))
        .await;
    stage
        .send(
            "after it the session is gone",
            Req::get("/checked").access_cookie(&alice),
        )
        .await;
}
