//! Refresh within a request, for pages.

use serde_json::json;
use supersession::{RefreshInPlace, SessionsBuilder};

use super::{Driver, Req, Stage, Tokens};

const COOKIE: &str = "sRefreshToken-root";

/// Pages and forms with an access token that has expired.
pub async fn in_place<D: Driver>(stage: &mut Stage<D>) {
    let on = |builder: SessionsBuilder| builder.refresh_in_place(RefreshInPlace::On);
    stage.open("refresh in place", on).await;
    let form = Req::post("/create").json(&json!({"userId": "alice"}));
    let old = stage.send("a plain form signs in", form).await.tokens();
    stage
        .send("a page with a fresh token", page("/verify", &old))
        .await;
    stage.pass(3_601);
    stage.send("a public page", page("/unguarded", &old)).await;
    let next = stage
        .send("a page with an expired token", page("/verify", &old))
        .await
        .tokens();
    let again = page("/session", &old);
    stage.send("an image of that page", again).await;
    let missing = Req::get("/optional").cookie(COOKIE, &next.refresh);
    let alice = stage
        .send("a page without an access token", missing)
        .await
        .tokens();
    stage.pass(3_601);
    let form = Req::post("/merge")
        .access_cookie(&alice)
        .cookie(COOKIE, &alice.refresh)
        .header("sec-fetch-site", "same-origin")
        .json(&json!({"a": 1}));
    let alice = stage
        .send("a form with an expired token", form)
        .await
        .tokens();
    stage.pass(3_601);
    let admin = page("/admin", &alice);
    stage.send("a page that a claim protects", admin).await;
    stage.revoke_all("alice").await;
    stage.pass(3_601);
    let page_of_revoked = page("/verify", &alice);
    stage.send("a revoked session", page_of_revoked).await;
    let optional = page("/optional", &alice);
    stage
        .send("a revoked session on a public page", optional)
        .await;
}

fn page(path: &str, tokens: &Tokens) -> Req {
    Req::get(path)
        .access_cookie(tokens)
        .cookie(COOKIE, &tokens.refresh)
}
