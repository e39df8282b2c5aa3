//! Refreshing is harmless when done twice, atomic when the store fails, and bounded in time.

use std::time::Duration;

use supersession::store::{SessionKey, SessionRecord, StoreErrorKind};
use supersession::{AntiCsrf, AppId, Clock as _, RefreshHash2, RefreshToken, Store as _};
use supersession_testkit::{FaultTiming, PlannedFault, SeededEntropy, Verb};

use super::{assert_cookies_only, assert_headers_only, assert_logged_out, assert_theft, is_live};
use crate::support::{Answer, App, Req, START, Tokens};

async fn record(app: &App, tokens: &Tokens) -> Option<SessionRecord> {
    let handle = tokens.payload()["sessionHandle"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = SessionKey::new(&AppId::default(), handle.into());
    app.store
        .inner()
        .session(&key, app.clock.now())
        .await
        .unwrap()
}

/// Parallel tabs: whoever presents the same token gets the same successor, and the session lives
/// on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_refreshes_all_get_the_same_successor() {
    let app = App::new().await;
    let mut tokens = app.login("alice").await;
    for _ in 0..4 {
        let refreshes: Vec<_> = (0..32)
            .map(|_| {
                let (app, request) = (app.clone(), Req::refresh().refresh_cookie(&tokens));
                tokio::spawn(async move { app.send(request).await })
            })
            .collect();
        let mut successors = Vec::new();
        for refresh in refreshes {
            successors.push(refreshed(&refresh.await.unwrap()));
        }
        let next = successors[0].clone();
        for successor in &successors {
            assert_eq!(successor.refresh, next.refresh);
            let request = Req::get("/verify-db").access_cookie(successor);
            assert_eq!(app.send(request).await.status, 200);
        }
        assert_ne!(next.refresh, tokens.refresh);
        app.advance_secs(31);
        tokens = next;
    }
    assert!(is_live(&app, &tokens).await);
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
}

#[track_caller]
fn refreshed(answer: &Answer) -> Tokens {
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    answer.tokens()
}

/// The successor that the first exchange made is *the* successor, also if the second one comes
/// another way.
#[tokio::test]
async fn a_replay_under_another_anti_csrf_mode_gets_the_same_successor() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    // Made by cookie and first exchanged by cookie, with an anti-CSRF token; then by header,
    // without.
    let first = app.login("alice").await;
    let by_cookie = || {
        Req::refresh()
            .refresh_cookie(&first)
            .header("anti-csrf", first.anti_csrf.as_deref().unwrap())
    };
    let second = app.send(by_cookie()).await.tokens();
    let answer = app.send(Req::refresh().bearer(&first.refresh)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.tokens().refresh, second.refresh);
    let again = app.send(by_cookie()).await.tokens();
    assert_eq!(again.refresh, second.refresh);
    assert_eq!(again.anti_csrf, second.anti_csrf);

    // The other way round.
    let first = app.login_as("alice", "header").await;
    let answer = app.send(Req::refresh().bearer(&first.refresh)).await;
    let second = assert_headers_only(&answer);
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    assert_eq!(assert_cookies_only(&answer).refresh, second.refresh);
    app.advance_secs(31);
    let answer = app.send(Req::refresh().bearer(&second.refresh)).await;
    assert_headers_only(&answer);
    app.advance_secs(31);
    assert_theft(&app.send(Req::refresh().bearer(&second.refresh)).await);
}

#[track_caller]
fn assert_fault(answer: &Answer, status: u16, message: &str) {
    answer.is_message(status, message);
    let mut names = super::header_names(answer);
    names.retain(|name| *name != "retry-after");
    assert_eq!(names, ["content-type"], "{answer:?}");
}

/// Trouble at any step of a refresh is 503, costs the client nothing, and the next try works: also
/// when the exchange took place and only its answer was lost.
#[tokio::test]
async fn a_refresh_that_the_store_fails_can_be_tried_again() {
    for verb in [Verb::Session, Verb::Rotate] {
        for moment in [FaultTiming::Before, FaultTiming::After] {
            for kind in [StoreErrorKind::Unavailable, StoreErrorKind::NotWritable] {
                let app = App::new().await;
                let tokens = app.login("alice").await;
                let fault = PlannedFault::new(kind).on(verb).at(moment);
                app.store.plan(fault);
                app.store.clear_calls();
                let request = || Req::refresh().refresh_cookie(&tokens);
                let answer = app.send(request()).await;
                assert_fault(&answer, 503, "service unavailable");
                assert_eq!(answer.header("retry-after"), Some("1"));
                assert_eq!(app.store.calls().last(), Some(&verb));

                let new = assert_cookies_only(&app.send(request()).await);
                let stored = record(&app, &tokens).await.unwrap().lineage.current;
                assert_eq!(
                    stored,
                    RefreshHash2::of(&RefreshToken::new(new.refresh.clone()))
                );
                app.advance_secs(31);
                let answer = app.send(Req::refresh().refresh_cookie(&new)).await;
                assert_eq!(answer.status, 200);
            }
        }
    }
    // These are all verbs that a refresh calls.
    let app = App::new().await;
    let tokens = app.login("alice").await;
    app.store.clear_calls();
    assert_cookies_only(&app.send(Req::refresh().refresh_cookie(&tokens)).await);
    assert_eq!(app.store.calls(), [Verb::Session, Verb::Rotate]);
}

/// Keys that are known sign on while the store cannot be asked for newer ones.
#[tokio::test]
async fn a_refresh_succeeds_after_a_failure_of_the_keys() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    app.advance_secs(60);
    app.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::SigningKeys));
    app.store.clear_calls();
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        app.store.calls(),
        [Verb::Session, Verb::SigningKeys, Verb::Rotate]
    );
}

