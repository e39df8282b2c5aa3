//! Location of the access token (session specification, 3.4, 3.11 and 5.6).

use supersession::TokenTransferMethod;

use super::{DEFAULT, Driver, Req, Stage, default};

const FOREIGN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.";

/// Which token of a request is used.
pub async fn locating<D: Driver>(stage: &mut Stage<D>) {
    stage.open(DEFAULT, default).await;
    let cookies = stage
        .sign_in("alice signs in with cookies", "alice", "cookie")
        .await;
    let headers = stage
        .sign_in("bob signs in with headers", "bob", "header")
        .await;
    let both = || {
        Req::get("/verify")
            .access_cookie(&cookies)
            .bearer(&headers.access)
    };
    stage.send("the header wins over the cookie", both()).await;
    let foreign = Req::get("/verify").access_cookie(&cookies).bearer(FOREIGN);
    stage
        .send("a foreign bearer token is ignored", foreign)
        .await;
    let basic = Req::get("/verify")
        .access_cookie(&cookies)
        .header("authorization", "Basic YTpi");
    stage.send("another scheme is ignored", basic).await;
    let lower = Req::get("/verify").header("authorization", &format!("bearer {}", headers.access));
    stage.send("a scheme in lower case", lower).await;
    let spaces =
        Req::get("/verify").header("authorization", &format!("Bearer   {}  ", headers.access));
    stage.send("spaces around a bearer token", spaces).await;
    let garbage = Req::get("/optional").cookie("sAccessToken", "garbage");
    stage.send("a garbage cookie is no session", garbage).await;
    let required = Req::get("/verify").cookie("sAccessToken", "garbage");
    stage
        .send("a garbage cookie where one is required", required)
        .await;
    let quoted = Req::get("/verify").cookie("sAccessToken", &format!("\"{}\"", cookies.access));
    stage.send("a quoted cookie", quoted).await;
    let odd = format!("a=\u{fc}; b; =; sAccessToken={}; c=%zz", cookies.access);
    stage
        .send(
            "odd cookies beside ours",
            Req::get("/verify").header("cookie", &odd),
        )
        .await;
    let split = Req::get("/verify")
        .header("cookie", "a=1")
        .header("cookie", &format!("sAccessToken={}", cookies.access));
    stage.send("cookies in several lines", split).await;
    let twice = || {
        Req::get("/verify")
            .access_cookie(&cookies)
            .access_cookie(&cookies)
    };
    stage.send("the same cookie twice", twice()).await;
    let lines = Req::get("/verify")
        .header("cookie", &format!("sAccessToken={}", cookies.access))
        .header("cookie", "sAccessToken=");
    stage
        .send("the same cookie twice, in two lines", lines)
        .await;
    let request = twice().bearer(&headers.access);
    stage
        .send("the same cookie twice beside a good header", request)
        .await;
    stage.pass(3_599);
    let fresh = stage
        .sign_in("alice signs in again", "alice", "cookie")
        .await;
    stage.pass(1);
    let request = Req::get("/verify")
        .access_cookie(&fresh)
        .bearer(&headers.access);
    stage
        .send(
            "an expired header is not made up for by a good cookie",
            request,
        )
        .await;

    for (configuration, method) in [
        ("cookies only", TokenTransferMethod::Cookie),
        ("headers only", TokenTransferMethod::Header),
    ] {
        stage
            .open(configuration, |builder| {
                builder.token_transfer_method(move |_, _| method)
            })
            .await;
        let tokens = stage
            .sign_in(&format!("{configuration}: sign-in"), "alice", "")
            .await;
        for path in ["/verify", "/optional"] {
            let request = Req::get(path).access_cookie(&tokens);
            stage
                .send(&format!("{configuration}: a cookie to {path}"), request)
                .await;
            let request = Req::get(path).bearer(&tokens.access);
            stage
                .send(
                    &format!("{configuration}: a bearer token to {path}"),
                    request,
                )
                .await;
        }
    }
}
