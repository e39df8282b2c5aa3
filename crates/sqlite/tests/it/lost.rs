//! Files that are deleted, replaced or damaged while the store has them open.

use std::error::Error;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use supersession::Store;
use supersession::store::{StoreError, StoreErrorKind};
use supersession_sqlite::SqliteStore;

use crate::{NOW, Place, insert, key, session};

fn cause(error: &StoreError) -> String {
    error.source().unwrap().to_string()
}

/// Asserts that no verb answers from the files that were opened.
async fn assert_refused(store: &SqliteStore, what: &str) {
    for _ in 0..2 {
        let error = store.insert_session(&session("late")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotWritable);
        assert!(cause(&error).contains(what), "{}", cause(&error));
        let error = store.check_ready().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotWritable);
        let error = store.session(&key("h"), NOW).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(cause(&error).contains("restart"), "{}", cause(&error));
        let error = store.signing_keys(&key("h").app).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
}

/// Checks what a start after the end of this process finds: the file without its log.
async fn assert_in_file(file: &Path, handle: &str) {
    let elsewhere = Place::new();
    fs::copy(file, elsewhere.path()).unwrap();
    let store = elsewhere.store().await;
    assert!(store.session(&key(handle), NOW).await.unwrap().is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn a_deleted_database_is_not_written() {
    let place = Place::new();
    let store = place.store().await;
    insert(&store, "h").await;
    fs::remove_file(place.path()).unwrap();
    assert_refused(&store, "deleted or replaced").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_whose_directory_is_deleted_is_not_written() {
    let place = Place::new();
    let store = place.store().await;
    insert(&store, "h").await;
    fs::remove_dir_all(place.0.path()).unwrap();
    assert_refused(&store, "deleted or replaced").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_database_is_not_written_and_left_alone() {
    let (place, backup) = (Place::new(), Place::new());
    insert(&backup.store().await, "restored").await;
    let store = place.store().await;
    insert(&store, "h").await;
    fs::rename(backup.path(), place.path()).unwrap();
    assert_refused(&store, "deleted or replaced").await;
    drop(store);
    fs::remove_file(place.0.path().join("sessions.db-wal")).unwrap();
    let store = place.store().await;
    assert!(
        store
            .session(&key("restored"), NOW)
            .await
            .unwrap()
            .is_some()
    );
    assert!(store.session(&key("late"), NOW).await.unwrap().is_none());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_elsewhere_is_a_replaced_database() {
    use std::os::unix::fs::symlink;
    let (place, other) = (Place::new(), Place::new());
    drop((place.store().await, other.store().await));
    let link = place.0.path().join("link.db");
    symlink(place.path(), &link).unwrap();
    let store = SqliteStore::open(&link).await.unwrap();
    insert(&store, "h").await;
    insert(&store, "i").await;
    fs::remove_file(&link).unwrap();
    symlink(other.path(), &link).unwrap();
    assert_refused(&store, "deleted or replaced").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_is_moved_back_is_used_again() {
    let place = Place::new();
    let store = place.store().await;
    insert(&store, "h").await;
    let aside = place.0.path().join("aside.db");
    fs::rename(place.path(), &aside).unwrap();
    assert_refused(&store, "deleted or replaced").await;
    fs::rename(&aside, place.path()).unwrap();
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    insert(&store, "i").await;
    store.check_ready().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_deleted_log_is_moved_into_the_database_and_nothing_more_is_written() {
    for suffix in ["-wal", "-shm"] {
        let place = Place::new();
        let store = place.store().await;
        insert(&store, "h").await;
        fs::remove_file(place.0.path().join(format!("sessions.db{suffix}"))).unwrap();
        assert_refused(&store, "write-ahead log").await;
        assert_in_file(&place.path(), "h").await;
    }
}

#[tokio::test]
async fn a_database_in_which_damage_was_read_is_not_written() {
    let place = Place::new();
    let store = place.store().await;
    insert(&store, "h").await;
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    place
        .connection()
        .query_row(checkpoint, [], |_| Ok(()))
        .unwrap();
    let length = fs::metadata(place.path()).unwrap().len();
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(place.path())
        .unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&vec![0xA5; usize::try_from(length).unwrap()])
        .unwrap();
    let error = store.session(&key("h"), NOW).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let error = store.insert_session(&session("late")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotWritable);
    assert!(cause(&error).contains("restore it from a backup"));
    let error = store.check_ready().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotWritable);
}
