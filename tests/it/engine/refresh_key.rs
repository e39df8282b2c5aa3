//! The key of refresh tokens while the store is emptied, restored or replaced under running nodes.

use std::time::Duration;

use supersession::store::{SessionKey, StoreErrorKind, TenantStore as _};
use supersession::{AntiCsrfInput, AppId, Clock as _, RefreshToken, Store as _};
use supersession_testkit::{PlannedFault, Verb};

use crate::support::{App, Req, Tokens};

/// Empties the store, as `FLUSHALL` does.
async fn empty(app: &App) {
    let store = app.store.inner();
    store.delete_app(&AppId::default()).await.unwrap();
}

async fn another_node(app: &App) -> App {
    app.restarted_with(|builder| builder).await
}

async fn refreshes(app: &App, tokens: &Tokens) -> u16 {
    let answer = app.send(Req::refresh().refresh_cookie(tokens)).await;
    answer.status
}

#[tokio::test]
async fn nodes_take_over_the_key_of_a_store_that_was_replaced() {
    let old = App::new().await;
    let before = old.login("alice").await;
    empty(&old).await;
    // This node starts with a key of its own.
    let new = another_node(&old).await;
    old.advance(Duration::from_millis(500));
    let of_new = new.login("alice").await;
    assert_eq!(refreshes(&old, &of_new).await, 200);
    let of_old = old.login("alice").await;
    assert_eq!(refreshes(&new, &of_old).await, 200);
    // The key from before decrypts nothing any more.
    for node in [&old, &new] {
        assert_eq!(refreshes(node, &before).await, 401);
    }
}

#[tokio::test]
async fn a_running_node_puts_its_key_into_a_store_that_was_emptied() {
    let old = App::new().await;
    empty(&old).await;
    old.advance(Duration::from_secs(5));
    let of_old = old.login("alice").await;
    let new = another_node(&old).await;
    assert_eq!(refreshes(&new, &of_old).await, 200);
    let of_new = new.login("alice").await;
    assert_eq!(refreshes(&old, &of_new).await, 200);
}

/// Otherwise a session that an old node makes after the change dies at its first refresh elsewhere.
#[tokio::test]
async fn another_key_in_the_store_is_noticed_within_seconds_without_any_refresh() {
    let old = App::new().await;
    empty(&old).await;
    let new = another_node(&old).await;
    old.advance(Duration::from_secs(5));
    let of_old = old.login("alice").await;
    assert_eq!(refreshes(&new, &of_old).await, 200);
}

#[tokio::test]
async fn tokens_of_another_key_cause_few_reads() {
    let app = App::new().await;
    let foreign = App::new().await.login("alice").await;
    app.advance(Duration::from_secs(1));
    app.store.clear_calls();
    for _ in 0..20 {
        assert_eq!(refreshes(&app, &foreign).await, 401);
    }
    assert_eq!(app.store.count(Verb::RefreshTokenKey), 1);
    app.advance(Duration::from_millis(500));
    assert_eq!(refreshes(&app, &foreign).await, 401);
    assert_eq!(app.store.count(Verb::RefreshTokenKey), 2);
    // A token of another shape causes none.
    app.advance(Duration::from_secs(1));
    let shapeless = RefreshToken::new("no.token.V2");
    let input = AntiCsrfInput::Disabled;
    let outcome = app.sessions.refresh_session(&shapeless, input).await;
    assert!(outcome.is_err());
    assert_eq!(app.store.count(Verb::RefreshTokenKey), 2);
}

#[tokio::test]
async fn a_token_is_not_judged_while_the_key_cannot_be_read() {
    let old = App::new().await;
    empty(&old).await;
    let new = another_node(&old).await;
    let of_new = new.login("alice").await;
    old.advance(Duration::from_millis(500));
    let fault = PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::RefreshTokenKey);
    old.store.plan(fault);
    for _ in 0..2 {
        let answer = old.send(Req::refresh().refresh_cookie(&of_new)).await;
        answer.is_message(503, "service unavailable");
        assert!(answer.has_no_token_headers());
    }
    old.advance(Duration::from_millis(500));
    assert_eq!(refreshes(&old, &of_new).await, 200);
}

#[tokio::test]
async fn a_key_that_cannot_be_read_again_stays_in_use() {
    let app = App::new().await;
    app.advance(Duration::from_secs(5));
    let fault = PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::RefreshTokenKey);
    app.store.plan(fault);
    app.store.clear_calls();
    let tokens = app.login("alice").await;
    assert_eq!(app.store.count(Verb::RefreshTokenKey), 1);
    assert_eq!(refreshes(&app, &tokens).await, 200);
}

/// Sessions that were made under the key from before are found out by their own node too.
#[tokio::test]
async fn a_node_that_only_refreshes_notices_another_key() {
    let old = App::new().await;
    let tokens = old.login("alice").await;
    let key = SessionKey::new(&AppId::default(), tokens.handle.as_str().into());
    let store = old.store.inner();
    let row = store.session(&key, old.clock.now()).await.unwrap().unwrap();
    empty(&old).await;
    drop(another_node(&old).await);
    store.insert_session(&row).await.unwrap();
    old.advance(Duration::from_secs(31));
    // The first refresh loads the signing keys, the second one knows of it.
    let again = old.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(again.status, 200);
    assert_eq!(refreshes(&old, &again.tokens()).await, 401);
}