/// A theft that cannot be recorded is trouble, not a verdict: nothing is cleared, and the next
/// replay is answered as theft.
#[tokio::test]
async fn theft_is_reported_once_the_session_is_ended() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let replay = || Req::refresh().refresh_cookie(&first);
    app.send(replay()).await;
    app.advance_secs(31);
    app.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::DeleteSessions));
    assert_fault(&app.send(replay()).await, 503, "service unavailable");
    assert!(is_live(&app, &first).await);
    assert_theft(&app.send(replay()).await);
    assert!(!is_live(&app, &first).await);
}

/// Damaged data is a bug of ours: 500, and still nothing is cleared.
#[tokio::test]
async fn damaged_data_logs_no_user_out() {
    for kind in [StoreErrorKind::Corrupt, StoreErrorKind::Internal] {
        let app = App::new().await;
        let tokens = app.login("alice").await;
        app.store.plan(PlannedFault::new(kind).on(Verb::Session));
        let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
        assert_fault(&answer, 500, "internal server error");
        assert_eq!(answer.header("retry-after"), None);
    }
}

/// Minting comes first: a refresh that cannot mint leaves the stored session as it was.
#[tokio::test]
async fn a_refresh_that_cannot_mint_stores_nothing() {
    let entropy = SeededEntropy::new(7);
    let drawn = entropy.clone();
    let app =
        App::with(move |builder| builder.entropy(drawn).access_token_validity_jitter(0.05)).await;
    let tokens = app.login("alice").await;
    let before = record(&app, &tokens).await;
    entropy.break_down();
    app.store.clear_calls();
    let request = || Req::refresh().refresh_cookie(&tokens);
    assert_fault(&app.send(request()).await, 500, "internal server error");
    assert_eq!(app.store.calls(), [Verb::Session]);
    assert_eq!(record(&app, &tokens).await, before);
    entropy.repair();
    assert_eq!(app.send(request()).await.status, 200);
}

/// Nothing lives beyond the absolute lifetime, however often it is refreshed: not the session, not
/// its cookie, not its access token.
#[tokio::test]
async fn the_absolute_lifetime_ends_a_session_that_is_refreshed() {
    const LIFETIME: Duration = Duration::from_secs(3 * 3_600);
    let end = START.after(LIFETIME);
    let app = App::with(|builder| builder.absolute_session_lifetime(LIFETIME)).await;
    let answer = app
        .send(
            Req::post("/create")
                .header("st-auth-mode", "cookie")
                .json(&serde_json::json!({})),
        )
        .await;
    let expires = "Thu, 01 Jan 2026 03:00:00 GMT";
    let refresh_expiry = |answer: &Answer| answer.cookie("sRefreshToken").unwrap().expires;
    assert_eq!(refresh_expiry(&answer).as_deref(), Some(expires));
    let first = answer.tokens();
    assert_eq!(exp(&first), START.get() / 1_000 + 3_600);

    app.advance_secs(2 * 3_600 + 1_800);
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    assert_eq!(refresh_expiry(&answer).as_deref(), Some(expires));
    let second = answer.tokens();
    assert_eq!(exp(&second), end.get() / 1_000);
    assert_eq!(record(&app, &second).await.unwrap().expires_at, end);
    // A replay is bounded too.
    let again = app.send(Req::refresh().refresh_cookie(&first)).await;
    assert_eq!(refresh_expiry(&again).as_deref(), Some(expires));
    assert_eq!(exp(&again.tokens()), end.get() / 1_000);

    app.advance(Duration::from_millis(1_799_999));
    let verified = app
        .send(Req::get("/verify-db").access_cookie(&second))
        .await;
    assert_eq!(verified.status, 200);
    app.advance(Duration::from_millis(1));
    app.send(Req::get("/verify-db").access_cookie(&second))
        .await
        .is_try_refresh();
    assert_logged_out(&app.send(Req::refresh().refresh_cookie(&second)).await);
}

/// A lifetime that was configured later ends older sessions at their next refresh, instead of
/// giving them tokens that are dead.
#[tokio::test]
async fn a_shortened_absolute_lifetime_ends_older_sessions() {
    let before = App::new().await;
    let (first, other) = (before.login("alice").await, before.login("alice").await);
    let lifetime = Duration::from_secs(3 * 3_600);
    let after = before
        .restarted_with(|builder| builder.absolute_session_lifetime(lifetime))
        .await;
    after.advance(lifetime - Duration::from_secs(1));
    let answer = after.send(Req::refresh().refresh_cookie(&first)).await;
    assert_eq!(answer.status, 200);
    let request = Req::get("/verify-db").access_cookie(&answer.tokens());
    assert_eq!(after.send(request).await.status, 200);
    after.advance_secs(1);
    for tokens in [&answer.tokens(), &other] {
        assert_logged_out(&after.send(Req::refresh().refresh_cookie(tokens)).await);
    }
}

/// Without an absolute lifetime a session ends when it is not refreshed for long enough, at that
/// very millisecond.
#[tokio::test]
async fn a_session_ends_with_its_refresh_token() {
    let app = App::new().await;
    let day = Duration::from_secs(24 * 3_600);
    let first = app.login("alice").await;
    app.advance(100 * day - Duration::from_millis(1));
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    assert_eq!(answer.status, 200);
    let second = answer.tokens();
    app.advance(100 * day);
    assert!(!is_live(&app, &second).await);
    assert_logged_out(&app.send(Req::refresh().refresh_cookie(&second)).await);
}

#[track_caller]
fn exp(tokens: &Tokens) -> u64 {
    tokens.payload()["exp"].as_u64().unwrap()
}
