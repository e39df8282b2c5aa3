//! Refresh within a request, for pages without a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{get, post};
use supersession::{AntiCsrf, BuildError, RefreshInPlace, Sessions, SessionsBuilder};
use supersession_axum::{Session, verify_session};
use supersession_testkit::Verb;

use crate::support::{Answer, App, Req, Tokens};

const HOUR: Duration = Duration::from_secs(3_600);
const COOKIE: &str = "sRefreshToken-root";

fn in_place(builder: SessionsBuilder) -> SessionsBuilder {
    builder.refresh_in_place(RefreshInPlace::On)
}

async fn name(session: Session) -> String {
    session.user_id().to_string()
}

async fn guest(session: Option<Session>) -> String {
    session.map_or("guest".to_owned(), |session| session.user_id().to_string())
}

fn routes(router: Router) -> Router {
    let guarded = || get(|| async { "guarded" }).layer(verify_session());
    router
        .route("/page", get(name).post(name))
        .route("/maybe", get(guest))
        .route("/guarded", guarded())
        .route("/go", get(|_: Session| async { Redirect::to("/page") }))
        .route(
            "/fails",
            get(|_: Session| async { StatusCode::BAD_GATEWAY }),
        )
        .route("/public", get(|| async { "public" }))
        .route(
            "/echo",
            post(|_: Session, body: String| async move { body }),
        )
}

async fn app() -> App {
    App::with_routes(in_place, routes).await
}

/// Signs in as a plain form does, without `st-auth-mode`, and returns the access token and the
/// refresh token.
async fn sign_in(app: &App) -> (Tokens, String) {
    let form = Req::post("/create").json(&serde_json::json!({"userId": "alice"}));
    let answer = app.send(form).await;
    let refresh = answer.cookie(COOKIE).unwrap();
    assert_eq!(refresh.path.as_deref(), Some("/"));
    (answer.tokens(), refresh.value)
}

fn page(path: &str, tokens: &Tokens, refresh: &str) -> Req {
    Req::get(path).access_cookie(tokens).cookie(COOKIE, refresh)
}

/// Returns the new refresh token of a response that carries new tokens.
#[track_caller]
fn renewed(answer: &Answer) -> String {
    let access = answer.cookie("sAccessToken").unwrap();
    assert!(!access.value.is_empty());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.cookie(COOKIE).unwrap().value
}

#[tokio::test]
async fn a_page_is_refreshed_if_its_access_token_is_missing_or_expired() {
    let app = app().await;
    for path in ["/page", "/maybe", "/guarded"] {
        let (tokens, refresh) = sign_in(&app).await;
        let fresh = app.send(page(path, &tokens, &refresh)).await;
        assert_eq!(fresh.status, 200);
        assert!(fresh.has_no_token_headers(), "{path}");

        let missing = app.send(Req::get(path).cookie(COOKIE, &refresh)).await;
        assert_eq!(missing.status, 200, "{path}");
        renewed(&missing);
        app.advance(2 * HOUR);
        let (tokens, refresh) = sign_in(&app).await;
        app.advance(2 * HOUR);
        let expired = app.send(page(path, &tokens, &refresh)).await;
        assert_eq!(expired.status, 200, "{path}");
        assert_ne!(renewed(&expired), refresh);
    }
}

#[tokio::test]
async fn the_new_tokens_ride_on_every_response() {
    let app = app().await;
    for (path, status) in [("/go", 303), ("/fails", 502)] {
        let (_, refresh) = sign_in(&app).await;
        let answer = app.send(Req::get(path).cookie(COOKIE, &refresh)).await;
        assert_eq!(answer.status, status);
        renewed(&answer);
    }
}

#[tokio::test]
async fn a_form_with_an_expired_token_keeps_its_body_and_is_processed_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let order = move |_: Session, body: String| async move {
        counted.fetch_add(1, Ordering::Relaxed);
        body
    };
    let app = App::with_routes(in_place, |router| router.route("/order", post(order))).await;
    let (tokens, refresh) = sign_in(&app).await;
    app.advance(2 * HOUR);
    let form = Req::post("/order")
        .access_cookie(&tokens)
        .cookie(COOKIE, &refresh)
        .header("sec-fetch-site", "same-origin")
        .json(&serde_json::json!({"item": 1}));
    let answer = app.send(form).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, r#"{"item":1}"#)
    );
    renewed(&answer);
    assert_eq!(calls.load(Ordering::Relaxed), 1);

    let foreign = Req::post("/order")
        .cookie(COOKIE, &refresh)
        .header("sec-fetch-site", "cross-site")
        .header("origin", "https://evil.example");
    let answer = app.send(foreign).await;
    assert_eq!(answer.status, 403);
    assert!(answer.has_no_token_headers());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_that_come_together_share_a_refresh() {
    let app = app().await;
    let (tokens, refresh) = sign_in(&app).await;
    app.advance(2 * HOUR);
    app.store.clear_calls();
    let requests = (0..16).map(|_| {
        let (app, request) = (app.clone(), page("/page", &tokens, &refresh));
        tokio::spawn(async move { app.send(request).await })
    });
    let mut successors = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        let answer = request.await.unwrap();
        assert_eq!(answer.text, "alice");
        successors.push(renewed(&answer));
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
}

