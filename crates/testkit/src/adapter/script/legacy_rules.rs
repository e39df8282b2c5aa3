//! LEGACY rules: the first request after a refresh confirms it (core specification, 2.5 and 3.2).

use serde_json::json;
use supersession::RefreshRules;

use super::{Driver, Req, Stage, Terms, default};

/// New access tokens after refreshes, and the lifetime of used refresh tokens.
pub async fn legacy_rules<D: Driver>(stage: &mut Stage<D>) {
    let legacy = Terms {
        refresh_rules: RefreshRules::Legacy,
        ..Terms::default()
    };
    stage.open_on("LEGACY rules", legacy, default).await;
    for (user, mode) in [("alice", "cookie"), ("bob", "header")] {
        let name = |what: &str| format!("{mode}: {what}");
        let by_access = |request: Req, access: &str| match mode {
            "cookie" => request.cookie("sAccessToken", access),
            _ => request.bearer(access),
        };
        let by_refresh = |refresh: &str| match mode {
            "cookie" => Req::refresh().cookie("sRefreshToken", refresh),
            _ => Req::refresh().bearer(refresh),
        };
        let first = stage.sign_in(&name("sign-in"), user, mode).await;
        let created = by_access(Req::get("/verify"), &first.access);
        stage
            .send(&name("a created session needs no confirmation"), created)
            .await;
        stage.pass(1_800);
        stage
            .send(&name("refresh"), by_refresh(&first.refresh))
            .await;
        let second = stage
            .send(
                &name("a refresh with the same token, as its answer may be lost"),
                by_refresh(&first.refresh),
            )
            .await
            .tokens();
        let confirmed = stage
            .send(
                &name("the first request confirms it and gets a new access token"),
                by_access(Req::get("/verify"), &second.access),
            )
            .await
            .tokens();
        stage
            .send(
                &name("a request with the new access token gets none"),
                by_access(Req::get("/verify"), &confirmed.access),
            )
            .await;
        stage
            .send(
                &name("a request that was sent meanwhile gets one too"),
                by_access(Req::get("/checked"), &second.access),
            )
            .await;
        let merged = stage
            .send(
                &name("a merge carries one new access token"),
                by_access(Req::post("/merge"), &second.access).json(&json!({ "a": 1 })),
            )
            .await
            .tokens();
        let third = stage
            .send(&name("the next refresh"), by_refresh(&second.refresh))
            .await
            .tokens();
        let fourth = stage
            .send(
                &name("a refresh confirms the refresh before"),
                by_refresh(&third.refresh),
            )
            .await
            .tokens();
        stage
            .send(
                &name("an access token of an earlier refresh is valid, and not replaced"),
                by_access(Req::get("/checked"), &merged.access),
            )
            .await;
        stage
            .send(
                &name("a refresh token whose child was used is theft"),
                by_refresh(&first.refresh),
            )
            .await;
        stage
            .send(
                &name("the session is revoked"),
                by_access(Req::get("/verify"), &fourth.access),
            )
            .await;
    }
}
