//! An application's own routes in place of the built-in ones: what the reference does with
//! overrides.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use supersession::{AntiCsrf, SessionError, SessionsBuilder};
use supersession_axum::{RequestSessions, Session, SessionRejection, verify_session};

use super::{
    CLEARED_COOKIES, assert_everything_cleared, cookie_lines, header_names, is_live, lines_of,
};
use crate::support::{Answer, App, Req, Tokens};

const PATH: &str = "/auth/session/refresh";

fn own_refresh(builder: SessionsBuilder) -> SessionsBuilder {
    builder
        .anti_csrf(AntiCsrf::ViaToken)
        .without_refresh_route()
}

async fn app(routes: impl FnOnce(Router) -> Router) -> (App, Tokens) {
    let app = App::with_routes(own_refresh, routes).await;
    let tokens = app.login("alice").await;
    (app, tokens)
}

async fn refresh(app: &App, tokens: &Tokens) -> Answer {
    let request = Req::refresh()
        .access_cookie(tokens)
        .refresh_cookie(tokens)
        .header("anti-csrf", tokens.anti_csrf.as_deref().unwrap());
    app.send(request).await
}

/// A handler that catches the error answers as it likes, and the client keeps its tokens.
///
/// Cases: S135.
#[tokio::test]
async fn a_refresh_error_that_is_caught_clears_nothing() {
    async fn catching(sessions: RequestSessions) -> Response {
        match sessions.refresh().await {
            Err(SessionError::Unauthorised(_)) => (StatusCode::OK, "caught").into_response(),
            other => panic!("{other:?}"),
        }
    }
    let app = App::with_routes(
        |builder| builder,
        |router| router.route("/own", post(catching)),
    )
    .await;
    let answer = app.send(Req::post("/own")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "caught"));
    assert_eq!(header_names(&answer), ["content-type"]);

    async fn passing_on(sessions: RequestSessions) -> Result<(), SessionRejection> {
        sessions.refresh().await?;
        Ok(())
    }
    let app = App::with_routes(
        |builder| builder,
        |router| router.route("/own", post(passing_on)),
    )
    .await;
    let answer = app.send(Req::post("/own")).await;
    answer.is_unauthorised();
    assert_everything_cleared(&answer);
}

#[track_caller]
fn assert_revoked(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status);
    assert_eq!(cookie_lines(answer), CLEARED_COOKIES);
    assert_eq!(answer.header("front-token"), Some("remove"));
    assert_eq!(answer.exposed(), ["front-token"]);
    for absent in ["anti-csrf", "st-access-token", "st-refresh-token"] {
        assert_eq!(answer.header(absent), None);
    }
}

/// A session that ends in the very request that refreshed it takes its new tokens back, whatever
/// the status.
///
/// Cases: S136.
#[tokio::test]
async fn a_session_that_is_revoked_in_its_refresh_is_cleared() {
    async fn ok(sessions: RequestSessions) -> Result<(), SessionRejection> {
        Ok(sessions.refresh().await?.revoke().await?)
    }
    let (app, tokens) = app(|router| router.route(PATH, post(ok))).await;
    assert_revoked(&refresh(&app, &tokens).await, 200);
    assert!(!is_live(&app, &tokens).await);

    async fn own_status(sessions: RequestSessions) -> Result<StatusCode, SessionRejection> {
        sessions.refresh().await?.revoke().await?;
        Ok(StatusCode::UNAUTHORIZED)
    }
    let (app, tokens) = self::app(|router| router.route(PATH, post(own_status))).await;
    assert_revoked(&refresh(&app, &tokens).await, 401);
    assert!(!is_live(&app, &tokens).await);
}

/// An application that finds a reason to log out after the refresh does so as the engine would.
///
/// Cases: S137.
#[tokio::test]
async fn unauthorised_after_a_refresh_clears_the_new_tokens() {
    async fn refusing(sessions: RequestSessions) -> Result<(), SessionRejection> {
        sessions.refresh().await?;
        Err(SessionError::unauthorised("the application says so").into())
    }
    let (app, tokens) = app(|router| router.route(PATH, post(refusing))).await;
    let answer = refresh(&app, &tokens).await;
    answer.is_unauthorised();
    assert_everything_cleared(&answer);
}

/// A status of the application's own takes nothing back: the tokens are already exchanged.
///
/// Cases: S138.
#[tokio::test]
async fn a_plain_401_status_after_a_refresh_keeps_the_new_tokens() {
    async fn own_status(sessions: RequestSessions) -> Result<StatusCode, SessionRejection> {
        sessions.refresh().await?;
        Ok(StatusCode::UNAUTHORIZED)
    }
    let (app, tokens) = app(|router| router.route(PATH, post(own_status))).await;
    let answer = refresh(&app, &tokens).await;
    assert_eq!((answer.status, answer.text.as_str()), (401, ""));
    let new = answer.tokens();
    assert_eq!(cookie_lines(&answer), lines_of(&new));
    assert_ne!(new.refresh, tokens.refresh);
    assert!(new.anti_csrf.is_some());
    assert_eq!(answer.exposed(), ["front-token", "anti-csrf"]);
}

/// A route that is turned off is the application's, which may not have one.
///
/// Cases: S139.
#[tokio::test]
async fn a_disabled_refresh_route_is_not_served() {
    let (app, tokens) = app(|router| router).await;
    let answer = refresh(&app, &tokens).await;
    assert_eq!((answer.status, answer.text.as_str()), (404, ""));
    assert!(answer.has_no_token_headers());
    // The other built-in routes are still there.
    let signout = Req::signout()
        .access_cookie(&tokens)
        .header("anti-csrf", tokens.anti_csrf.as_deref().unwrap());
    assert_eq!(app.send(signout).await.status, 200);
}

/// On the refresh path a guard refreshes, so that an application can mount a route of its own
/// behind it.
#[tokio::test]
async fn a_guard_on_the_refresh_path_refreshes() {
    async fn handle(session: Session) -> String {
        session.user_id().to_string()
    }
    let (app, tokens) = app(|router| router.route(PATH, any(handle).layer(verify_session()))).await;
    let answer = refresh(&app, &tokens).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "alice"));
    let new = answer.tokens();
    assert_eq!(cookie_lines(&answer), lines_of(&new));
    // Not so for another method, where the access token counts.
    let get = Req::get(PATH).access_cookie(&new).refresh_cookie(&new);
    let answer = app.send(get).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "alice"));
    assert!(answer.has_no_token_headers());
}
