//! Faults are not rejections (session specification, 1.7; design notes).

use serde_json::json;
use supersession::store::StoreErrorKind;

use super::{DEFAULT, Driver, Req, Stage, Tokens, default};

/// A failing store, and a missing layer.
pub async fn faults<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    let alice = stage
        .sign_in("alice signs in with cookies", "alice", "cookie")
        .await;
    for (name, kind) in [
        ("down", StoreErrorKind::Unavailable),
        ("full", StoreErrorKind::NotWritable),
        ("damaged", StoreErrorKind::Corrupt),
    ] {
        for (what, request) in requests(&alice) {
            stage.fail_once(kind);
            stage.send(&format!("{name}: {what}"), request).await;
        }
    }
    stage
        .send(
            "a token is verified without the store",
            Req::get("/verify").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "the session is as good as before",
            Req::get("/checked").access_cookie(&alice),
        )
        .await;
    stage
        .send(
            "and can be refreshed",
            Req::refresh().refresh_cookie(&alice),
        )
        .await;

    stage.open_without_layer().await;
    let nobody_asks = Req::get("/guarded").access_cookie(&alice);
    stage
        .send(
            "no layer: guard of a handler that asks nothing",
            nobody_asks,
        )
        .await;
    stage
        .send("no layer: guard", Req::get("/verify").access_cookie(&alice))
        .await;
    stage
        .send("no layer: optional guard", Req::get("/optional"))
        .await;
    stage
        .send("no layer: guard on OPTIONS", Req::new("OPTIONS", "/verify"))
        .await;
    stage
        .send("no layer: extractor", Req::get("/session"))
        .await;
    stage
        .send("no layer: optional extractor", Req::get("/option"))
        .await;
    stage
        .send("no layer: extractor with a guard", Req::get("/require"))
        .await;
    stage
        .send("no layer: creation", Req::create("cookie", &json!({})))
        .await;
    stage
        .send("no layer: a route without sessions", Req::get("/unguarded"))
        .await;
    stage
        .send(
            "no layer: an error of a handler",
            Req::post("/own-unauthorised"),
        )
        .await;
    stage
        .send("no layer: the key set", Req::get("/auth/jwt/jwks.json"))
        .await;
}

fn requests(alice: &Tokens) -> [(&'static str, Req); 9] {
    let post = |path: &str| Req::post(path).access_cookie(alice);
    [
        ("creation", Req::create("cookie", &json!({}))),
        ("database check", Req::get("/checked").access_cookie(alice)),
        ("age check", Req::get("/fresh").access_cookie(alice)),
        ("claim", Req::get("/admin").access_cookie(alice)),
        ("merge", post("/merge").json(&json!({"a": 1}))),
        ("data", post("/data").json(&json!({"a": 1}))),
        ("revocation", post("/revoke")),
        ("refresh", Req::refresh().refresh_cookie(alice)),
        ("sign-out", Req::sign_out().access_cookie(alice)),
    ]
}
