//! Cookies of other generations at the refresh endpoint: legacy ones, and two of one name (session
//! specification, 3.11 and 3.14).

use supersession::TokenTransferMethod;

use super::{
    CLEARED_COOKIES, CLEARED_LEGACY_COOKIE, assert_describes, cookie_lines, header_names, is_live,
    lines_of, only,
};
use crate::support::{Answer, App, Req, Tokens};

/// A legacy cookie goes with the next refresh, be it a success or not.
///
/// Cases: S121, S122.
#[tokio::test]
async fn a_refresh_clears_a_legacy_cookie() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let request = || Req::refresh().cookie("sIdRefreshToken", "old");
    let answer = app.send(request().refresh_cookie(&first)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    let [access, refresh] = lines_of(&answer.tokens());
    assert_eq!(
        cookie_lines(&answer),
        [access.as_str(), refresh.as_str(), CLEARED_LEGACY_COOKIE]
    );
    assert_describes(&answer, &answer.tokens());

    for answer in [
        app.send(request()).await,
        app.send(request().cookie("sRefreshToken", "asdf")).await,
    ] {
        answer.is_unauthorised();
        assert!(answer.clears_everything());
        let [access, refresh] = CLEARED_COOKIES;
        assert_eq!(
            cookie_lines(&answer),
            [access, refresh, CLEARED_LEGACY_COOKIE]
        );
    }
    app.advance_secs(31);
    let answer = app.send(request().refresh_cookie(&first)).await;
    answer.is_theft();
    assert_eq!(cookie_lines(&answer).last(), Some(&CLEARED_LEGACY_COOKIE));
}

fn twice(tokens: &Tokens) -> Req {
    Req::refresh()
        .access_cookie(tokens)
        .refresh_cookie(tokens)
        .cookie("sAccessToken", "other")
        .cookie("sRefreshToken", "other")
}

#[track_caller]
fn assert_heals(answer: &Answer, domain: &str) {
    answer.is_message(
        200,
        "The request contains multiple session cookies. We are clearing the cookie from older_cookie_domain. Session will be refreshed in the next refresh call.",
    );
    let cleared = |name: &str, path: &str| {
        format!(
            "{name}=; {domain}Path={path}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax"
        )
    };
    assert_eq!(
        cookie_lines(answer),
        [
            cleared("sAccessToken", "/"),
            cleared("sRefreshToken", "/auth/session/refresh"),
        ]
    );
    assert_eq!(
        header_names(answer),
        ["cache-control", "content-type", "set-cookie"]
    );
}

/// Two cookies of one name: those of the older domain are cleared, nothing else happens, and the
/// client tries again.
///
/// Cases: S123, S125, S127.
#[tokio::test]
async fn duplicate_cookies_of_an_older_domain_are_cleared() {
    for (older, attribute) in [(".example.com", "Domain=.example.com; "), ("", "")] {
        let app = App::with(|builder| {
            builder
                .cookie_domain("api.example.com")
                .older_cookie_domain(older)
        })
        .await;
        let tokens = app.login("alice").await;
        assert_heals(&app.send(twice(&tokens)).await, attribute);
        let with_bearer = twice(&tokens).bearer(&tokens.refresh);
        assert_heals(&app.send(with_bearer).await, attribute);
        // The refresh token was not used: it is still the current one.
        app.advance_secs(60);
        let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
        assert_eq!(answer.status, 200);
    }
}

/// Only the cookie that is there twice is cleared.
#[tokio::test]
async fn a_single_cookie_beside_duplicates_is_kept() {
    let app = App::with(|builder| builder.older_cookie_domain(".example.com")).await;
    let tokens = app.login("alice").await;
    for (name, path) in [
        ("sAccessToken", "/"),
        ("sRefreshToken", "/auth/session/refresh"),
    ] {
        let request = Req::refresh()
            .access_cookie(&tokens)
            .refresh_cookie(&tokens)
            .cookie(name, "other");
        let answer = app.send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            cookie_lines(&answer),
            [format!(
                "{name}=; Domain=.example.com; Path={path}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax"
            )]
        );
        assert_eq!(answer.header("front-token"), None);
    }
}

/// Without the setting it cannot be known which cookie is the old one: the operator must decide,
/// and nobody is logged out.
///
/// Cases: S124.
#[tokio::test]
async fn duplicate_cookies_without_the_setting_are_the_operators_problem() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let answer = app.send(twice(&tokens)).await;
    answer.is_message(
        500,
        "The request contains multiple session cookies. This may happen if you've changed the 'cookie_domain' setting in your configuration. To clear tokens from the previous domain, set 'older_cookie_domain' in your config.",
    );
    assert_eq!(header_names(&answer), ["content-type"]);
    assert!(is_live(&app, &tokens).await);
}

/// Where cookies do not count, duplicates do not matter; they are cleared as any cookie of the
/// other way is.
///
/// Cases: S126.
#[tokio::test]
async fn duplicate_cookies_do_not_matter_to_a_refresh_by_header() {
    let app = App::with(only(TokenTransferMethod::Header)).await;
    let tokens = app.login_as("alice", "header").await;
    let answer = app.send(twice(&tokens).bearer(&tokens.refresh)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    let new = answer.tokens();
    assert_eq!(answer.header("st-access-token"), Some(new.access.as_str()));
    assert_ne!(new.refresh, tokens.refresh);
    assert_describes(&answer, &new);
    assert_eq!(cookie_lines(&answer), CLEARED_COOKIES);
}

/// A browser that holds an access token's cookie from before a change of its path gets rid of it.
#[tokio::test]
async fn a_cookie_for_an_older_path_is_cleared() {
    let old = App::with(|builder| builder.access_token_path("/verify")).await;
    let stale = old.login("alice").await;
    let app = old
        .restarted_with(|builder| builder.older_access_token_path("/verify/"))
        .await;
    let fresh = app.login("alice").await;
    let both = Req::get("/verify")
        .access_cookie(&stale)
        .access_cookie(&fresh);
    let answer = app.send(both).await;
    answer.is_message(401, "try refresh token");
    let cookies = answer.cookies();
    assert_eq!(cookies.len(), 1, "{answer:?}");
    assert!(cookies[0].is_cleared(), "{answer:?}");
    assert_eq!(cookies[0].path.as_deref(), Some("/verify"));
    let healed = Req::get("/verify").access_cookie(&fresh);
    assert_eq!(app.send(healed).await.status, 200);
    // Unless it is configured, nothing is cleared.
    let app = old.restarted_with(|builder| builder).await;
    let both = Req::get("/verify")
        .access_cookie(&stale)
        .access_cookie(&fresh);
    assert!(app.send(both).await.cookies().is_empty());
}
