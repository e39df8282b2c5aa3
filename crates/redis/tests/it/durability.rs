//! What the settings of the server promise, and what they do not.

use std::time::{Duration, Instant};

use supersession::Store;
use supersession::store::StoreErrorKind;
use supersession_redis::{OpenErrorKind, RedisStore};
use supersession_testkit::servers::{RedisCluster, RedisServer};

use crate::{NOW, insert, key, on_server, options};

#[tokio::test]
async fn without_a_log_an_answered_write_can_be_lost() {
    let mut server = on_server!("--appendonly", "no", "--save", "");
    let options = options(&server);
    let store = options.clone().open().await.unwrap();
    insert(&store, "h").await;
    server.kill();
    server.restart();
    let store = options.open().await.unwrap();
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), None);
}

/// What a snapshot holds comes back: a session that was revoked after it lives again.
#[tokio::test]
async fn with_snapshots_only_a_revocation_can_be_lost() {
    let mut server = on_server!("--appendonly", "no", "--save", "");
    let options = options(&server);
    let store = options.clone().open().await.unwrap();
    insert(&store, "h").await;
    assert_eq!(server.ask("SAVE"), "+OK");
    assert_eq!(
        store.delete_sessions(&[key("h")]).await.unwrap(),
        [key("h")]
    );
    server.kill();
    server.restart();
    let store = options.open().await.unwrap();
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn with_a_log_that_is_always_flushed_a_revocation_stays() {
    let mut server = on_server!("--appendonly", "yes", "--appendfsync", "always");
    let options = options(&server);
    let store = options.clone().open().await.unwrap();
    for round in 0..5 {
        let handle = format!("h{round}");
        insert(&store, &handle).await;
        let deleted = store.delete_sessions(&[key(&handle)]).await.unwrap();
        assert_eq!(deleted, [key(&handle)]);
        server.kill();
        server.restart();
        let store = options.clone().open().await.unwrap();
        assert_eq!(store.session(&key(&handle), NOW).await.unwrap(), None);
    }
}

/// What was answered is on the replica already; what no replica has is no success.
#[tokio::test]
async fn confirmed_revocations_are_on_the_replica_before_the_answer() {
    let master = on_server!("--save", "", "--repl-diskless-sync-delay", "0");
    let settings = [
        "--save",
        "",
        "--replicaof",
        &format!("127.0.0.1 {}", master.port()),
    ];
    let Some(mut replica) = RedisServer::start(&settings) else {
        return;
    };
    let options = options(&master).confirm_revocations(1, Duration::from_secs(20));
    let store = options.open().await.unwrap();
    let revoke = async |handle: &str| {
        insert(&store, handle).await;
        store.delete_sessions(&[key(handle)]).await
    };
    // The replica has got everything before, once it confirms the first.
    assert_eq!(revoke("first").await.unwrap(), [key("first")]);
    for round in 0..50 {
        let handle = format!("h{round}");
        assert_eq!(revoke(&handle).await.unwrap(), [key(&handle)]);
        let sessions = replica.ask("EVAL return(#redis.call('KEYS','*:session:*')) 0");
        assert_eq!(sessions, ":0", "round {round}");
    }
    replica.kill();
    let store = crate::options(&master).confirm_revocations(1, Duration::from_millis(200));
    let store = store.open().await.unwrap();
    insert(&store, "h").await;
    let start = Instant::now();
    let error = store.delete_sessions(&[key("h")]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), None);
}

#[tokio::test]
async fn a_cluster_confirms_nothing() {
    let Some(cluster) = RedisCluster::shared() else {
        return;
    };
    let options = RedisStore::options().cluster(cluster.urls());
    let error = options
        .confirm_revocations(1, Duration::from_secs(1))
        .open()
        .await;
    assert_eq!(error.unwrap_err().kind(), OpenErrorKind::Unsupported);
}
