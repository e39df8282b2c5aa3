//! A session is live while `now < expires_at`. From `expires_at` on it is gone for every method
//! except the deletes.

use supersession::store::{
    KeyKind, RotateOutcome, Rotation, SessionDocument, SessionKey, WriteOutcome,
};
use supersession::{SessionHandle, UnixMillis};

use crate::store::fixtures::*;

pub async fn a_session_can_be_read_until_its_end(store: SharedStore) {
    insert(&store, &session("h")).await;
    assert!(
        store
            .session(&key("h"), last_moment())
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.session(&key("h"), END).await.unwrap(), None);
    // A clock that goes back finds the session again, because the store itself reads no clock.
    assert!(
        store
            .session(&key("h"), last_moment())
            .await
            .unwrap()
            .is_some()
    );
}

pub async fn a_session_can_be_rotated_until_its_end(store: SharedStore) {
    let old = session("h");
    insert(&store, &old).await;
    let next = Rotation::new(rotated("first", "second", END), END, KeyKind::Dynamic);
    let rotate = async |now| {
        store
            .rotate(&old.key, &old.lineage, &old.payload, &next, now)
            .await
            .unwrap()
    };
    assert_eq!(rotate(END).await, RotateOutcome::Gone);
    assert_eq!(rotate(last_moment()).await, RotateOutcome::Rotated);
}

pub async fn documents_can_be_written_until_the_end(store: SharedStore) {
    insert(&store, &session("h")).await;
    for document in [SessionDocument::SessionData, SessionDocument::Payload] {
        for write in [
            overwrite(r#"{"a":1}"#),
            merge(r#"{"b":1}"#),
            swap("{}", r#"{"c":1}"#),
        ] {
            let outcome = store
                .write_document(&key("h"), document, &write, END)
                .await
                .unwrap();
            assert_eq!(outcome, WriteOutcome::Gone);
        }
    }
    let untouched = store.session(&key("h"), NOW).await.unwrap();
    assert_eq!(untouched, Some(session("h")));
    let write = overwrite(r#"{"a":1}"#);
    let outcome = store
        .write_document(
            &key("h"),
            SessionDocument::SessionData,
            &write,
            last_moment(),
        )
        .await
        .unwrap();
    assert_eq!(outcome, written(r#"{"a":1}"#));
}

pub async fn lists_hold_a_session_until_its_end(store: SharedStore) {
    insert(&store, &session("h")).await;
    let selection = sessions_of("user");
    let lengths = async |now| {
        let records = store.user_sessions(&selection, now).await.unwrap();
        let handles = store.user_session_handles(&selection, now).await.unwrap();
        (records.len(), handles.len())
    };
    assert_eq!(lengths(last_moment()).await, (1, 1));
    assert_eq!(lengths(END).await, (0, 0));
}

pub async fn sessions_of_a_user_can_be_deleted_until_their_end(store: SharedStore) {
    insert(&store, &session("h")).await;
    let selection = sessions_of("user");
    assert!(
        store
            .delete_user_sessions(&selection, END)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    assert_eq!(
        store
            .delete_user_sessions(&selection, last_moment())
            .await
            .unwrap(),
        ["h"]
    );
}

pub async fn deleting_by_handle_finds_sessions_that_are_over(store: SharedStore) {
    insert(&store, &{
        let mut record = session("h");
        record.expires_at = UnixMillis::new(1);
        record
    })
    .await;
    assert_eq!(
        store.delete_sessions(&[key("h")]).await.unwrap(),
        [key("h")]
    );
    assert_eq!(store.delete_sessions(&[key("h")]).await.unwrap(), []);
}

pub async fn clearing_up_takes_what_is_over_and_nothing_else(store: SharedStore) {
    for (handle, end) in [
        ("long_over", at(0)),
        ("just_over", at(10)),
        ("live", at(11)),
    ] {
        // Handles name their tenant after an underscore. These sessions are in tenants of their
        // own.
        insert(&store, &{
            let mut record = session(handle);
            record.expires_at = end;
            record
        })
        .await;
    }
    assert_eq!(store.delete_expired_sessions(at(10), 100).await.unwrap(), 2);
    assert_eq!(store.delete_expired_sessions(at(10), 100).await.unwrap(), 0);
    assert_eq!(
        store
            .delete_sessions(&[key("long_over"), key("just_over")])
            .await
            .unwrap(),
        []
    );
    assert!(store.session(&key("live"), at(10)).await.unwrap().is_some());
}

pub async fn clearing_up_stops_at_the_limit(store: SharedStore) {
    for number in 0..7 {
        insert(&store, &{
            let mut record = session(&format!("h{number}"));
            record.expires_at = NOW;
            record
        })
        .await;
    }
    insert(&store, &session("live")).await;
    assert_eq!(store.delete_expired_sessions(NOW, 0).await.unwrap(), 0);
    assert_eq!(store.delete_expired_sessions(NOW, 3).await.unwrap(), 3);
    assert_eq!(store.delete_expired_sessions(NOW, 3).await.unwrap(), 3);
    assert_eq!(store.delete_expired_sessions(NOW, 3).await.unwrap(), 1);
    assert_eq!(
        store.delete_expired_sessions(NOW, u32::MAX).await.unwrap(),
        0
    );
    assert!(store.session(&key("live"), NOW).await.unwrap().is_some());
}

pub async fn clearing_up_takes_sessions_of_every_app(store: SharedStore) {
    for id in ["a1", "a2"] {
        let key = SessionKey::new(&app(id), SessionHandle::from("h"));
        insert(&store, &{
            let mut record = session("h");
            record.key = key;
            record.expires_at = NOW;
            record
        })
        .await;
    }
    assert_eq!(store.delete_expired_sessions(NOW, 100).await.unwrap(), 2);
}
