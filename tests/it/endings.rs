//! Waiting for the end of a session, and guards that rely on the store's feed of endings.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use supersession::store::{MemoryStore, StoreErrorKind};
use supersession::{
    AccessToken, AntiCsrfInput, Session, SessionEnd, SessionError, Sessions, SessionsBuilder,
    Store, Strictness, VerifyOptions,
};
use supersession_postgres::PostgresStore;
use supersession_redis::RedisStore;
use supersession_testkit::servers::{PostgresServer, RedisServer};
use supersession_testkit::{FaultStore, ManualClock, PlannedFault, Verb};

use crate::history::broken::{Broken, Flaw};
use crate::support::{App, Req, START, capture, default_config, seed_keys};

const POLL: Duration = Duration::from_millis(1);
const NEVER: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(30);

/// Several nodes over one store.
struct Nodes {
    store: FaultStore<MemoryStore>,
    clock: ManualClock,
}

impl Nodes {
    async fn over(store: MemoryStore) -> Self {
        capture::install();
        let store = FaultStore::new(store);
        seed_keys(&store, START).await;
        Self {
            store,
            clock: ManualClock::new(START),
        }
    }

    /// A store whose nodes hear of each other's endings.
    async fn with_feed() -> Self {
        Self::over(MemoryStore::with_endings()).await
    }

    async fn without_feed() -> Self {
        Self::over(MemoryStore::new()).await
    }

    async fn start(&self, configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Sessions {
        let builder = default_config(Sessions::builder(self.store.clone()));
        configure(builder.clock(self.clock.clone()))
            .build()
            .await
            .unwrap()
    }
}

/// Waits for something that other threads bring about.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("nobody told that the session ended"))
}

#[tokio::test]
async fn every_way_to_revoke_is_told_at_once() {
    let nodes = Nodes::without_feed().await;
    let sessions = nodes
        .start(|builder| builder.ending_poll_interval(NEVER))
        .await;
    let [own, by_handle, by_user, kept] = [
        sessions.create("alice").await.unwrap(),
        sessions.create("alice").await.unwrap(),
        sessions.create("alice").await.unwrap(),
        sessions.create("alice").await.unwrap(),
    ];
    let ends = [&own, &by_handle, &by_user, &kept].map(Session::ended);
    own.revoke().await.unwrap();
    sessions.revoke(by_handle.handle()).await.unwrap();
    sessions
        .revoke_others_for_user("alice", kept.handle())
        .await
        .unwrap();
    sessions.revoke_all_for_user("alice").await.unwrap();
    for end in ends {
        assert_eq!(in_time(end).await, SessionEnd::Revoked);
    }
}

#[tokio::test]
async fn a_stolen_session_and_a_sign_out_are_told_at_once() {
    let app = App::with(|builder| {
        builder
            .ending_poll_interval(NEVER)
            .refresh_token_rotation_grace_period(Duration::ZERO)
    })
    .await;
    let session = app.sessions.create("alice").await.unwrap();
    let ended = session.ended();
    let stolen = session.all_session_tokens_dangerously().refresh_token;
    let refresh = || {
        let token = stolen.clone().unwrap();
        let sessions = app.sessions.clone();
        async move {
            sessions
                .refresh_session(&token, AntiCsrfInput::Token(None))
                .await
        }
    };
    refresh().await.unwrap();
    app.advance_secs(1);
    assert!(matches!(
        refresh().await,
        Err(SessionError::TokenTheftDetected(_))
    ));
    assert_eq!(in_time(ended).await, SessionEnd::Revoked);

    let tokens = app.login("bob").await;
    let handles = app.sessions.handles_for_user("bob").await.unwrap();
    let session = app
        .sessions
        .verify_access_token(
            &AccessToken::new(&tokens.access),
            None,
            &VerifyOptions::new(),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!([session.handle().clone()], *handles);
    let ended = session.ended();
    let answer = app.send(Req::signout().access_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(in_time(ended).await, SessionEnd::Revoked);
}

#[tokio::test]
async fn a_session_that_has_ended_before_anybody_listened_is_told() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.ending_poll_interval(NEVER))
        .await;
    let there = nodes.start(|builder| builder).await;
    let session = here.create("alice").await.unwrap();
    there.revoke(session.handle()).await.unwrap();
    assert_eq!(in_time(session.ended()).await, SessionEnd::Revoked);

    let session = here.create("alice").await.unwrap();
    nodes.clock.advance(Duration::from_secs(101 * 86_400));
    assert_eq!(in_time(session.ended()).await, SessionEnd::Expired);
}

