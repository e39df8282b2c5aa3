//! Anti-CSRF: when it is checked, and what a failure says (session specification, section 6).

use supersession::{
    AccessToken, AntiCsrf, AntiCsrfInput, AntiCsrfToken, FaultKind, RefreshToken, SameSite,
    SessionError, VerifyOptions,
};

use super::{assert_logged_out, assert_try_refresh};
use crate::support::{App, Req, Tokens};

async fn app(mode: AntiCsrf) -> App {
    App::with(|builder| builder.anti_csrf(mode)).await
}

fn token_of(tokens: &Tokens) -> &str {
    tokens.anti_csrf.as_deref().unwrap()
}

/// Under `VIA_TOKEN` a GET is checked only where the guard forces it.
///
/// Cases: S95, S96.
#[tokio::test]
async fn a_get_needs_the_anti_csrf_token_only_where_the_check_is_forced() {
    let app = app(AntiCsrf::ViaToken).await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::get("/verify").access_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.has_no_token_headers());
    app.send(Req::get("/verify-csrf").access_cookie(&tokens))
        .await
        .is_try_refresh();
    app.send(
        Req::get("/verify-csrf")
            .access_cookie(&tokens)
            .header("anti-csrf", "wrong"),
    )
    .await
    .is_try_refresh();
    let right = Req::get("/verify-csrf")
        .access_cookie(&tokens)
        .header("anti-csrf", token_of(&tokens));
    let answer = app.send(right).await;
    assert_eq!(answer.status, 200);
    assert!(answer.has_no_token_headers(), "the token is not echoed");
}

/// Under `VIA_TOKEN` every other method is checked against the session's own token, unless the
/// guard turns that off.
///
/// Cases: S97, S98.
#[tokio::test]
async fn a_post_needs_the_sessions_own_anti_csrf_token() {
    let app = app(AntiCsrf::ViaToken).await;
    let tokens = app.login("alice").await;
    let of_another_session = app.login("alice").await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let request = |path| Req::new(method, path).access_cookie(&tokens);
        app.send(request("/verify")).await.is_try_refresh();
        for wrong in ["", "wrong", token_of(&of_another_session)] {
            app.send(request("/verify").header("anti-csrf", wrong))
                .await
                .is_try_refresh();
        }
        let right = request("/verify").header("anti-csrf", token_of(&tokens));
        assert_eq!(app.send(right).await.status, 200);
        assert_eq!(app.send(request("/verify-no-csrf")).await.status, 200);
    }
    let head = app
        .send(Req::new("HEAD", "/verify").access_cookie(&tokens))
        .await;
    assert_eq!(head.status, 401);
}

/// A session in headers gets no anti-CSRF token and needs none, not even where the check is forced.
///
/// Cases: S99.
#[tokio::test]
async fn a_session_in_headers_needs_no_anti_csrf_token() {
    let app = app(AntiCsrf::ViaToken).await;
    let tokens = app.login_as("alice", "header").await;
    assert_eq!(tokens.anti_csrf, None);
    for path in ["/verify", "/verify-csrf"] {
        assert_eq!(
            app.send(Req::post(path).bearer(&tokens.access))
                .await
                .status,
            200
        );
    }
    let answer = app.send(Req::refresh().bearer(&tokens.refresh)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.tokens().anti_csrf, None);
}

/// Under `VIA_CUSTOM_HEADER` any `rid` with a value will do, on every method but GET. One without a
/// value proves nothing, because intermediaries add such headers.
///
/// Cases: S100, S101.
#[tokio::test]
async fn any_rid_header_satisfies_the_custom_header_check() {
    let app = app(AntiCsrf::ViaCustomHeader).await;
    let tokens = app.login("alice").await;
    assert_eq!(tokens.anti_csrf, None);
    let post = || Req::post("/verify").access_cookie(&tokens);
    app.send(post()).await.is_try_refresh();
    app.send(post().header("anti-csrf", "x"))
        .await
        .is_try_refresh();
    for rid in ["session", "anti-csrf", "whatever"] {
        assert_eq!(app.send(post().header("rid", rid)).await.status, 200);
    }
    for rid in ["", " ", " \t "] {
        app.send(post().header("rid", rid)).await.is_try_refresh();
        let refresh = Req::refresh().refresh_cookie(&tokens).header("rid", rid);
        app.send(refresh).await.is_unauthorised();
    }
    let twice = post().header("rid", "").header("rid", "session");
    assert_eq!(app.send(twice).await.status, 200);
    let get = |path| Req::get(path).access_cookie(&tokens);
    assert_eq!(app.send(get("/verify")).await.status, 200);
    app.send(get("/verify-csrf")).await.is_try_refresh();
    assert_eq!(
        app.send(get("/verify-csrf").header("rid", "x"))
            .await
            .status,
        200
    );
}

