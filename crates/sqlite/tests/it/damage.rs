//! Rows that somebody else has written.

use supersession::Store;
use supersession::store::{DocumentWrite, SessionDocument, StoreError, StoreErrorKind};
use supersession_sqlite::SqliteStore;

use crate::{NOW, Place, insert, key, object, session};

/// A store with the sessions `h` and `good`, and with `assignment` done to the first.
async fn damaged(place: &Place, assignment: &str) -> SqliteStore {
    let store = place.store().await;
    insert(&store, "h").await;
    insert(&store, "good").await;
    let sql = format!("UPDATE session_info SET {assignment} WHERE session_handle = 'h'");
    assert_eq!(place.connection().execute(&sql, []).unwrap(), 1);
    store
}

fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_corrupt_and_their_column_is_named() {
    for (assignment, column) in [
        (
            "session_data = '{\"mail\":\"me@example.com\"'",
            "session_data",
        ),
        ("session_data = '[1]'", "session_data"),
        ("jwt_user_payload = ''", "jwt_user_payload"),
        ("jwt_user_payload = x'80'", "jwt_user_payload"),
        (
            "jwt_user_payload = CAST(x'7b80' AS TEXT)",
            "jwt_user_payload",
        ),
        ("created_at_time = 'yesterday'", "created_at_time"),
        ("use_static_key = 'yes'", "use_static_key"),
        ("refresh_token_hash_2 = x'00'", "refresh_token_hash_2"),
        (
            "prev_refresh_token_hash_2 = 'ab'",
            "prev_refresh_token_hash_2",
        ),
        ("refresh_token_rotated_at = 1", "refresh_token_rotated_at"),
    ] {
        let place = Place::new();
        let store = damaged(&place, assignment).await;
        let error = store.session(&key("h"), NOW).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{assignment}");
        let text = chain(&error);
        assert!(text.contains(column), "{text}");
        assert!(!text.contains("example.com"), "{text}");
        assert!(store.session(&key("good"), NOW).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_null_document_reads_as_the_empty_object() {
    let place = Place::new();
    let store = damaged(&place, "session_data = NULL, jwt_user_payload = NULL").await;
    assert_eq!(
        store.session(&key("h"), NOW).await.unwrap(),
        Some(session("h"))
    );
    let write = DocumentWrite::CompareAndSwap {
        expected: object("{}"),
        replacement: object(r#"{"a":1}"#),
    };
    store
        .write_document(&key("h"), SessionDocument::Payload, &write, NOW)
        .await
        .unwrap();
    let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
    assert_eq!(found.payload, object(r#"{"a":1}"#));
}

#[tokio::test]
async fn a_write_that_meets_a_damaged_row_fails_alone() {
    let place = Place::new();
    let store = damaged(&place, "session_data = '{'").await;
    let merge = DocumentWrite::Merge(object(r#"{"a":1}"#));
    let write = |handle: &'static str| {
        let (store, merge) = (store.clone(), merge.clone());
        async move {
            store
                .write_document(&key(handle), SessionDocument::SessionData, &merge, NOW)
                .await
        }
    };
    let (one, bad, two) = tokio::join!(write("good"), write("h"), write("good"));
    assert_eq!(bad.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert!(one.is_ok() && two.is_ok());
    // What cannot be read can be deleted.
    assert_eq!(
        store.delete_sessions(&[key("h")]).await.unwrap(),
        [key("h")]
    );
}

#[tokio::test]
async fn a_table_that_is_gone_is_not_ready() {
    for table in ["session_info", "user_metadata", "key_value"] {
        let place = Place::new();
        let store = place.store().await;
        store.check_ready().await.unwrap();
        let drop = format!("DROP TABLE {table}");
        place.connection().execute_batch(&drop).unwrap();
        let error = store.check_ready().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{table}");
    }
}
