//! Nodes on a server whose data is gone or replaced agree on their keys again.

use std::time::Duration;

use supersession::{AntiCsrfInput, RefreshToken, Sessions, Store};
use supersession_postgres::PostgresStore;
use supersession_redis::RedisStore;
use supersession_testkit::ManualClock;
use supersession_testkit::servers::{PostgresServer, RedisServer};

use crate::support::{START, default_config};

async fn node(store: impl Store, clock: &ManualClock) -> Sessions {
    let builder = default_config(Sessions::builder(store)).clock(clock.clone());
    builder.build().await.unwrap()
}

async fn sign_in(node: &Sessions) -> RefreshToken {
    let session = node.create("alice").await.unwrap();
    session
        .all_session_tokens_dangerously()
        .refresh_token
        .unwrap()
}

async fn refreshes(node: &Sessions, token: &RefreshToken) -> bool {
    let outcome = node.refresh_session(token, AntiCsrfInput::Disabled).await;
    outcome.is_ok()
}

/// Two nodes run; the data is lost; a third node starts, with keys of its own.
async fn agree_again<S: Store>(open: impl AsyncFn() -> S, mut lose_data: impl AsyncFnMut()) {
    let clock = ManualClock::new(START);
    let (one, two) = (
        node(open().await, &clock).await,
        node(open().await, &clock).await,
    );
    assert!(refreshes(&two, &sign_in(&one).await).await);
    lose_data().await;
    let three = node(open().await, &clock).await;
    clock.advance(Duration::from_secs(5));
    let nodes = [&one, &two, &three];
    for signing_in in nodes {
        let token = sign_in(signing_in).await;
        for refreshing in nodes {
            assert!(refreshes(refreshing, &token).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_on_redis_agree_after_it_was_emptied() {
    let Some(server) = RedisServer::start(&["--save", "", "--appendonly", "no"]) else {
        return;
    };
    agree_again(
        async || RedisStore::open(server.url()).await.unwrap(),
        async || assert_eq!(server.ask("FLUSHALL"), "+OK"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_on_redis_agree_after_a_restart_without_persistence() {
    let Some(server) = RedisServer::start(&["--save", "", "--appendonly", "no"]) else {
        return;
    };
    let url = server.url();
    let server = std::cell::RefCell::new(server);
    agree_again(
        async || RedisStore::open(url.clone()).await.unwrap(),
        async || {
            let mut server = server.borrow_mut();
            server.kill();
            server.restart();
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_on_postgresql_agree_after_its_tables_were_emptied() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let options = PostgresStore::options().url(server.url()).schema("emptied");
    let (admin, connection) = supersession_postgres::deadpool_postgres::tokio_postgres::connect(
        &server.url(),
        supersession_postgres::deadpool_postgres::tokio_postgres::NoTls,
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    agree_again(
        async || options.clone().open().await.unwrap(),
        async || {
            admin
                .batch_execute("TRUNCATE emptied.apps CASCADE")
                .await
                .unwrap();
        },
    )
    .await;
}
