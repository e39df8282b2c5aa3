//! Servers that end, hang, or lose what was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use supersession::Store;
use supersession::store::{DocumentWrite, SessionDocument, StoreErrorKind, WriteOutcome};
use supersession_redis::RedisStore;
use supersession_testkit::servers::RedisCluster;

use crate::proxy::{Mode, Proxy};
use crate::{NOW, insert, key, object, on_server, options, prefix, session};

const ROUNDS: usize = 3;
const ANSWERS: usize = 200;

/// What one writer was told.
#[derive(Default)]
struct Told {
    handles: Vec<String>,
    counted: u64,
    refused: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answered_writes_survive_kill_9_and_the_store_goes_on() {
    let mut server = on_server!("--appendonly", "yes", "--appendfsync", "always");
    let store = options(&server).open().await.unwrap();
    insert(&store, "counter").await;
    let mut handles = Vec::new();
    let mut counted = 0;
    for round in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let (progress, mut progressed) = tokio::sync::mpsc::unbounded_channel();
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let (store, stop, progress) = (store.clone(), Arc::clone(&stop), progress.clone());
                tokio::spawn(write(store, format!("{round}-{writer}"), stop, progress))
            })
            .collect();
        for _ in 0..ANSWERS {
            progressed.recv().await.unwrap();
        }
        server.kill();
        let refused = store.session(&key("counter"), NOW).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
        // Each writer gets to know it too, and then ends.
        stop.store(true, Ordering::SeqCst);
        for writer in writers {
            let told = writer.await.unwrap();
            assert!(told.refused > 0);
            handles.extend(told.handles);
            counted = counted.max(told.counted);
        }
        server.restart();
        for handle in &handles {
            let found = store.session(&key(handle), NOW).await.unwrap();
            assert_eq!(found, Some(session(handle)), "round {round} lost {handle}");
        }
        let counter = store.session(&key("counter"), NOW).await.unwrap().unwrap();
        let n: u64 = counter.session_data.get_as("n").unwrap().unwrap();
        assert!(
            n >= counted,
            "round {round}: {n} stored, {counted} answered"
        );
    }
    assert!(handles.len() >= ROUNDS * ANSWERS / 2);
}

/// Inserts and counts until it is told to stop and was refused once.
async fn write(
    store: RedisStore,
    name: String,
    stop: Arc<AtomicBool>,
    progress: tokio::sync::mpsc::UnboundedSender<()>,
) -> Told {
    let mut told = Told::default();
    let mut seen = object("{}");
    for number in 0.. {
        let handle = format!("{name}-{number}");
        match store.insert_session(&session(&handle)).await {
            Ok(_) => told.handles.push(handle),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
                told.refused += 1;
            }
        }
        let n: u64 = seen.get_as("n").unwrap().unwrap_or(0);
        let swap = DocumentWrite::CompareAndSwap {
            replacement: seen.with("n", &(n + 1)).unwrap(),
            expected: seen.clone(),
        };
        let document = SessionDocument::SessionData;
        match store
            .write_document(&key("counter"), document, &swap, NOW)
            .await
        {
            Ok(WriteOutcome::Written(stored)) => {
                told.counted = n + 1;
                seen = stored;
            }
            Ok(WriteOutcome::Conflict(stored)) => seen = stored,
            Ok(WriteOutcome::Gone) => panic!("the counter is gone"),
            Err(_) => told.refused += 1,
        }
        let _ = progress.send(());
        if told.refused > 0 && stop.load(Ordering::SeqCst) {
            break;
        }
    }
    told
}

#[tokio::test]
async fn a_server_that_restarted_while_nobody_asked_is_found_at_once() {
    let mut server = on_server!("--appendonly", "yes", "--appendfsync", "always");
    let store = options(&server).open().await.unwrap();
    insert(&store, "h").await;
    server.kill();
    server.restart();
    // The scripts are gone with the old process; the connection too, which was told.
    let outcome = loop {
        // The news of the lost connection may still be on its way.
        match store.set_device_label(&key("h"), Some("here"), NOW).await {
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable),
            Ok(outcome) => break outcome,
        }
    };
    assert!(outcome);
}

