//! The server dies, freezes, and is cut off.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use supersession::Store;
use supersession::store::{
    DocumentWrite, SessionDocument, StoreErrorKind, UserSessions, WriteOutcome,
};
use supersession::{AppId, SecretText, UserId};
use supersession_postgres::PostgresStore;
use supersession_postgres::deadpool_postgres::{self, tokio_postgres};
use supersession_testkit::servers::PostgresServer;
use tokio::task::JoinSet;

use crate::proxy::Proxy;
use crate::{NOW, Place, insert, key, kind_of, object, server, session};

/// What the writers were told.
#[derive(Default)]
struct Told {
    inserted: Mutex<HashSet<String>>,
    counted: AtomicU64,
    failed: AtomicU64,
    stop: AtomicBool,
}

async fn insert_until_stopped(store: PostgresStore, told: Arc<Told>, task: usize) {
    for number in 0.. {
        if told.stop.load(Ordering::SeqCst) {
            return;
        }
        let handle = format!("{task}-{number}");
        match store.insert_session(&session(&handle)).await {
            Ok(_) => {
                told.inserted.lock().unwrap().insert(handle);
            }
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
                told.failed.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

async fn count_until_stopped(store: PostgresStore, told: Arc<Told>) {
    let mut seen = object(r#"{"n":0}"#);
    while !told.stop.load(Ordering::SeqCst) {
        let n: u64 = seen.get_as("n").unwrap().unwrap();
        let replacement = object(&format!(r#"{{"n":{}}}"#, n + 1));
        let swap = DocumentWrite::CompareAndSwap {
            expected: seen.clone(),
            replacement,
        };
        let document = SessionDocument::SessionData;
        match store
            .write_document(&key("counter"), document, &swap, NOW)
            .await
        {
            Ok(WriteOutcome::Written(stored)) => {
                told.counted.store(n + 1, Ordering::SeqCst);
                seen = stored;
            }
            Ok(WriteOutcome::Conflict(stored)) => seen = stored,
            Ok(WriteOutcome::Gone) => panic!("the counter is gone"),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}"),
        }
    }
}

/// Lets the tasks run until `is_so`.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "no {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answered_writes_survive_the_death_of_the_server_and_verbs_recover() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let store = PostgresStore::open(server.url()).await.unwrap();
    let mut counter = session("counter");
    counter.session_data = object(r#"{"n":0}"#);
    store.insert_session(&counter).await.unwrap();
    let told = Arc::new(Told::default());
    let mut tasks = JoinSet::new();
    for task in 0..6 {
        tasks.spawn(insert_until_stopped(store.clone(), Arc::clone(&told), task));
    }
    tasks.spawn(count_until_stopped(store.clone(), Arc::clone(&told)));
    for _ in 0..3 {
        let inserted = || told.inserted.lock().unwrap().len();
        let (before, failed) = (inserted(), told.failed.load(Ordering::SeqCst));
        until("answers under load", || inserted() > before + 200).await;
        tokio::task::block_in_place(|| server.kill());
        let outcome = store.session(&key("counter"), NOW).await;
        assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
        until("failures", || told.failed.load(Ordering::SeqCst) > failed).await;
        tokio::task::block_in_place(|| server.resume());
        // The same store, without a word from anybody.
        let before = inserted();
        until("recovery", || inserted() > before + 50).await;
    }
    told.stop.store(true, Ordering::SeqCst);
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let inserted = std::mem::take(&mut *told.inserted.lock().unwrap());
    for handle in inserted {
        let found = store.session(&key(&handle), NOW).await.unwrap();
        assert_eq!(found, Some(session(&handle)), "{handle} was lost");
    }
    let counter = store.session(&key("counter"), NOW).await.unwrap().unwrap();
    let n: u64 = counter.session_data.get_as("n").unwrap().unwrap();
    let counted = told.counted.load(Ordering::SeqCst);
    assert!(n >= counted, "{n} is stored, {counted} was answered");
    assert!(counted > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_unavailable_in_bounded_time() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let options = PostgresStore::options()
        .url(server.url())
        .connect_timeout(Duration::from_millis(300))
        .verb_timeout(Duration::from_millis(500));
    let store = options.open().await.unwrap();
    insert(&store, "h").await;
    tokio::task::block_in_place(|| server.freeze());
    let start = Instant::now();
    // The first waits for an answer, the others for a connection.
    for _ in 0..3 {
        let outcome = store.session(&key("h"), NOW).await;
        assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
        let outcome = store.delete_sessions(&[key("absent")]).await;
        assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
    }
    assert_eq!(
        kind_of(store.revocation_feed().await.map(|_| ())),
        StoreErrorKind::Unavailable
    );
    assert!(start.elapsed() < Duration::from_secs(20));
    tokio::task::block_in_place(|| server.thaw());
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
}

/// A store of one connection behind a proxy that cuts it after the server has done the next
/// statement, before the answer arrives.
async fn cut_in_the_middle(server: &PostgresServer) -> (PostgresStore, Proxy) {
    let proxy = Proxy::before(server).await;
    let place = Place::new(server);
    let options = place.options().url(proxy.url(server)).pool_size(1);
    let store = options.open().await.unwrap();
    insert(&store, "h").await;
    (store, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_that_can_be_repeated_are_after_a_lost_answer() {
    let Some(server) = server() else { return };
    let (store, proxy) = cut_in_the_middle(server).await;
    // Every statement on the wire carries it, once it is prepared.
    for _ in 0..2 {
        proxy.cut_after("user_marker");
        let user = UserId::from("user_marker");
        let app = AppId::default();
        let selection = UserSessions::new(app.clone(), user.clone());
        assert!(
            store
                .user_sessions(&selection, NOW)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(proxy.has_cut());
        proxy.cut_after("my laptop");
        let label = Some("my laptop");
        assert!(store.set_device_label(&key("h"), label, NOW).await.unwrap());
        assert!(proxy.has_cut());
    }
    proxy.cut_after("the candidate");
    let candidate = SecretText::new("the candidate");
    let app = AppId::default();
    let key = store.refresh_token_key(&app, &candidate, NOW).await;
    assert_eq!(key.unwrap().expose(), "the candidate");
    assert!(proxy.has_cut());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_that_cannot_be_repeated_say_that_they_do_not_know() {
    let Some(server) = server() else { return };
    let (store, proxy) = cut_in_the_middle(server).await;
    // Each was done, and done again it would have said something else.
    proxy.cut_after("doomed-handle");
    let outcome = store.insert_session(&session("doomed-handle")).await;
    assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
    assert!(proxy.has_cut());
    let there = store.session(&key("doomed-handle"), NOW).await.unwrap();
    assert!(there.is_some());

    proxy.cut_after("swapped");
    let swap = DocumentWrite::CompareAndSwap {
        expected: object("{}"),
        replacement: object(r#"{"swapped":1}"#),
    };
    let document = SessionDocument::SessionData;
    let outcome = store.write_document(&key("h"), document, &swap, NOW).await;
    assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
    let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
    assert_eq!(found.session_data.as_str(), r#"{"swapped":1}"#);

    // Somebody may have written after it was done: that must not be undone.
    for (write, stored) in [
        (
            DocumentWrite::Merge(object(r#"{"merged":1}"#)),
            r#"{"swapped":1,"merged":1}"#,
        ),
        (
            DocumentWrite::Overwrite(object(r#"{"over":1}"#)),
            r#"{"over":1}"#,
        ),
    ] {
        proxy.cut_after(stored);
        let outcome = store.write_document(&key("h"), document, &write, NOW).await;
        assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
        assert!(proxy.has_cut());
        let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
        assert_eq!(found.session_data.as_str(), stored);
    }

    proxy.cut_after("doomed-handle");
    let outcome = store.delete_sessions(&[key("doomed-handle")]).await;
    assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
    assert_eq!(
        store.session(&key("doomed-handle"), NOW).await.unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_tried_again() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let store = place.store().await;
    insert(&store, "a").await;
    insert(&store, "b").await;
    // Somebody who locks in the other order. The server ends one of the two; whichever it is, the
    // store's verb is done in the end.
    let other = place.connection().await;
    let lock =
        |handle| format!("SELECT FROM session_info WHERE session_handle = '{handle}' FOR UPDATE");
    other
        .batch_execute("BEGIN; SET LOCAL deadlock_timeout = '10s'")
        .await
        .unwrap();
    other.batch_execute(&lock("b")).await.unwrap();
    let deleting = {
        let store = store.clone();
        tokio::spawn(async move { store.delete_sessions(&[key("a"), key("b")]).await })
    };
    let watcher = place.connection().await;
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
            AND query LIKE '%\"{}\".\"session_info\"%'",
        place.schema
    );
    while watcher
        .query_one(&waiting, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        == 0
    {
        tokio::task::yield_now().await;
    }
    other.batch_execute(&lock("a")).await.unwrap();
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(deleting.await.unwrap().unwrap(), [key("a"), key("b")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_somebody_deallocated_are_prepared_again() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let config: tokio_postgres::Config = server.url().parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(manager)
        .max_size(1)
        .build()
        .unwrap();
    let store = PostgresStore::options()
        .pool(pool.clone())
        .schema(&place.schema)
        .open()
        .await
        .unwrap();
    insert(&store, "h").await;
    let client = pool.get().await.unwrap();
    client.batch_execute("DEALLOCATE ALL").await.unwrap();
    drop(client);
    insert(&store, "i").await;
}
