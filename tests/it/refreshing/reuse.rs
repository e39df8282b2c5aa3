//! A refresh token that is used again: the grace period, and what is theft (core specification,
//! 3.3).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use supersession::http::Reply;
use supersession::store::{Lineage, RotateOutcome, Rotation, SessionKey};
use supersession::{
    AppId, Clock as _, Hooks, RefreshHash2, ReuseClass, SessionError, SessionsBuilder, Store as _,
    TokenTheft,
};

use super::{
    GRACE, assert_cookies_only, assert_everything_cleared, assert_headers_only, assert_logged_out,
    assert_theft, is_live,
};
use crate::support::{App, Req, Tokens};

/// Remembers what the hook hears.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<TokenTheft>>>);

impl Ear {
    fn hooks(&self) -> Hooks {
        let heard = Arc::clone(&self.0);
        Hooks::new().on_theft(move |theft| {
            heard.lock().unwrap().push(theft);
            async {}
        })
    }

    /// What was heard since the last time.
    fn heard(&self) -> Vec<TokenTheft> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

async fn app(configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> (App, Ear) {
    let ear = Ear::default();
    let hooks = ear.hooks();
    (
        App::with(|builder| configure(builder.hooks(hooks))).await,
        ear,
    )
}

async fn exchange(app: &App, tokens: &Tokens) -> Tokens {
    let answer = app.send(Req::refresh().refresh_cookie(tokens)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.tokens()
}

/// As if an engine that does not derive successors had minted another one in the grace period (core
/// specification, 3.3 case 3).
async fn displace_current(app: &App, tokens: &Tokens) {
    let handle = tokens.payload()["sessionHandle"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = SessionKey::new(&AppId::default(), handle.into());
    let (store, now) = (app.store.inner(), app.clock.now());
    let record = store.session(&key, now).await.unwrap().unwrap();
    let next = Rotation::new(
        Lineage::new(
            RefreshHash2::from_hex("f".repeat(64)),
            record.lineage.previous.clone(),
        ),
        record.expires_at,
        record.key_kind,
    );
    let outcome = store
        .rotate(&key, &record.lineage, &record.payload, &next, now)
        .await;
    assert_eq!(outcome.unwrap(), RotateOutcome::Rotated);
}

#[track_caller]
fn assert_heard(ear: &Ear, tokens: &Tokens, class: ReuseClass) {
    let heard = ear.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].class, class);
    assert_eq!(
        heard[0].handle,
        tokens.payload()["sessionHandle"].as_str().unwrap()
    );
    assert_eq!(heard[0].user_id, "alice");
    assert_eq!(heard[0].recipe_user_id, "alice");
}

/// Adapted: it is the end of the grace period, not the use of the child, that makes a replay theft.
///
/// Cases: S128, S132.
#[tokio::test]
async fn a_replay_after_the_grace_period_is_theft() {
    let (app, ear) = app(|builder| builder).await;
    let first = app.login("alice").await;
    let second = exchange(&app, &first).await;
    let verified = app
        .send(Req::get("/verify-db").access_cookie(&second))
        .await;
    assert_eq!(verified.status, 200);
    app.advance(GRACE + Duration::from_millis(1));
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    assert_theft(&answer);
    assert_heard(&ear, &first, ReuseClass::RecentPrev);
    assert!(!is_live(&app, &first).await);
    let answer = app
        .send(Req::get("/verify-db").access_cookie(&second))
        .await;
    assert_logged_out(&answer);
    // The session is gone, so the next one is told no more than that.
    for tokens in [&first, &second] {
        assert_logged_out(&app.send(Req::refresh().refresh_cookie(tokens)).await);
    }
    assert!(ear.heard().is_empty());
}

/// Theft ends one session, not the user's others.
#[tokio::test]
async fn theft_ends_only_the_session_it_happened_to() {
    let (app, _) = app(|builder| builder).await;
    let (stolen, other) = (app.login("alice").await, app.login("alice").await);
    exchange(&app, &stolen).await;
    app.advance_secs(31);
    assert_theft(&app.send(Req::refresh().refresh_cookie(&stolen)).await);
    assert!(is_live(&app, &other).await);
    exchange(&app, &other).await;
}

/// A response that was lost costs nothing: the replay gets the same successor, whether the child
/// has been used or not.
///
/// Cases: S129.
#[tokio::test]
async fn a_replay_in_the_grace_period_gets_the_same_successor() {
    let (app, ear) = app(|builder| builder).await;
    let first = app.login("alice").await;
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    let second = assert_cookies_only(&answer);
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    let again = assert_cookies_only(&answer);
    assert_eq!(again.refresh, second.refresh);
    let used = app
        .send(Req::get("/verify-db").access_cookie(&second))
        .await;
    assert_eq!(used.status, 200);
    let answer = app.send(Req::refresh().bearer(&first.refresh)).await;
    assert_eq!(assert_headers_only(&answer).refresh, second.refresh);
    let used = app.send(Req::get("/verify-db").access_cookie(&again)).await;
    assert_eq!(used.status, 200);
    let third = exchange(&app, &second).await;
    assert_ne!(third.refresh, second.refresh);
    assert!(ear.heard().is_empty());
}

/// Two exchanges back, no grace period helps.
///
/// Cases: S130.
#[tokio::test]
async fn a_token_of_the_second_last_exchange_is_theft_at_once() {
    let (app, ear) = app(|builder| builder).await;
    let first = app.login("alice").await;
    let second = exchange(&app, &first).await;
    exchange(&app, &second).await;
    assert_theft(&app.send(Req::refresh().refresh_cookie(&first)).await);
    assert_heard(&ear, &first, ReuseClass::StaleLineage);
    assert!(!is_live(&app, &first).await);
}

/// The grace period includes its last millisecond, and replays do not prolong it.
#[tokio::test]
async fn the_grace_period_ends_one_millisecond_after_it() {
    let (app, ear) = app(|builder| builder).await;
    let first = app.login("alice").await;
    app.advance(Duration::from_millis(1_234));
    let second = exchange(&app, &first).await;
    app.advance(GRACE / 2);
    assert_eq!(exchange(&app, &first).await.refresh, second.refresh);
    app.advance(GRACE / 2);
    assert_eq!(exchange(&app, &first).await.refresh, second.refresh);
    app.advance(Duration::from_millis(1));
    assert_theft(&app.send(Req::refresh().refresh_cookie(&first)).await);
    assert_heard(&ear, &first, ReuseClass::RecentPrev);

    // The current token needs no grace: it is good until the session ends.
    let first = app.login("alice").await;
    let second = exchange(&app, &first).await;
    app.advance_secs(50 * 24 * 3_600);
    exchange(&app, &second).await;
}

/// A grace period of zero still covers requests of the same millisecond.
#[tokio::test]
async fn without_a_grace_period_only_the_same_millisecond_is_forgiven() {
    let (app, ear) =
        app(|builder| builder.refresh_token_rotation_grace_period(Duration::ZERO)).await;
    let first = app.login("alice").await;
    let second = exchange(&app, &first).await;
    assert_eq!(exchange(&app, &first).await.refresh, second.refresh);
    app.advance(Duration::from_millis(1));
    assert_theft(&app.send(Req::refresh().refresh_cookie(&first)).await);
    assert_heard(&ear, &first, ReuseClass::RecentPrev);
}

/// A successor that another engine displaced is an orphan: a sibling of the current token.
#[tokio::test]
async fn a_displaced_successor_is_reported_as_an_orphan() {
    let (app, ear) = app(|builder| builder).await;
    let first = app.login("alice").await;
    let second = exchange(&app, &first).await;
    displace_current(&app, &first).await;
    assert_theft(&app.send(Req::refresh().refresh_cookie(&second)).await);
    assert_heard(&ear, &first, ReuseClass::OrphanedBranch);
    assert!(!is_live(&app, &first).await);
}

/// In the grace period, the derived successor takes its place back from one that another engine
/// minted.
#[tokio::test]
async fn a_replay_displaces_the_token_of_another_engine() {
    let (app, ear) = app(|builder| builder).await;
    let first = app.login("alice").await;
    let second = exchange(&app, &first).await;
    displace_current(&app, &first).await;
    assert_eq!(exchange(&app, &first).await.refresh, second.refresh);
    exchange(&app, &second).await;
    assert!(ear.heard().is_empty());
}

/// The lenient setting hides recent reuse from the hook and from the client, but the session ends
/// all the same; what is older stays theft.
#[tokio::test]
async fn recent_reuse_may_be_reported_as_unauthorised_only() {
    let (app, ear) = app(|builder| builder.report_recent_token_reuse_as_theft(false)).await;
    let first = app.login("alice").await;
    exchange(&app, &first).await;
    app.advance_secs(31);
    assert_logged_out(&app.send(Req::refresh().refresh_cookie(&first)).await);
    assert!(!is_live(&app, &first).await);

    let first = app.login("alice").await;
    let second = exchange(&app, &first).await;
    displace_current(&app, &first).await;
    assert_logged_out(&app.send(Req::refresh().refresh_cookie(&second)).await);
    assert!(!is_live(&app, &first).await);
    assert!(ear.heard().is_empty());

    let first = app.login("alice").await;
    let second = exchange(&app, &first).await;
    exchange(&app, &second).await;
    assert_theft(&app.send(Req::refresh().refresh_cookie(&first)).await);
    assert_heard(&ear, &first, ReuseClass::StaleLineage);
}

/// The application may answer theft otherwise; the tokens are cleared and the session is ended
/// regardless.
///
/// Cases: S131.
#[tokio::test]
async fn an_own_answer_to_theft_still_clears() {
    let (app, ear) = app(|builder| {
        builder.render_errors(|error, reply| match error {
            SessionError::TokenTheftDetected(_) => Reply::json(403, r#"{"alarm":true}"#),
            _ => reply,
        })
    })
    .await;
    let first = app.login("alice").await;
    exchange(&app, &first).await;
    app.advance_secs(31);
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (403, r#"{"alarm":true}"#)
    );
    assert_everything_cleared(&answer);
    assert!(!is_live(&app, &first).await);
    assert_heard(&ear, &first, ReuseClass::RecentPrev);
}
