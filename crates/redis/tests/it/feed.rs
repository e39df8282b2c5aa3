//! The revocation feed, and how it ends.

use std::time::Duration;

use supersession::Store;
use supersession_redis::RedisStore;
use supersession_testkit::servers::RedisCluster;

use crate::proxy::{Mode, Proxy};
use crate::{insert, key, on_server, options, prefix};

#[tokio::test]
async fn what_one_node_deletes_another_hears() {
    let server = on_server!();
    let options = options(server);
    let (here, there) = (
        options.clone().open().await.unwrap(),
        options.open().await.unwrap(),
    );
    let mut revocations = here.revocation_feed().await.unwrap().unwrap();
    insert(&there, "h").await;
    there.delete_sessions(&[key("h")]).await.unwrap();
    assert_eq!(revocations.next().await, Some(key("h")));
}

#[tokio::test]
async fn other_prefixes_are_not_heard() {
    let server = on_server!();
    let here = options(server).open().await.unwrap();
    let there = options(server).open().await.unwrap();
    let mut revocations = here.revocation_feed().await.unwrap().unwrap();
    insert(&there, "theirs").await;
    there.delete_sessions(&[key("theirs")]).await.unwrap();
    insert(&here, "ours").await;
    here.delete_sessions(&[key("ours")]).await.unwrap();
    assert_eq!(revocations.next().await, Some(key("ours")));
}

#[tokio::test]
async fn a_feed_ends_with_its_server() {
    let mut server = on_server!("--save", "");
    let store = options(&server).open().await.unwrap();
    let mut revocations = store.revocation_feed().await.unwrap().unwrap();
    server.kill();
    assert_eq!(revocations.next().await, None);
    assert!(store.revocation_feed().await.is_err());
    server.restart();
    let mut revocations = store.revocation_feed().await.unwrap().unwrap();
    insert(&store, "h").await;
    store.delete_sessions(&[key("h")]).await.unwrap();
    assert_eq!(revocations.next().await, Some(key("h")));
}

/// A connection that says nothing may have nothing to say, or be lost.
#[tokio::test]
async fn a_feed_ends_when_its_connection_is_silently_lost() {
    let server = on_server!();
    let proxy = Proxy::to(server.port()).await;
    let store = RedisStore::options().url(proxy.url()).prefix(prefix());
    let store = store
        .response_timeout(Duration::from_millis(300))
        .connect_timeout(Duration::from_millis(300))
        .feed_heartbeat(Duration::from_millis(50));
    let store = store.open().await.unwrap();
    let mut revocations = store.revocation_feed().await.unwrap().unwrap();
    // It lives through many heartbeats.
    while proxy
        .take()
        .commands
        .iter()
        .filter(|name| *name == "PUBLISH")
        .count()
        == 0
    {
        tokio::task::yield_now().await;
    }
    insert(&store, "h").await;
    store.delete_sessions(&[key("h")]).await.unwrap();
    assert_eq!(revocations.next().await, Some(key("h")));
    proxy.set(Mode::Freeze);
    assert_eq!(revocations.next().await, None);
}

/// The message has to come from the server that deleted, whichever that is.
#[tokio::test]
async fn a_feed_of_a_cluster_hears_every_server() {
    let Some(cluster) = RedisCluster::shared() else {
        return;
    };
    let options = RedisStore::options()
        .cluster(cluster.urls())
        .prefix(prefix());
    let store = options.feed_heartbeat(Duration::from_millis(50));
    let store = store.open().await.unwrap();
    let mut revocations = store.revocation_feed().await.unwrap().unwrap();
    // Their keys are spread over all servers.
    for number in 0..60 {
        let handle = format!("h{number}");
        insert(&store, &handle).await;
        store.delete_sessions(&[key(&handle)]).await.unwrap();
        assert_eq!(revocations.next().await, Some(key(&handle)));
    }
}