/// A refresh by cookie that fails the check logs the client out, as in the reference; the stored
/// session is not touched, and its refresh token stays good.
///
/// Cases: S102, S103.
#[tokio::test]
async fn a_refresh_by_cookie_without_proof_is_unauthorised_and_changes_nothing() {
    let app_by_header = app(AntiCsrf::ViaCustomHeader).await;
    let tokens = app_by_header.login("alice").await;
    let refresh = || Req::refresh().refresh_cookie(&tokens);
    assert_logged_out(&app_by_header.send(refresh()).await);
    let answer = app_by_header.send(refresh().header("rid", "session")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    assert_eq!(answer.header("anti-csrf"), None);

    let app_by_token = app(AntiCsrf::ViaToken).await;
    let tokens = app_by_token.login("alice").await;
    let refresh = || Req::refresh().refresh_cookie(&tokens);
    assert_logged_out(&app_by_token.send(refresh()).await);
    assert_logged_out(&app_by_token.send(refresh().header("rid", "session")).await);
    assert_logged_out(
        &app_by_token
            .send(refresh().header("anti-csrf", "wrong"))
            .await,
    );
    let right = refresh().header("anti-csrf", token_of(&tokens));
    let answer = app_by_token.send(right).await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.tokens().anti_csrf, tokens.anti_csrf);
    assert!(answer.tokens().anti_csrf.is_some());
}

/// Under `NONE` nothing is checked, whatever the method, and whatever a guard asks for.
///
/// Cases: S104.
#[tokio::test]
async fn without_a_mode_nothing_is_checked() {
    let app = app(AntiCsrf::None).await;
    let tokens = app.login("alice").await;
    assert_eq!(tokens.anti_csrf, None);
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        for path in ["/verify", "/verify-csrf", "/verify-no-csrf"] {
            let answer = app
                .send(Req::new(method, path).access_cookie(&tokens))
                .await;
            assert_eq!(answer.status, 200, "{method} {path}");
        }
    }
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
}

/// Where nothing is configured, the mode follows from the cookies' `SameSite`.
///
/// Cases: S105, S106.
#[tokio::test]
async fn the_default_mode_follows_from_same_site() {
    let other_site = App::with(|builder| builder.website_domain("https://example.org")).await;
    let explicit = App::with(|builder| builder.cookie_same_site(SameSite::None)).await;
    for app in [other_site, explicit] {
        let tokens = app.login("alice").await;
        let post = || Req::post("/verify").access_cookie(&tokens);
        app.send(post()).await.is_try_refresh();
        assert_eq!(app.send(post().header("rid", "x")).await.status, 200);
        assert_logged_out_with_same_site_none(&app, &tokens).await;
    }
    let explicit_lax = App::with(|builder| {
        builder
            .website_domain("https://example.org")
            .cookie_same_site(SameSite::Lax)
    })
    .await;
    for app in [App::new().await, explicit_lax] {
        let tokens = app.login("alice").await;
        let answer = app.send(Req::post("/verify").access_cookie(&tokens)).await;
        assert_eq!(answer.status, 200);
    }
}

async fn assert_logged_out_with_same_site_none(app: &App, tokens: &Tokens) {
    let answer = app.send(Req::refresh().refresh_cookie(tokens)).await;
    answer.is_unauthorised();
    assert!(answer.clears_everything());
    for cookie in answer.cookies() {
        assert_eq!(cookie.same_site.as_deref(), Some("None"));
    }
}

/// Turning the check off is the application's decision, whatever its cookies are; an unknown mode
/// is refused by name.
///
/// Cases: S107, S108.
#[tokio::test]
async fn the_mode_is_configured_by_name() {
    for same_site in [SameSite::None, SameSite::Lax, SameSite::Strict] {
        App::with(|builder| {
            builder
                .anti_csrf(AntiCsrf::None)
                .cookie_same_site(same_site)
        })
        .await;
    }
    for (name, mode) in [
        ("NONE", AntiCsrf::None),
        ("VIA_TOKEN", AntiCsrf::ViaToken),
        ("VIA_CUSTOM_HEADER", AntiCsrf::ViaCustomHeader),
    ] {
        assert_eq!(name.parse(), Ok(mode));
    }
    let error = "RANDOM".parse::<AntiCsrf>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "antiCsrf config must be one of 'NONE' or 'VIA_CUSTOM_HEADER' or 'VIA_TOKEN'"
    );
}