#[tokio::test]
async fn an_aborted_refresh_is_taken_over_by_the_next_request() {
    let app = app().await;
    let (tokens, refresh) = sign_in(&app).await;
    app.advance(2 * HOUR);
    // Dropped at its first suspension, in the middle of the refresh.
    let mut aborted = Box::pin(app.send(page("/page", &tokens, &refresh)));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = Future::poll(aborted.as_mut(), &mut context);
    drop(aborted);
    let answer = app.send(page("/page", &tokens, &refresh)).await;
    assert_eq!(answer.text, "alice");
    renewed(&answer);
}

#[tokio::test]
async fn a_revoked_session_is_not_refreshed_and_an_optional_one_is_a_guest() {
    let app = app().await;
    let (tokens, refresh) = sign_in(&app).await;
    app.sessions.revoke_all_for_user("alice").await.unwrap();
    app.advance(2 * HOUR);
    let answer = app.send(page("/page", &tokens, &refresh)).await;
    answer.is_unauthorised();
    assert_eq!(answer.cookie(COOKIE).unwrap().value, "");
    let answer = app.send(page("/maybe", &tokens, &refresh)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "guest"));
    assert_eq!(answer.cookie(COOKIE).unwrap().value, "");
    assert_eq!(answer.cookie("sAccessToken").unwrap().value, "");
}

#[tokio::test]
async fn a_reused_token_is_theft_in_place_too() {
    let app = app().await;
    let (_, old) = sign_in(&app).await;
    let next = renewed(&app.send(Req::get("/page").cookie(COOKIE, &old)).await);
    renewed(&app.send(Req::get("/page").cookie(COOKIE, &next)).await);
    app.advance(HOUR);
    app.send(Req::get("/maybe").cookie(COOKIE, &old))
        .await
        .is_theft();
    app.send(Req::get("/page").cookie(COOKIE, &next))
        .await
        .is_unauthorised();
}

#[tokio::test]
async fn public_routes_cost_nothing_and_headers_are_not_refreshed() {
    let app = app().await;
    let (tokens, refresh) = sign_in(&app).await;
    app.advance(2 * HOUR);
    app.store.clear_calls();
    let answer = app.send(page("/public", &tokens, &refresh)).await;
    assert!(answer.has_no_token_headers());
    let bearer = Req::get("/page").bearer(&tokens.access);
    app.send(bearer.cookie(COOKIE, &refresh))
        .await
        .is_try_refresh();
    assert_eq!(app.store.calls(), Vec::<Verb>::new());
}

#[tokio::test]
async fn an_installation_changes_step_by_step_and_back() {
    let off = App::with_routes(|builder| builder, routes).await;
    let tokens = off.login("alice").await;
    let to = |step| move |builder: SessionsBuilder| builder.refresh_in_place(step);
    let accept = off.restarted_with(to(RefreshInPlace::Accept)).await;
    let on = off.restarted_with(to(RefreshInPlace::On)).await;

    // The old cookie is exchanged at the refresh route, and cleared at its path.
    let answer = on.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
    let root = renewed(&answer);
    let cleared = answer.cookie("sRefreshToken").unwrap();
    assert_eq!(cleared.value, "");
    assert_eq!(cleared.path.as_deref(), Some("/auth/session/refresh"));

    // A node that has not taken the last step yet reads the new cookie and writes the old one.
    let answer = accept.send(Req::refresh().cookie(COOKIE, &root)).await;
    assert_eq!(answer.status, 200);
    let back = answer.cookie("sRefreshToken").unwrap();
    assert!(!back.value.is_empty());
    let cleared = answer.cookie(COOKIE).unwrap();
    assert_eq!(
        (cleared.value.as_str(), cleared.path.as_deref()),
        ("", Some("/"))
    );

    // Of both, the newer one counts.
    let both = Req::refresh()
        .cookie("sRefreshToken", "older")
        .cookie(COOKIE, &root);
    assert_eq!(on.send(both).await.status, 200);
}

#[tokio::test]
async fn modes_that_need_a_header_do_not_build() {
    for mode in [AntiCsrf::ViaToken, AntiCsrf::ViaCustomHeader] {
        let built = Sessions::builder(supersession::store::MemoryStore::new())
            .api_domain("https://example.com")
            .website_domain("https://example.com")
            .anti_csrf(mode)
            .refresh_in_place(RefreshInPlace::On)
            .build()
            .await;
        let Err(BuildError::Config(problems)) = built else {
            panic!("{mode:?} builds");
        };
        assert_eq!(problems[0].setting, "refresh_in_place");
    }
}
