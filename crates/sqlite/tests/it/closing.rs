//! What dropping the store does.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use rusqlite::TransactionBehavior;
use supersession::Store;
use supersession_sqlite::SqliteStore;

use crate::{NOW, Place, insert, key, session};

/// Takes a future as far as it goes by itself: to the queue of its thread.
fn start<F: Future>(future: Pin<&mut F>) {
    assert!(
        future
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
}

#[tokio::test]
async fn dropping_the_last_clone_closes_the_database() {
    let place = Place::new();
    let log = place.0.path().join("sessions.db-wal");
    let store = place.store().await;
    let clone = store.clone();
    insert(&store, "h").await;
    drop(store);
    assert!(log.exists());
    assert!(clone.session(&key("h"), NOW).await.unwrap().is_some());
    drop(clone);
    assert!(
        !log.exists(),
        "the last one to close moves the log into the database"
    );
}

#[test]
fn dropping_the_store_finishes_the_writes_that_wait() {
    const WRITES: u32 = 20;
    let place = Place::new();
    let options = SqliteStore::options().path(place.path());
    let store = options
        .busy_timeout(Duration::from_secs(60))
        .open_blocking()
        .unwrap();
    let mut other = place.connection();
    let lock = other
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    for number in 0..WRITES {
        let session = session(&format!("h{number}"));
        // The caller goes away once the write is queued.
        start(std::pin::pin!(store.insert_session(&session)));
    }
    let closing = std::thread::spawn(move || drop(store));
    lock.rollback().unwrap();
    closing.join().unwrap();
    let count: u32 = other
        .query_row("SELECT count(*) FROM session_info", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, WRITES);
}
