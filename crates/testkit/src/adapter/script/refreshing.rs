//! The refresh route (session specification, 7.2).

use supersession::TokenTransferMethod;
use supersession::wire::{FDI_VERSION_HEADER, LEGACY_ID_REFRESH_COOKIE, RID_HEADER};

use super::{DEFAULT, Driver, Req, Stage, default};

/// Which refresh token is used, which tokens are sent, and which are cleared.
pub async fn refreshing<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    stage.send("nothing at all", Req::refresh()).await;
    let speculative = Req::refresh()
        .header(RID_HEADER, "session")
        .header(FDI_VERSION_HEADER, "1.16,1.17");
    stage
        .send("nothing, as a browser SDK asks", speculative)
        .await;
    let cookies = stage
        .sign_in("alice signs in with cookies", "alice", "cookie")
        .await;
    let headers = stage
        .sign_in("bob signs in with headers", "bob", "header")
        .await;
    stage.pass(1_800);
    let request = Req::refresh()
        .access_cookie(&cookies)
        .refresh_cookie(&cookies);
    let next = stage.send("cookies", request).await.tokens();
    stage
        .send(
            "the new cookie is good",
            Req::get("/checked").access_cookie(&next),
        )
        .await;
    let next = stage
        .send("headers", Req::refresh().bearer(&headers.refresh))
        .await
        .tokens();
    stage
        .send(
            "the new bearer token is good",
            Req::get("/checked").bearer(&next.access),
        )
        .await;

    stage
        .send(
            "an access cookie alone",
            Req::refresh().access_cookie(&cookies),
        )
        .await;
    let empty = Req::refresh().cookie("sRefreshToken", "");
    stage.send("an empty refresh cookie", empty).await;
    stage
        .send(
            "a garbage refresh cookie",
            Req::refresh().cookie("sRefreshToken", "garbage"),
        )
        .await;
    stage
        .send("a garbage bearer token", Req::refresh().bearer("garbage"))
        .await;
    stage
        .send(
            "an access token as refresh token",
            Req::refresh().bearer(&next.access),
        )
        .await;

    let cookies = stage
        .sign_in("carol signs in with cookies", "carol", "cookie")
        .await;
    let headers = stage
        .sign_in("dave signs in with headers", "dave", "header")
        .await;
    let both = || {
        Req::refresh()
            .refresh_cookie(&cookies)
            .bearer(&headers.refresh)
    };
    stage
        .send("both: the header counts, the cookies go", both())
        .await;
    let legacy = Req::refresh()
        .refresh_cookie(&cookies)
        .cookie(LEGACY_ID_REFRESH_COOKIE, "x");
    let next = stage.send("a legacy cookie goes", legacy).await.tokens();
    let legacy = Req::refresh().cookie(LEGACY_ID_REFRESH_COOKIE, "x");
    stage.send("a legacy cookie alone goes too", legacy).await;
    let on_header = Req::refresh()
        .refresh_cookie(&next)
        .header("st-auth-mode", "header");
    stage
        .send("a session never changes its way", on_header)
        .await;

    stage.revoke_all("dave").await;
    stage
        .send("a revoked session", Req::refresh().bearer(&headers.refresh))
        .await;
    let old = stage
        .sign_in("erin signs in with cookies", "erin", "cookie")
        .await;
    stage.pass(8_640_000);
    stage
        .send(
            "a session that is over",
            Req::refresh().refresh_cookie(&old),
        )
        .await;

    for (configuration, method) in [
        ("cookies only", TokenTransferMethod::Cookie),
        ("headers only", TokenTransferMethod::Header),
    ] {
        stage.open(DEFAULT, default).await;
        let name = |what: &str| format!("{configuration}: {what}");
        let cookies = stage
            .sign_in(&name("alice has cookies"), "alice", "cookie")
            .await;
        let headers = stage
            .sign_in(&name("bob has headers"), "bob", "header")
            .await;
        stage
            .restart(configuration, |builder| {
                builder.token_transfer_method(move |_, _| method)
            })
            .await;
        let both = Req::refresh()
            .refresh_cookie(&cookies)
            .bearer(&headers.refresh);
        let alone = match method {
            TokenTransferMethod::Cookie => Req::refresh().bearer(&headers.refresh),
            _ => Req::refresh().refresh_cookie(&cookies),
        };
        stage.send(&name("refresh the other way"), alone).await;
        stage.send(&name("refresh with both"), both).await;
    }
}