#[tokio::test]
async fn a_server_that_hangs_is_unavailable_in_bounded_time() {
    let server = on_server!();
    let proxy = Proxy::to(server.port()).await;
    let options = RedisStore::options().url(proxy.url()).prefix(prefix());
    let options = options
        .connect_timeout(Duration::from_millis(300))
        .response_timeout(Duration::from_millis(300));
    let store = options.open().await.unwrap();
    insert(&store, "h").await;
    proxy.set(Mode::Freeze);
    let start = Instant::now();
    for _ in 0..3 {
        let error = store.session(&key("h"), NOW).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
    // Many who wait for the same connection wait together.
    let together = futures_util::future::join_all((0..50).map(|_| async {
        let error = store.session(&key("h"), NOW).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }));
    together.await;
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    proxy.set(Mode::Pass);
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn a_stopped_process_is_unavailable_and_goes_on_when_it_does() {
    let server = on_server!("--save", "");
    let options = options(&server).connect_timeout(Duration::from_millis(300));
    let store = options.response_timeout(Duration::from_millis(300));
    let store = store.open().await.unwrap();
    insert(&store, "h").await;
    server.signal("STOP");
    let start = Instant::now();
    let error = store.session(&key("h"), NOW).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let error = store.delete_sessions(&[key("other")]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(start.elapsed() < Duration::from_secs(3));
    server.signal("CONT");
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn a_connection_that_is_cut_is_replaced() {
    let server = on_server!();
    let proxy = Proxy::to(server.port()).await;
    let store = RedisStore::options().url(proxy.url()).prefix(prefix());
    let store = store.open().await.unwrap();
    insert(&store, "h").await;
    proxy.set(Mode::Cut);
    let error = store.session(&key("h"), NOW).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    proxy.set(Mode::Pass);
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_an_error_and_not_repeated() {
    let server = on_server!();
    let proxy = Proxy::to(server.port()).await;
    let store = RedisStore::options().url(proxy.url()).prefix(prefix());
    let store = store.open().await.unwrap();
    insert(&store, "h").await;
    let swap = |from: u64| DocumentWrite::CompareAndSwap {
        expected: object(&if from == 0 {
            "{}".to_owned()
        } else {
            format!(r#"{{"n":{from}}}"#)
        }),
        replacement: object(&format!(r#"{{"n":{}}}"#, from + 1)),
    };
    let document = SessionDocument::SessionData;
    proxy.take();
    proxy.set(Mode::LoseAnswers);
    let error = store
        .write_document(&key("h"), document, &swap(0), NOW)
        .await;
    assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert_eq!(proxy.take().commands, ["EVALSHA"]);
    proxy.set(Mode::Pass);
    // It took place; the caller learns that by looking.
    let outcome = store
        .write_document(&key("h"), document, &swap(0), NOW)
        .await;
    assert_eq!(
        outcome.unwrap(),
        WriteOutcome::Conflict(object(r#"{"n":1}"#))
    );
    let outcome = store
        .write_document(&key("h"), document, &swap(1), NOW)
        .await;
    assert_eq!(
        outcome.unwrap(),
        WriteOutcome::Written(object(r#"{"n":2}"#))
    );
}

/// Sessions on the other nodes go on, and those on this one when it does.
#[tokio::test]
async fn a_node_of_a_cluster_that_ends_takes_only_its_own_sessions() {
    let Some(mut cluster) = RedisCluster::start() else {
        return;
    };
    let store = RedisStore::options().cluster(cluster.urls());
    let store = store.open().await.unwrap();
    let handles: Vec<_> = (0..60).map(|number| format!("h{number}")).collect();
    for handle in &handles {
        insert(&store, handle).await;
    }
    cluster.node(0).kill();
    let mut lost = 0;
    for handle in &handles {
        match store.session(&key(handle), NOW).await {
            Ok(found) => assert_eq!(found, Some(session(handle))),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
                lost += 1;
            }
        }
    }
    assert!((1..60).contains(&lost), "{lost}");
    cluster.node(0).restart();
    let start = Instant::now();
    for handle in &handles {
        while let Err(error) = store.session(&key(handle), NOW).await {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            assert!(start.elapsed() < Duration::from_secs(60), "{error:?}");
        }
    }
}
