//! Which refresh token counts, and how the new tokens go out (session specification, 7.2).

use supersession::TokenTransferMethod::{Any, Cookie, Header};

use super::{
    CLEARED_COOKIES, assert_cookies_only, assert_describes, assert_headers_only, assert_logged_out,
    cookie_lines, is_live, only,
};
use crate::support::{App, Req};

/// No token at all: everything is cleared, so that a confused client starts afresh.
///
/// Cases: S111.
#[tokio::test]
async fn a_refresh_without_a_token_logs_out() {
    for method in [Any, Header, Cookie] {
        let app = App::with(only(method)).await;
        assert_logged_out(&app.send(Req::refresh()).await);
        let empty = Req::refresh().cookie("sRefreshToken", "");
        assert_logged_out(&app.send(empty).await);
    }
}

/// A token in the cookie is answered with cookies alone.
///
/// Cases: S112, S114.
#[tokio::test]
async fn a_cookie_is_answered_with_cookies() {
    for method in [Any, Cookie] {
        let app = App::with(only(method)).await;
        let first = app.login("alice").await;
        let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
        let second = assert_cookies_only(&answer);
        // The mode that the client asks for decides only at creation.
        let asks_for_headers = Req::refresh()
            .refresh_cookie(&second)
            .header("st-auth-mode", "header");
        assert_cookies_only(&app.send(asks_for_headers).await);
    }
}

/// A token in the header is answered with headers alone.
///
/// Cases: S115.
#[tokio::test]
async fn a_header_is_answered_with_headers() {
    for method in [Any, Header] {
        let app = App::with(only(method)).await;
        let first = app.login_as("alice", "header").await;
        let answer = app.send(Req::refresh().bearer(&first.refresh)).await;
        let second = assert_headers_only(&answer);
        let asks_for_cookies = Req::refresh()
            .bearer(&second.refresh)
            .header("st-auth-mode", "cookie");
        assert_headers_only(&app.send(asks_for_cookies).await);
    }
}

/// A token that came the way that does not count is none; it stays good for the way that does.
///
/// Cases: S113, S116.
#[tokio::test]
async fn a_token_of_another_transport_is_ignored() {
    let app = App::with(only(Header)).await;
    let tokens = app.login("alice").await;
    assert_logged_out(&app.send(Req::refresh().refresh_cookie(&tokens)).await);
    assert_headers_only(&app.send(Req::refresh().bearer(&tokens.refresh)).await);

    let app = App::with(only(Cookie)).await;
    let tokens = app.login_as("alice", "header").await;
    assert_logged_out(&app.send(Req::refresh().bearer(&tokens.refresh)).await);
    assert_cookies_only(&app.send(Req::refresh().refresh_cookie(&tokens)).await);
}

/// Two tokens: one is exchanged, the way of the other is cleared, and the other session is left
/// alone.
///
/// Cases: S117, S118.
#[tokio::test]
async fn one_of_two_tokens_is_used_and_the_other_is_cleared() {
    for method in [Any, Header] {
        let app = App::with(only(method)).await;
        let by_cookie = app.login("bob").await;
        let by_header = app.login_as("alice", "header").await;
        let both = Req::refresh()
            .refresh_cookie(&by_cookie)
            .bearer(&by_header.refresh);
        let answer = app.send(both).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
        assert_eq!(cookie_lines(&answer), CLEARED_COOKIES);
        assert_eq!(answer.front_token().unwrap()["uid"], "alice");
        assert!(!answer.header("st-access-token").unwrap().is_empty());
        assert!(!answer.header("st-refresh-token").unwrap().is_empty());
        assert_eq!(
            answer.exposed(),
            ["front-token", "st-access-token", "st-refresh-token"]
        );
        assert_eq!(answer.header("anti-csrf"), None);
        assert!(is_live(&app, &by_cookie).await);
    }

    let app = App::with(only(Cookie)).await;
    let by_cookie = app.login("bob").await;
    let by_header = app.login_as("alice", "header").await;
    let both = Req::refresh()
        .refresh_cookie(&by_cookie)
        .bearer(&by_header.refresh);
    let answer = app.send(both).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    assert!(answer.clears_headers());
    let tokens = answer.tokens();
    assert_eq!(cookie_lines(&answer), super::lines_of(&tokens));
    assert_describes(&answer, &tokens);
    assert_eq!(tokens.payload()["sub"], "bob");
    assert_eq!(
        answer.exposed(),
        ["front-token", "st-access-token", "st-refresh-token"]
    );
    assert!(is_live(&app, &by_header).await);
}

/// What is no refresh token of ours logs out wherever it counts; a token elsewhere does not help.
///
/// Cases: S119.
#[tokio::test]
async fn a_foreign_token_clears_the_session() {
    let garbage = ["asdf", "a.b.V2", "..", "%", "\u{1F980}"];
    for token in garbage {
        for method in [Any, Cookie] {
            let app = App::with(only(method)).await;
            let in_cookie = Req::refresh().cookie("sRefreshToken", token);
            if token.is_ascii() {
                assert_logged_out(&app.send(in_cookie).await);
            }
        }
        for method in [Any, Header] {
            let app = App::with(only(method)).await;
            if token.is_ascii() {
                assert_logged_out(&app.send(Req::refresh().bearer(token)).await);
            }
        }
    }
    // Of two tokens the header's counts, and there is no second choice.
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let both = Req::refresh().refresh_cookie(&tokens).bearer("asdf");
    assert_logged_out(&app.send(both).await);
    let empty_header = Req::refresh().refresh_cookie(&tokens).bearer("");
    assert_logged_out(&app.send(empty_header).await);
    assert!(is_live(&app, &tokens).await);
    // An access token is no refresh token.
    let access = Req::refresh().cookie("sRefreshToken", &tokens.access);
    assert_logged_out(&app.send(access).await);
}

/// The access token is not looked at.
///
/// Cases: S120.
#[tokio::test]
async fn an_access_cookie_without_a_refresh_token_refreshes_nothing() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let request = || Req::refresh().access_cookie(&tokens);
    assert_logged_out(&app.send(request()).await);
    app.advance_secs(3_600);
    assert_logged_out(&app.send(request()).await);
    assert!(is_live(&app, &tokens).await);
}