#[tokio::test]
async fn without_a_feed_an_ending_elsewhere_is_found_by_asking() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.ending_poll_interval(POLL))
        .await;
    let there = nodes.start(|builder| builder).await;
    let session = here.create("alice").await.unwrap();
    let ended = tokio::spawn(session.ended());
    until("the store was asked", || {
        nodes.store.count(Verb::Session) > 0
    })
    .await;
    there.revoke(session.handle()).await.unwrap();
    assert_eq!(in_time(ended).await.unwrap(), SessionEnd::Revoked);
}

#[tokio::test]
async fn a_session_expires_at_its_newest_expiry() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.ending_poll_interval(POLL))
        .await;
    let session = here.create("alice").await.unwrap();
    let refresh_token = session.all_session_tokens_dangerously().refresh_token;
    let ended = tokio::spawn(session.ended());
    nodes.clock.advance(Duration::from_secs(60 * 86_400));
    here.refresh_session(&refresh_token.unwrap(), AntiCsrfInput::Token(None))
        .await
        .unwrap();
    // Past the first expiry, before the second.
    nodes.clock.advance(Duration::from_secs(60 * 86_400));
    let asked = nodes.store.count(Verb::Session);
    until("the store was asked again", || {
        nodes.store.count(Verb::Session) > asked + 1
    })
    .await;
    assert!(!ended.is_finished());
    nodes.clock.advance(Duration::from_secs(60 * 86_400));
    assert_eq!(in_time(ended).await.unwrap(), SessionEnd::Expired);
}

#[tokio::test]
async fn trouble_with_the_store_ends_nothing() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.ending_poll_interval(POLL))
        .await;
    let session = here.create("alice").await.unwrap();
    let outage = PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Session);
    nodes.store.plan(outage.times(20));
    let ended = tokio::spawn(session.ended());
    until("the trouble is over", || {
        nodes.store.count(Verb::Session) > 22
    })
    .await;
    assert!(!ended.is_finished());
    here.revoke(session.handle()).await.unwrap();
    assert_eq!(in_time(ended).await.unwrap(), SessionEnd::Revoked);
}

#[tokio::test]
async fn nobody_is_asked_about_once_nobody_waits() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.ending_poll_interval(POLL))
        .await;
    let first = here.create("alice").await.unwrap();
    let waiting = tokio::spawn(first.ended());
    until("the store was asked", || {
        nodes.store.count(Verb::Session) > 1
    })
    .await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    // Another one, which ends by itself: the rounds go on, and then stop.
    let second = here.create("alice").await.unwrap();
    let waiting = tokio::spawn(second.ended());
    here.revoke(second.handle()).await.unwrap();
    in_time(waiting).await.unwrap();
    // And start again.
    let third = here.create("alice").await.unwrap();
    let waiting = tokio::spawn(third.ended());
    nodes.clock.advance(Duration::from_secs(101 * 86_400));
    assert_eq!(in_time(waiting).await.unwrap(), SessionEnd::Expired);
}