/// Without a request, the caller hands over the token that the client sent.
///
/// Cases: S109.
#[tokio::test]
async fn without_a_request_the_anti_csrf_token_is_an_argument() {
    let app = app(AntiCsrf::ViaToken).await;
    let created = app.sessions.create("alice").await.unwrap();
    let tokens = created.all_session_tokens_dangerously();
    let (access, own) = (&tokens.access_token, tokens.anti_csrf_token.as_ref());
    assert!(own.is_some());
    let (sessions, checked) = (&app.sessions, VerifyOptions::new());
    assert_try_refresh(&sessions.verify_access_token(access, None, &checked).await);
    let wrong = AntiCsrfToken::new("wrong");
    assert_try_refresh(
        &sessions
            .verify_access_token(access, Some(&wrong), &checked)
            .await,
    );
    let session = sessions.verify_access_token(access, own, &checked).await;
    assert_eq!(session.unwrap().unwrap().handle(), created.handle());
    let unchecked = VerifyOptions::new().anti_csrf_check(false);
    let session = sessions.verify_access_token(access, None, &unchecked).await;
    assert_eq!(session.unwrap().unwrap().handle(), created.handle());
}

/// A custom header cannot be seen without a request: asking for its check is a mistake in the
/// application, not the client's.
///
/// Cases: S110.
#[tokio::test]
async fn without_a_request_a_custom_header_cannot_be_checked() {
    let app = app(AntiCsrf::ViaCustomHeader).await;
    let created = app.sessions.create("alice").await.unwrap();
    let tokens = created.all_session_tokens_dangerously();
    let refresh_token = tokens.refresh_token.unwrap();
    for options in [
        VerifyOptions::new(),
        VerifyOptions::new().anti_csrf_check(true),
        VerifyOptions::new().optional(),
    ] {
        let result = app
            .sessions
            .verify_access_token(&tokens.access_token, None, &options)
            .await;
        assert_misuse(&result.unwrap_err());
    }
    let unchecked = VerifyOptions::new().anti_csrf_check(false);
    let session = app
        .sessions
        .verify_access_token(&tokens.access_token, None, &unchecked)
        .await;
    assert!(session.unwrap().is_some());

    let input = AntiCsrfInput::Token(None);
    let result = app.sessions.refresh_session(&refresh_token, input).await;
    assert_misuse(&result.unwrap_err());
    let session = app
        .sessions
        .refresh_session(&refresh_token, AntiCsrfInput::Disabled)
        .await;
    assert_eq!(session.unwrap().handle(), created.handle());
}

#[track_caller]
fn assert_misuse(error: &SessionError) {
    let SessionError::Fault(fault) = error else {
        panic!("not a fault: {error:?}");
    };
    assert_eq!(fault.kind(), FaultKind::Misuse);
    assert!(!error.clears_tokens());
}

/// A session that was made while the check was off heals itself: its next refresh makes the
/// anti-CSRF token.
#[tokio::test]
async fn a_session_from_before_the_check_gets_its_token_at_the_next_refresh() {
    let before = app(AntiCsrf::None).await;
    let old = before.login("alice").await;
    let after = before
        .restarted_with(|builder| builder.anti_csrf(AntiCsrf::ViaToken))
        .await;
    after
        .send(
            Req::post("/verify")
                .access_cookie(&old)
                .header("anti-csrf", "x"),
        )
        .await
        .is_try_refresh();
    let answer = after.send(Req::refresh().refresh_cookie(&old)).await;
    assert_eq!(answer.status, 200);
    let new = answer.tokens();
    let post = Req::post("/verify")
        .access_cookie(&new)
        .header("anti-csrf", token_of(&new));
    assert_eq!(after.send(post).await.status, 200);
}

/// Without a request, a refresh checks the token that is inside the refresh token.
#[tokio::test]
async fn without_a_request_a_refresh_needs_the_anti_csrf_token_too() {
    let app = app(AntiCsrf::ViaToken).await;
    let tokens = app
        .sessions
        .create("alice")
        .await
        .unwrap()
        .all_session_tokens_dangerously();
    let refresh_token: RefreshToken = tokens.refresh_token.unwrap();
    let wrong = AntiCsrfToken::new("wrong");
    for sent in [None, Some(&wrong)] {
        super::assert_gone(
            app.sessions
                .refresh_session(&refresh_token, AntiCsrfInput::Token(sent))
                .await,
        );
    }
    let input = AntiCsrfInput::Token(tokens.anti_csrf_token.as_ref());
    let session = app.sessions.refresh_session(&refresh_token, input).await;
    let access_token: AccessToken = session.unwrap().access_token();
    assert!(!access_token.expose().is_empty());
}
