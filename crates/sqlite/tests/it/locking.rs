//! Others who use the same file.

use std::time::Duration;

use rusqlite::TransactionBehavior;
use supersession::Store;
use supersession::store::{DocumentWrite, SessionDocument, StoreErrorKind, WriteOutcome};
use supersession_sqlite::{OpenErrorKind, SqliteStore};

use crate::{NOW, Place, insert, key, object, session};

#[tokio::test]
async fn a_lock_of_another_process_makes_writes_fail_in_time_and_reads_go_on() {
    let place = Place::new();
    let options = SqliteStore::options().path(place.path());
    let store = options
        .busy_timeout(Duration::from_millis(50))
        .open()
        .await
        .unwrap();
    insert(&store, "h").await;
    let mut other = place.connection();
    let lock = other
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    let (one, two) = (session("one"), session("two"));
    let (first, second) = tokio::join!(store.insert_session(&one), store.insert_session(&two));
    for error in [first.unwrap_err(), second.unwrap_err()] {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert_eq!(error.operation(), "insert_session");
    }
    assert_eq!(
        store.session(&key("h"), NOW).await.unwrap(),
        Some(session("h"))
    );
    lock.rollback().unwrap();
    insert(&store, "one").await;
}

#[tokio::test]
async fn a_lock_that_outlasts_the_busy_timeout_keeps_a_new_database_from_opening() {
    let place = Place::new();
    let mut other = place.connection();
    let lock = other
        .transaction_with_behavior(TransactionBehavior::Exclusive)
        .unwrap();
    let options = SqliteStore::options().path(place.path());
    let error = options
        .clone()
        .busy_timeout(Duration::from_millis(50))
        .open()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::Busy);
    drop(lock);
    options.open().await.unwrap();
}

#[tokio::test]
async fn stores_on_one_file_see_each_others_writes() {
    let place = Place::new();
    let (one, two) = (place.store().await, place.store().await);
    insert(&one, "h").await;
    assert!(two.session(&key("h"), NOW).await.unwrap().is_some());
    for (writer, reader, text) in [(&two, &one, r#"{"a":1}"#), (&one, &two, r#"{"a":2}"#)] {
        let write = DocumentWrite::Overwrite(object(text));
        let outcome = writer
            .write_document(&key("h"), SessionDocument::Payload, &write, NOW)
            .await
            .unwrap();
        assert_eq!(outcome, WriteOutcome::Written(object(text)));
        let found = reader.session(&key("h"), NOW).await.unwrap().unwrap();
        assert_eq!(found.payload, object(text));
    }
    two.delete_sessions(&[key("h")]).await.unwrap();
    assert_eq!(one.session(&key("h"), NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_several_stores_on_one_file_lose_nothing() {
    const INCREMENTS: usize = 100;
    let place = Place::new();
    let stores = [place.store().await, place.store().await];
    insert(&stores[0], "h").await;
    let tasks: Vec<_> = (0..8)
        .map(|number| tokio::spawn(count_up(stores[number % 2].clone(), INCREMENTS)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let found = stores[0].session(&key("h"), NOW).await.unwrap().unwrap();
    assert_eq!(
        found.session_data.get_as("n").unwrap(),
        Some(8 * INCREMENTS)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_tasks_lose_no_increment() {
    const TASKS: usize = 64;
    const INCREMENTS: usize = 200;
    let place = Place::new();
    let store = place.store().await;
    insert(&store, "h").await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| tokio::spawn(count_up(store.clone(), INCREMENTS)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
    assert_eq!(
        found.session_data.get_as("n").unwrap(),
        Some(TASKS * INCREMENTS)
    );
}

async fn count_up(store: SqliteStore, increments: usize) {
    let mut seen = object("{}");
    for _ in 0..increments {
        loop {
            let n: u64 = seen.get_as("n").unwrap().unwrap_or(0);
            let replacement = seen.with("n", &(n + 1)).unwrap();
            let swap = DocumentWrite::CompareAndSwap {
                expected: seen,
                replacement,
            };
            let document = SessionDocument::SessionData;
            match store
                .write_document(&key("h"), document, &swap, NOW)
                .await
                .unwrap()
            {
                WriteOutcome::Written(document) => {
                    seen = document;
                    break;
                }
                WriteOutcome::Conflict(stored) => seen = stored,
                WriteOutcome::Gone => panic!("the session is gone"),
            }
        }
    }
}
