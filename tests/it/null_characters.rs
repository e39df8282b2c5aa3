//! U+0000, which PostgreSQL cannot hold in a text: refused with 400 at every entrance, on every store.

use serde_json::{Value, json};
use supersession::{Hooks, SessionError, SessionHandle, UserId};

use crate::support::App;

#[track_caller]
fn is_refused<T: std::fmt::Debug>(outcome: Result<T, SessionError>) {
    match outcome {
        Err(SessionError::BadInput(text)) => assert!(text.contains("U+0000"), "{text}"),
        other => panic!("{other:?}"),
    }
}

/// In a name, in a text, and deep in a list.
fn documents() -> [Value; 3] {
    [
        json!({ "a\0b": 1 }),
        json!({ "a": "\0" }),
        json!({ "a": [{ "b": ["x\\\0"] }] }),
    ]
}

#[tokio::test]
async fn no_document_takes_a_null_character() {
    let app = App::new().await;
    let session = app.sessions.create("alice").await.unwrap();
    let handle = SessionHandle::from(session.handle());
    for document in documents() {
        let sessions = &app.sessions;
        is_refused(sessions.create("alice").data(&document).await);
        is_refused(sessions.create("alice").payload(&document).await);
        is_refused(
            sessions
                .update_session_data(handle.clone(), &document)
                .await,
        );
        is_refused(sessions.merge_session_data(handle.clone(), &document).await);
        is_refused(
            sessions
                .merge_into_access_token_payload(handle.clone(), &document)
                .await,
        );
        is_refused(session.merge_session_data(&document).await);
        is_refused(session.merge_into_access_token_payload(&document).await);
        let metadata = sessions.user_metadata();
        is_refused(metadata.update("alice", &document).await);
        let change = |value: &mut Value| *value = document.clone();
        is_refused(metadata.modify("alice", change).await);
    }
    assert_eq!(
        app.sessions
            .user_metadata()
            .get::<Value>("alice")
            .await
            .unwrap(),
        json!({})
    );
    assert_eq!(
        app.sessions.handles_for_user("alice").await.unwrap().len(),
        1
    );
    // An escaped backslash before these letters is no null character.
    let harmless = json!({ "a": "\\u0000" });
    let merged = app.sessions.merge_session_data(handle, harmless).await;
    assert!(merged.unwrap().is_some());
}

#[tokio::test]
async fn no_id_and_no_label_takes_a_null_character() {
    let app = App::new().await;
    let session = app.sessions.create("alice").await.unwrap();
    is_refused(app.sessions.create("a\0b").await);
    let metadata = app.sessions.user_metadata();
    is_refused(metadata.update("a\0b", json!({})).await);
    let label = app
        .sessions
        .set_device_label(session.handle(), Some("a\0b"));
    is_refused(label.await);
    // Nobody has such an id, so there is nothing to find.
    assert!(
        app.sessions
            .handles_for_user("a\0b")
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(app.sessions.information("a\0b").await.unwrap(), None);
}

#[tokio::test]
async fn no_hook_brings_a_null_character_in() {
    for part in 0..3 {
        let app = App::with(move |builder| {
            builder.hooks(Hooks::new().before_create(move |mut draft| async move {
                let document = "{\"a\":\"\\u0000\"}".parse().unwrap();
                match part {
                    0 => draft.user_id = UserId::from("\0"),
                    1 => draft.session_data = document,
                    _ => draft.access_token_payload = document,
                }
                Ok(draft)
            }))
        })
        .await;
        is_refused(app.sessions.create("alice").await);
    }
}
