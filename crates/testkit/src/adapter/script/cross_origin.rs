//! Anti-CSRF by the origin of the request: the procedure of `AntiCsrf::ViaOrigin`.

use supersession::wire::{ORIGIN_HEADER, SEC_FETCH_SITE_HEADER};
use supersession::{AntiCsrf, SessionsBuilder};

use super::{Driver, Req, Stage, Tokens};

const OWN: [&str; 2] = ["https://api.example.com", "https://example.com"];

/// Requests from the application's own pages and from other sites.
pub async fn cross_origin<D: Driver>(stage: &mut Stage<D>) {
    let via_origin = |builder: SessionsBuilder| builder.anti_csrf(AntiCsrf::ViaOrigin);
    stage.open("anti-CSRF by origin", via_origin).await;
    let alice = stage.sign_in("alice signs in", "alice", "cookie").await;
    for (site, origin, name) in [
        ("same-origin", None, "the same origin"),
        ("same-site", Some("https://example.com"), "the website"),
        ("same-site", Some("https://x.example.com"), "a sibling"),
        ("cross-site", Some("https://evil.example"), "another site"),
    ] {
        let request = || from(Req::post("/verify").access_cookie(&alice), site, origin);
        stage.send(&format!("POST from {name}"), request()).await;
        let optional = from(Req::post("/optional"), site, origin);
        let name = format!("POST without a session from {name}");
        stage.send(&name, optional).await;
    }
    let refresh = Req::refresh().refresh_cookie(&alice);
    let foreign = from(refresh, "cross-site", Some("https://evil.example"));
    stage.send("a refresh from another site", foreign).await;
    let refresh = Req::refresh().refresh_cookie(&alice);
    let own = from(refresh, "same-site", Some("https://example.com"));
    let alice = stage.send("a refresh from the website", own).await.tokens();
    matrix(stage, &alice, false).await;
    let signout = Req::sign_out().access_cookie(&alice);
    let foreign = from(signout, "cross-site", Some("https://evil.example"));
    stage.send("a sign-out from another site", foreign).await;

    let trusting =
        |builder: SessionsBuilder| builder.anti_csrf(AntiCsrf::ViaOrigin).trust_same_site(true);
    stage.open("anti-CSRF by site", trusting).await;
    let alice = stage
        .sign_in("alice signs in again", "alice", "cookie")
        .await;
    let sibling = from(
        Req::post("/verify").access_cookie(&alice),
        "same-site",
        Some("https://x.example.com"),
    );
    stage.send("POST from a trusted sibling", sibling).await;
    matrix(stage, &alice, true).await;
}

fn from(request: Req, site: &str, origin: Option<&str>) -> Req {
    let request = request.header(SEC_FETCH_SITE_HEADER, site);
    match origin {
        Some(origin) => request.header(ORIGIN_HEADER, origin),
        None => request,
    }
}

/// Every combination of method, `Sec-Fetch-Site`, `Origin`, cookie and guard. The expected status
/// follows from the documented procedure.
async fn matrix<D: Driver>(stage: &mut Stage<D>, alice: &Tokens, trusts_same_site: bool) {
    let sites = ["same-origin", "none", "same-site", "cross-site", "other"].map(Some);
    let origins = [
        OWN[0],
        OWN[1],
        "https://x.example.com",
        "https://evil.example",
        "null",
    ]
    .map(Some);
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
        for site in sites.into_iter().chain([None]) {
            for origin in origins.into_iter().chain([None]) {
                for has_session in [true, false] {
                    for path in ["/verify", "/optional", "/csrf-off", "/csrf-forced"] {
                        let mut request = Req::new(method, path);
                        if has_session {
                            request = request.access_cookie(alice);
                        }
                        if let Some(site) = site {
                            request = request.header(SEC_FETCH_SITE_HEADER, site);
                        }
                        if let Some(origin) = origin {
                            request = request.header(ORIGIN_HEADER, origin);
                        }
                        let is_accepted = match (method, site, origin) {
                            ("GET" | "HEAD", _, _)
                            | (_, Some("same-origin" | "none"), _)
                            | (_, None, None) => true,
                            (_, Some("same-site"), _) if trusts_same_site => true,
                            (_, _, origin) => origin.is_some_and(|origin| OWN.contains(&origin)),
                        };
                        let expected = if !is_accepted && path != "/csrf-off" {
                            403
                        } else if has_session || path == "/optional" {
                            200
                        } else {
                            401
                        };
                        let status = stage.status(request).await;
                        assert_eq!(
                            status, expected,
                            "{method} {path}, {site:?}, {origin:?}, with a session: {has_session}"
                        );
                    }
                }
            }
        }
    }
}
