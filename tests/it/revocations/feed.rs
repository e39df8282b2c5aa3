//! Guards that rely on the store's feed of revocations instead of asking the store.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use supersession::store::{MemoryStore, SessionKey, StoreErrorKind};
use supersession::{
    AccessToken, AppId, SessionEnd, SessionError, Sessions, Store, Strictness, VerifyOptions,
};
use supersession_postgres::PostgresStore;
use supersession_redis::RedisStore;
use supersession_testkit::servers::{PostgresServer, RedisServer};
use supersession_testkit::{FaultStore, ManualClock, PlannedFault, Verb};

use super::{NEVER, Nodes, PATIENCE, in_time, until};
use crate::history::broken::{Broken, Flaw};
use crate::support::{START, capture, default_config, seed_keys};

/// What a guard with the default options says of the session.
async fn passes(node: &Sessions, token: &AccessToken) -> bool {
    let options = VerifyOptions::new();
    match node.verify_access_token(token, None, &options).await {
        Ok(session) => session.is_some(),
        Err(SessionError::Unauthorised(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Whether the node asks the store about the session, which lives.
async fn asks<S: Store>(store: &FaultStore<S>, node: &Sessions, token: &AccessToken) -> bool {
    let before = store.count(Verb::Session);
    assert!(passes(node, token).await);
    store.count(Verb::Session) > before
}

/// Waits until the node asks the store each time, or until it relies on its feed, which flows then,
/// and on an answer that it remembers.
async fn until_asks<S: Store>(
    expected: bool,
    store: &FaultStore<S>,
    node: &Sessions,
    token: &AccessToken,
) {
    let waiting = async {
        while asks(store, node, token).await != expected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {expected} is whether the node asks"));
}

#[tokio::test]
async fn with_a_feed_the_store_is_asked_once_and_other_nodes_revocations_apply() {
    let nodes = Nodes::with_feed().await;
    let here = nodes.start(|builder| builder).await;
    let there = nodes.start(|builder| builder).await;
    let session = there.create("alice").await.unwrap();
    let token = session.access_token();
    until_asks(false, &nodes.store, &here, &token).await;
    assert!(!asks(&nodes.store, &here, &token).await);

    let session_here = here
        .verify_access_token(&token, None, &VerifyOptions::new())
        .await
        .unwrap()
        .unwrap();
    let ended = session_here.ended();
    there.revoke(session.handle()).await.unwrap();
    assert_eq!(in_time(ended).await, SessionEnd::Revoked);
    assert!(!passes(&here, &token).await);
}

#[tokio::test]
async fn a_database_check_also_confirms_for_guards_that_use_the_feed() {
    let deaf = Broken::new(Flaw::DeafFeed, 0, Arc::new(MemoryStore::new()));
    let store = FaultStore::new(deaf);
    seed_keys(&store, START).await;
    let start = async || {
        let builder = default_config(Sessions::builder(store.clone()));
        let builder = builder.clock(ManualClock::new(START));
        builder.build().await.unwrap()
    };
    let (here, there) = (start().await, start().await);
    let session = there.create("alice").await.unwrap();
    let token = session.access_token();
    until_asks(false, &store, &here, &token).await;
    there.revoke(session.handle()).await.unwrap();
    assert!(passes(&here, &token).await, "somebody has told it");
    let options = VerifyOptions::new().check_database(true);
    let checked = here.verify_access_token(&token, None, &options).await;
    assert!(matches!(checked, Err(SessionError::Unauthorised(_))));
    assert!(!passes(&here, &token).await);
}

#[tokio::test]
async fn a_node_without_its_feed_asks_the_store_until_it_reconnects() {
    let nodes = Nodes::with_feed().await;
    let here = nodes.start(|builder| builder).await;
    let there = nodes
        .start(|builder| builder.revocation_poll_interval(NEVER))
        .await;
    let session = there.create("alice").await.unwrap();
    let token = session.access_token();
    until_asks(false, &nodes.store, &here, &token).await;
    let outage = PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::RevocationFeed);
    nodes.store.plan(outage.times(u32::MAX));
    let tried = nodes.store.count(Verb::RevocationFeed);
    nodes.store.inner().lose_revocation_feed();
    until("both nodes tried to listen again", || {
        nodes.store.count(Verb::RevocationFeed) >= tried + 2
    })
    .await;
    // The node may be the second of the two.
    until_asks(true, &nodes.store, &here, &token).await;
    for _ in 0..3 {
        let asked = asks(&nodes.store, &here, &token).await;
        assert!(asked, "a node without its feed must ask");
    }
    nodes.store.heal();
    until_asks(false, &nodes.store, &here, &token).await;
    // What ended while the feed was lost is known, too.
    let another = there.create("alice").await.unwrap();
    nodes.store.plan(outage.times(u32::MAX));
    nodes.store.inner().lose_revocation_feed();
    let ended = another.ended();
    here.revoke(another.handle()).await.unwrap();
    nodes.store.heal();
    assert_eq!(in_time(ended).await, SessionEnd::Revoked);
}

#[tokio::test]
async fn a_guard_can_be_stricter_or_laxer_than_the_feed() {
    let nodes = Nodes::with_feed().await;
    let here = nodes.start(|builder| builder).await;
    let session = here.create("alice").await.unwrap();
    let token = session.access_token();
    let asks = async |options: VerifyOptions| {
        let before = nodes.store.count(Verb::Session);
        here.verify_access_token(&token, None, &options)
            .await
            .unwrap();
        nodes.store.count(Verb::Session) - before
    };
    let database = || VerifyOptions::new().strictness(Strictness::Database);
    assert_eq!(asks(database()).await, 1);
    assert_eq!(asks(database()).await, 1);
    let lax = VerifyOptions::new().strictness(Strictness::TokenOnly);
    assert_eq!(asks(lax).await, 0);
    // What is asked for by its age is always asked about.
    let fresh = VerifyOptions::new()
        .strictness(Strictness::TokenOnly)
        .max_session_age(Duration::from_secs(60));
    assert_eq!(asks(fresh).await, 1);
}

#[tokio::test]
async fn a_feed_that_is_asked_for_but_absent_is_the_database() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.strictness(Strictness::Feed))
        .await;
    let session = here.create("alice").data(json!({})).await.unwrap();
    let token = session.access_token();
    for _ in 0..3 {
        let before = nodes.store.count(Verb::Session);
        assert!(passes(&here, &token).await);
        assert_eq!(nodes.store.count(Verb::Session), before + 1);
    }
    here.revoke(session.handle()).await.unwrap();
    assert!(!passes(&here, &token).await);
}

#[tokio::test]
async fn revocations_of_another_app_are_ignored() {
    let nodes = Nodes::with_feed().await;
    let here = nodes.start(|builder| builder).await;
    let session = here.create("alice").await.unwrap();
    let ended = tokio::spawn(session.ended());
    let app = AppId::from_stored("another");
    let key = SessionKey::new(&app, session.handle().clone());
    let store: &dyn Store = nodes.store.inner();
    let mut listener = store.revocation_feed().await.unwrap().unwrap();
    let record = store
        .session(
            &SessionKey::new(&AppId::default(), session.handle().clone()),
            START,
        )
        .await
        .unwrap()
        .unwrap();
    let mut other = record;
    other.key = key.clone();
    store.insert_session(&other).await.unwrap();
    store
        .delete_sessions(std::slice::from_ref(&key))
        .await
        .unwrap();
    assert_eq!(listener.next().await, Some(key));
    // The next ending that the node hears of comes after that one.
    let marker = here.create("marker").await.unwrap();
    let marked = marker.ended();
    store
        .delete_sessions(&[SessionKey::new(&AppId::default(), marker.handle().clone())])
        .await
        .unwrap();
    in_time(marked).await;
    assert!(!ended.is_finished());
}

/// Two nodes, each with connections of its own.
async fn a_revocation_reaches_the_other_node<S: Store>(first: S, second: S) {
    capture::install();
    seed_keys(&first, START).await;
    let asked = FaultStore::new(second);
    let there = default_config(Sessions::builder(first)).build().await;
    let here = default_config(Sessions::builder(asked.clone()))
        .revocation_poll_interval(NEVER)
        .build()
        .await;
    let (there, here) = (there.unwrap(), here.unwrap());
    let session = there.create("alice").await.unwrap();
    let token = session.access_token();
    until_asks(false, &asked, &here, &token).await;
    let asks_again = asks(&asked, &here, &token).await;
    assert!(!asks_again, "the feed stands in for the store");
    let options = VerifyOptions::new();
    let known = here.verify_access_token(&token, None, &options).await;
    let ended = known.unwrap().unwrap().ended();
    there.revoke_all_for_user("alice").await.unwrap();
    assert_eq!(in_time(ended).await, SessionEnd::Revoked);
    assert!(!passes(&here, &token).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_revocation_reaches_the_other_node() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let open = || {
        PostgresStore::options()
            .url(server.url())
            .schema("revocations")
            .open()
    };
    let (first, second) = (open().await.unwrap(), open().await.unwrap());
    a_revocation_reaches_the_other_node(first, second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis_a_revocation_reaches_the_other_node() {
    let Some(server) = RedisServer::shared() else {
        return;
    };
    let open = || {
        RedisStore::options()
            .url(server.url())
            .prefix("revocations")
            .open()
    };
    let (first, second) = (open().await.unwrap(), open().await.unwrap());
    a_revocation_reaches_the_other_node(first, second).await;
}
