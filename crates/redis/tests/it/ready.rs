//! Readiness: what keeps writes from succeeding is found before a user finds it.

use supersession::Store;
use supersession::store::StoreErrorKind;
use supersession_redis::RedisStore;
use supersession_testkit::servers::{RedisCluster, RedisServer};

use crate::{on_server, options, prefix};

async fn kind(store: &RedisStore) -> Option<StoreErrorKind> {
    store.check_ready().await.err().map(|error| error.kind())
}

/// Gives a command that must succeed.
#[track_caller]
fn set(server: &RedisServer, command: &str) {
    assert_eq!(server.ask(command), "+OK", "{command}");
}

#[tokio::test]
async fn a_server_that_refuses_writes_is_not_ready() {
    use StoreErrorKind::NotWritable;
    let server = on_server!("--save", "");
    let store = options(&server).open().await.unwrap();
    assert_eq!(kind(&store).await, None);
    for (trouble, cure) in [
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
        ),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ] {
        set(&server, trouble);
        assert_eq!(kind(&store).await, Some(NotWritable), "{trouble}");
        set(&server, cure);
        assert_eq!(kind(&store).await, None, "{cure}");
    }
    set(
        &server,
        "ACL SETUSER default -@all +hello +info +evalsha +script|load",
    );
    assert_eq!(kind(&store).await, Some(StoreErrorKind::Denied));
}

#[tokio::test]
async fn a_server_that_cannot_persist_is_not_ready() {
    let server = on_server!("--save", "3600 1");
    let store = options(&server).open().await.unwrap();
    assert_eq!(kind(&store).await, None);
    std::fs::remove_dir_all(server.directory()).unwrap();
    // In the foreground, so that it has failed when it is answered.
    assert!(server.ask("SAVE").starts_with("-ERR"));
    let info = || server.ask("INFO persistence");
    let _ = server.ask("BGSAVE");
    while !info().contains("rdb_bgsave_in_progress:0") {
        tokio::task::yield_now().await;
    }
    assert!(info().contains("rdb_last_bgsave_status:err"));
    assert_eq!(kind(&store).await, Some(StoreErrorKind::NotWritable));
}

/// A restart without persistence takes the scripts and the mark of the layout along.
#[tokio::test]
async fn a_server_that_was_emptied_is_ready_again() {
    let mut server = on_server!("--save", "", "--appendonly", "no");
    let prefix = prefix();
    let store = RedisStore::options().url(server.url()).prefix(&prefix);
    let store = store.open().await.unwrap();
    let layout = format!("GET {prefix}:layout");
    set(&server, "FLUSHALL");
    assert_eq!(kind(&store).await, None);
    assert_eq!(server.ask(&layout), "1");
    server.kill();
    assert_eq!(kind(&store).await, Some(StoreErrorKind::Unavailable));
    server.restart();
    assert_eq!(kind(&store).await, None);
    assert_eq!(server.ask(&layout), "1");
    // A newer program has taken it over meanwhile.
    set(&server, &format!("SET {prefix}:layout 2"));
    assert_eq!(kind(&store).await, Some(StoreErrorKind::Internal));
}

#[tokio::test]
async fn each_master_of_a_cluster_is_asked() {
    let Some(mut cluster) = RedisCluster::start() else {
        return;
    };
    let store = RedisStore::options()
        .cluster(cluster.urls())
        .prefix(prefix());
    let store = store.open().await.unwrap();
    for number in 0..3 {
        assert_eq!(kind(&store).await, None);
        let node = cluster.node(number);
        set(node, "CONFIG SET min-replicas-to-write 1");
        let found = kind(&store).await;
        assert_eq!(found, Some(StoreErrorKind::NotWritable), "{number}");
        set(node, "CONFIG SET min-replicas-to-write 0");
    }
}
