//! Which servers are refused, and what the operator is told.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use supersession::store::{
    DocumentWrite, KeyKind, RotateOutcome, Rotation, SessionDocument, StoredKey,
};
use supersession::{AppId, SecretText, Store, UnixMillis, UserId};
use supersession_redis::{OpenError, OpenErrorKind, RedisStore};
use supersession_testkit::servers::{RedisCluster, RedisServer};

use crate::{NOW, on_server, options, prefix};

#[track_caller]
fn refused(outcome: Result<RedisStore, OpenError>, kind: OpenErrorKind, advice: &str) -> OpenError {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    let text = error.to_string();
    assert!(text.contains(advice), "{text}");
    error
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let open = RedisStore::open("redis://someone:hunter2@127.0.0.1:1/3").await;
    let error = refused(open, OpenErrorKind::Unreachable, "127.0.0.1:1");
    assert_eq!(error.server(), Some("127.0.0.1:1"));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_url_that_is_none_is_not_repeated() {
    for url in [
        "hunter2",
        "http://a:hunter2@b",
        "redis://a:hunter2@b:port",
        "",
    ] {
        let error = refused(
            RedisStore::open(url).await,
            OpenErrorKind::InvalidUrl,
            "redis://",
        );
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    let options = RedisStore::options().url("redis://:hunter2@localhost");
    assert!(!format!("{options:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_parameter_that_would_have_no_effect_is_named_with_its_fix() {
    for (parameters, named) in [
        ("ssl=true", "`rediss`"),
        ("db=3", "path"),
        ("protocol=resp3&socket_timeout=1", "`protocol`"),
        ("socket_timeout=1", "`response_timeout`"),
        ("hunter2", "is unknown"),
    ] {
        let url = format!("redis://127.0.0.1:1/0?{parameters}");
        let error = RedisStore::open(url).await.unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::InvalidUrl, "{parameters}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(named), "{source}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn options_are_checked() {
    refused(
        RedisStore::options().open().await,
        OpenErrorKind::NoServer,
        "`url`",
    );
    let nobody: [String; 0] = [];
    refused(
        RedisStore::options().cluster(nobody).open().await,
        OpenErrorKind::NoServer,
        "`url`",
    );
    for prefix in ["", "a{b", "a b", "ü"] {
        let options = RedisStore::options()
            .url("redis://127.0.0.1:1")
            .prefix(prefix);
        refused(options.open().await, OpenErrorKind::InvalidPrefix, "prefix");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_but_not_shown() {
    let server = on_server!("--requirepass", "correct");
    let url = |password| format!("redis://:{password}@127.0.0.1:{}", server.port());
    let error = refused(
        RedisStore::open(url("hunter2")).await,
        OpenErrorKind::AccessDenied,
        "password",
    );
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let store = RedisStore::open(url("correct")).await.unwrap();
    assert!(!format!("{store:?}").contains("correct"));
}

#[tokio::test]
async fn a_server_that_evicts_is_refused_unless_that_is_wanted() {
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let Some(server) = RedisServer::start(&["--maxmemory-policy", policy]) else {
            return;
        };
        refused(
            options(&server).open().await,
            OpenErrorKind::Evicts,
            "maxmemory-policy noeviction",
        );
        options(&server).allow_eviction().open().await.unwrap();
    }
}

/// As with managed services.
#[tokio::test]
async fn a_server_that_hides_its_configuration_is_taken() {
    let server = on_server!("--rename-command", "CONFIG", "hidden");
    options(&server).open().await.unwrap();
}

#[tokio::test]
async fn a_replica_is_refused() {
    let master = on_server!();
    let port = master.port().to_string();
    let settings = ["--replicaof", &format!("127.0.0.1 {port}")];
    let Some(replica) = RedisServer::start(&settings) else {
        return;
    };
    refused(
        options(&replica).open().await,
        OpenErrorKind::Replica,
        "master",
    );
}

#[tokio::test]
async fn a_cluster_and_a_single_server_are_told_apart() {
    let server = on_server!();
    let options = RedisStore::options()
        .prefix(prefix())
        .connect_timeout(Duration::from_secs(5));
    refused(
        options.clone().cluster([server.url()]).open().await,
        OpenErrorKind::NotAsDescribed,
        "`url` for a single server",
    );
    let Some(cluster) = RedisCluster::shared() else {
        return;
    };
    refused(
        options.url(cluster.urls().remove(0)).open().await,
        OpenErrorKind::NotAsDescribed,
        "`cluster` for a cluster",
    );
}

#[tokio::test]
async fn a_newer_layout_is_refused() {
    let server = on_server!();
    let prefix = prefix();
    assert_eq!(server.ask(&format!("SET {prefix}:layout 2")), "+OK");
    let options = RedisStore::options().url(server.url()).prefix(prefix);
    refused(
        options.open().await,
        OpenErrorKind::NewerLayout,
        "upgrade this program",
    );
}

/// Keys of one prefix are nothing to the stores of another.
#[tokio::test]
async fn prefixes_share_nothing() {
    let server = on_server!();
    let (one, two) = (
        options(server).open().await.unwrap(),
        options(server).open().await.unwrap(),
    );
    crate::insert(&one, "h").await;
    assert_eq!(two.session(&crate::key("h"), NOW).await.unwrap(), None);
    assert!(
        two.user_sessions(&crate::of_user(), NOW)
            .await
            .unwrap()
            .is_empty()
    );
}

/// What was logged as a warning while a store was opened.
async fn warnings(server: &RedisServer) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(move || writer.clone())
        .finish();
    // The test's runtime has one thread, so this covers all of the opening.
    let guard = tracing::subscriber::set_default(subscriber);
    options(server).allow_eviction().open().await.unwrap();
    drop(guard);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn settings_that_lose_answered_writes_are_warned_of() {
    let durable = on_server!("--appendonly", "yes", "--appendfsync", "always");
    assert_eq!(warnings(&durable).await, "");
    let every_second = on_server!("--appendonly", "yes");
    assert!(
        warnings(&every_second)
            .await
            .contains("`appendfsync always`")
    );
    let hidden = on_server!(
        "--appendonly",
        "yes",
        "--rename-command",
        "CONFIG",
        "hidden"
    );
    assert!(
        warnings(&hidden)
            .await
            .contains("does not show its configuration")
    );
    let forgetful = on_server!(
        "--appendfsync",
        "always",
        "--maxmemory-policy",
        "allkeys-lru"
    );
    let text = warnings(&forgetful).await;
    assert!(text.contains("`appendonly yes`"), "{text}");
    assert!(text.contains("throws sessions and keys away"), "{text}");
}

/// The line of the crate's documentation, on a server that allows nothing else.
#[tokio::test]
async fn the_permissions_of_the_documentation_are_enough() {
    let server = on_server!("--appendonly", "yes", "--appendfsync", "always");
    let documentation = include_str!("../../src/lib.rs").replace("//!", "");
    let line = documentation.split("ACL SETUSER").nth(1).unwrap();
    let line = line.split("```").next().unwrap();
    assert_eq!(server.ask(&format!("ACL SETUSER {line}")), "+OK");
    let url = format!("redis://app:password@127.0.0.1:{}", server.port());
    let store = RedisStore::open(url).await.unwrap();

    let (app, user) = (AppId::default(), UserId::from("user"));
    let mut revocations = store.revocation_feed().await.unwrap().unwrap();
    let old = crate::session("h");
    crate::insert(&store, "h").await;
    let next = Rotation::new(old.lineage.clone(), old.expires_at, old.key_kind);
    let rotated = store
        .rotate(&old.key, &old.lineage, &old.payload, &next, NOW)
        .await;
    assert_eq!(rotated.unwrap(), RotateOutcome::Rotated);
    let merge = DocumentWrite::Merge(crate::object(r#"{"a":1}"#));
    let document = SessionDocument::SessionData;
    store
        .write_document(&old.key, document, &merge, NOW)
        .await
        .unwrap();
    assert!(store.set_device_label(&old.key, None, NOW).await.unwrap());
    assert_eq!(
        store
            .user_sessions(&crate::of_user(), NOW)
            .await
            .unwrap()
            .len(),
        1
    );
    store
        .delete_user_sessions(&crate::of_user(), NOW)
        .await
        .unwrap();
    assert_eq!(revocations.next().await, Some(old.key));
    crate::insert(&store, "over").await;
    let later = UnixMillis::new(NOW.get() + 1_000);
    assert_eq!(store.delete_expired_sessions(later, 10).await.unwrap(), 1);
    for write in [&merge, &DocumentWrite::Overwrite(crate::object("{}"))] {
        store.write_user_metadata(&app, &user, write).await.unwrap();
    }
    assert!(store.user_metadata(&app, &user).await.unwrap().is_some());
    assert!(store.delete_user_metadata(&app, &user).await.unwrap());
    let secret = SecretText::new("public|private");
    let signing = |kind| StoredKey::new(format!("{kind:?}"), kind, NOW, secret.clone());
    assert!(
        store
            .add_dynamic_key(&app, &signing(KeyKind::Dynamic), NOW)
            .await
            .unwrap()
    );
    assert!(
        store
            .add_static_key(&app, &signing(KeyKind::Static))
            .await
            .unwrap()
    );
    assert_eq!(store.signing_keys(&app).await.unwrap().len(), 2);
    assert_eq!(store.delete_dynamic_keys(&app, later).await.unwrap(), 1);
    store.refresh_token_key(&app, &secret, NOW).await.unwrap();
}