/// What a guard with the default options says of the session.
async fn passes(node: &Sessions, token: &AccessToken) -> bool {
    let options = VerifyOptions::new();
    match node.verify_access_token(token, None, &options).await {
        Ok(session) => session.is_some(),
        Err(SessionError::Unauthorised(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn with_a_feed_the_store_is_asked_once_and_a_revocation_elsewhere_counts() {
    let nodes = Nodes::with_feed().await;
    let here = nodes.start(|builder| builder).await;
    let there = nodes.start(|builder| builder).await;
    let session = there.create("alice").await.unwrap();
    let token = session.access_token();
    // The feed's thread has begun to listen once an answer is remembered.
    let asks = async |node: &Sessions| {
        let before = nodes.store.count(Verb::Session);
        assert!(passes(node, &token).await);
        nodes.store.count(Verb::Session) - before
    };
    let mut asked = Vec::new();
    while asked.last() != Some(&0) {
        asked.push(asks(&here).await);
        tokio::task::yield_now().await;
    }
    assert_eq!(asks(&here).await, 0);

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
async fn what_the_database_said_counts_for_guards_that_rely_on_the_feed() {
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
    let mut asked = u64::MAX;
    while asked > 0 {
        let before = store.count(Verb::Session);
        assert!(passes(&here, &token).await);
        asked = store.count(Verb::Session) as u64 - before as u64;
        tokio::task::yield_now().await;
    }
    there.revoke(session.handle()).await.unwrap();
    assert!(passes(&here, &token).await, "somebody has told it");
    let options = VerifyOptions::new().check_database(true);
    let checked = here.verify_access_token(&token, None, &options).await;
    assert!(matches!(checked, Err(SessionError::Unauthorised(_))));
    assert!(!passes(&here, &token).await);
}

#[tokio::test]
async fn a_node_that_lost_its_feed_asks_until_it_is_back() {
    let nodes = Nodes::with_feed().await;
    let here = nodes.start(|builder| builder).await;
    let there = nodes
        .start(|builder| builder.ending_poll_interval(NEVER))
        .await;
    let session = there.create("alice").await.unwrap();
    let token = session.access_token();
    let asked_last = async || {
        let before = nodes.store.count(Verb::Session);
        assert!(passes(&here, &token).await);
        nodes.store.count(Verb::Session) > before
    };
    while asked_last().await {
        tokio::task::yield_now().await;
    }
    let outage = PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Endings);
    nodes.store.plan(outage.times(u32::MAX));
    let tried = nodes.store.count(Verb::Endings);
    nodes.store.inner().lose_endings();
    until("both nodes tried to listen again", || {
        nodes.store.count(Verb::Endings) >= tried + 2
    })
    .await;
    // The node may be the second of the two.
    while !asked_last().await {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        assert!(asked_last().await, "a node without its feed must ask");
    }
    nodes.store.heal();
    while asked_last().await {
        tokio::task::yield_now().await;
    }
    // What ended while the feed was lost is known, too.
    let another = there.create("alice").await.unwrap();
    nodes.store.plan(outage.times(u32::MAX));
    nodes.store.inner().lose_endings();
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
async fn endings_of_another_app_are_none_of_ours() {
    let nodes = Nodes::with_feed().await;
    let here = nodes.start(|builder| builder).await;
    let session = here.create("alice").await.unwrap();
    let ended = tokio::spawn(session.ended());
    let app = supersession::AppId::from_stored("another");
    let key = supersession::store::SessionKey::new(&app, session.handle().clone());
    let store: &dyn Store = nodes.store.inner();
    let mut listener = store.endings().await.unwrap().unwrap();
    let record = store
        .session(
            &supersession::store::SessionKey::new(
                &supersession::AppId::default(),
                session.handle().clone(),
            ),
            START,
        )
        .await
        .unwrap()
        .unwrap();
    let other = supersession::store::SessionRecord {
        key: key.clone(),
        ..record
    };
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
        .delete_sessions(&[supersession::store::SessionKey::new(
            &supersession::AppId::default(),
            marker.handle().clone(),
        )])
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
        .ending_poll_interval(NEVER)
        .build()
        .await;
    let (there, here) = (there.unwrap(), here.unwrap());
    let session = there.create("alice").await.unwrap();
    let token = session.access_token();
    let asks = async || {
        let before = asked.count(Verb::Session);
        assert!(passes(&here, &token).await);
        asked.count(Verb::Session) - before
    };
    while asks().await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(asks().await, 0, "the feed stands in for the store");
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
            .schema("endings")
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
            .prefix("endings")
            .open()
    };
    let (first, second) = (open().await.unwrap(), open().await.unwrap());
    a_revocation_reaches_the_other_node(first, second).await;
}
