//! Documents that are nested too deep or too long: one clear 400 at every entrance, and errors, never
//! panics, for those that are stored already.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use supersession::claims::PrimitiveClaim;
use supersession::store::{DocumentWrite, SessionDocument, SessionKey};
use supersession::{
    AppId, JsonObject, MAX_DOCUMENT_BYTES, MAX_JSON_DEPTH, SessionError, SessionHandle, Store as _,
    UserId,
};

use crate::support::{App, Req};

/// An object with a member of this many levels, itself included.
fn deep(levels: usize) -> Value {
    let mut value = json!([]);
    for _ in 2..levels {
        value = json!([value]);
    }
    json!({ "deep": value })
}

fn long() -> Value {
    json!({ "long": "x".repeat(MAX_DOCUMENT_BYTES) })
}

#[track_caller]
fn is_refused(result: Result<impl Sized, SessionError>) {
    match result {
        Err(error @ SessionError::BadInput(_)) => {
            let text = error.to_string();
            assert!(
                text.contains("100 levels") || text.contains("1048576 bytes"),
                "{text}"
            );
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("accepted"),
    }
}

#[tokio::test]
async fn every_entrance_rejects_documents_that_could_not_be_read_back() {
    let app = App::new().await;
    let sessions = &app.sessions;
    let session = sessions.create("alice").await.unwrap();
    let handle = session.handle();
    let metadata = sessions.user_metadata();
    for bad in [deep(MAX_JSON_DEPTH + 1), deep(120), long()] {
        is_refused(sessions.create("bob").payload(&bad).await);
        is_refused(sessions.create("bob").data(&bad).await);
        is_refused(session.update_session_data(&bad).await);
        is_refused(session.merge_session_data(&bad).await);
        is_refused(
            session
                .modify_session_data(|data: &mut Value| *data = bad.clone())
                .await,
        );
        is_refused(session.merge_into_access_token_payload(&bad).await);
        is_refused(sessions.update_session_data(handle, &bad).await);
        is_refused(sessions.merge_session_data(handle, &bad).await);
        is_refused(sessions.merge_into_access_token_payload(handle, &bad).await);
        is_refused(
            sessions
                .modify_access_token_payload(handle, |payload: &mut Value| *payload = bad.clone())
                .await,
        );
        is_refused(metadata.update("alice", &bad).await);
        is_refused(
            metadata
                .modify("alice", |data: &mut Value| *data = bad.clone())
                .await,
        );
        is_refused(
            sessions
                .create_jwt(&bad, std::time::Duration::from_secs(60))
                .await,
        );
        let claim =
            PrimitiveClaim::<Value>::new("claim", |_| async { Ok::<_, std::fmt::Error>(None) });
        is_refused(session.set_claim_value(&claim, &bad).await);
        is_refused(sessions.set_claim_value(handle, &claim, &bad).await);
    }
    assert!(sessions.handles_for_user("bob").await.unwrap().is_empty());
    let data: JsonObject = session.session_data().await.unwrap();
    assert!(data.is_empty());
    let data: JsonObject = metadata.get("alice").await.unwrap();
    assert!(data.is_empty());
    // The error reaches the client as 400.
    let tokens = app.login("carol").await;
    let merge = Req::post("/merge").access_cookie(&tokens).json(&deep(110));
    let answer = app.send(merge).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.text.contains("100 levels"), "{answer:?}");
}

#[tokio::test]
async fn accepted_documents_can_be_read_back_and_wrapped() {
    let app = App::new().await;
    let deepest = deep(MAX_JSON_DEPTH);
    let session = app
        .sessions
        .create("alice")
        .payload(&deepest)
        .data(&deepest)
        .await
        .unwrap();
    let payload = session.access_token_payload();
    assert_eq!(payload.get("deep"), Some(deepest["deep"].clone()));
    let wrapped = json!({ "answer": [{ "p": payload }] });
    assert_eq!(wrapped["answer"][0]["p"]["deep"], deepest["deep"]);
    let read: Value = session.session_data().await.unwrap();
    assert_eq!(read, deepest);
    let merged = session
        .merge_session_data(json!({ "more": 1 }))
        .await
        .unwrap();
    assert_eq!(json!({ "d": merged })["d"]["deep"], deepest["deep"]);
}

/// Merges cannot grow a document beyond what an entrance accepts.
#[tokio::test]
async fn a_document_grows_to_its_limit_only() {
    let app = App::new().await;
    let session = app.sessions.create("alice").await.unwrap();
    let half = |name: &str| json!({ (name): "x".repeat(MAX_DOCUMENT_BYTES * 2 / 3) });
    session.merge_session_data(half("a")).await.unwrap();
    is_refused(session.merge_session_data(half("b")).await);
    let changed = session
        .modify_session_data(|data: &mut BTreeMap<String, Value>| {
            data.insert("b".into(), half("b")["b"].clone());
        })
        .await;
    is_refused(changed);
    let metadata = app.sessions.user_metadata();
    metadata.update("alice", half("a")).await.unwrap();
    is_refused(metadata.update("alice", half("b")).await);
    let data: JsonObject = session.session_data().await.unwrap();
    assert_eq!(data.keys(), ["a"]);
    session
        .merge_session_data(json!({ "a": null }))
        .await
        .unwrap();
    session.merge_session_data(half("b")).await.unwrap();
}

/// Documents of another program, or from before there were limits.
#[tokio::test]
async fn stored_documents_that_break_the_limit_are_errors_not_panics() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let handle = SessionHandle::from(tokens.payload()["sessionHandle"].as_str().unwrap());
    let text = format!(
        r#"{{"kept":1,"deep":{}{}}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    let stored = JsonObject::from_stored(&text).unwrap();
    let write = DocumentWrite::Overwrite(stored);
    let key = SessionKey::new(&AppId::default(), handle.clone());
    let now = supersession::Clock::now(&app.clock);
    for document in [SessionDocument::SessionData, SessionDocument::Payload] {
        app.store
            .write_document(&key, document, &write, now)
            .await
            .unwrap();
    }
    let user = UserId::from("alice");
    app.store
        .write_user_metadata(&AppId::default(), &user, &write)
        .await
        .unwrap();

    let sessions = &app.sessions;
    let is_fault = |result: Result<(), SessionError>| match result {
        Err(SessionError::Fault(fault)) => {
            assert!(fault.report().contains("100 levels"), "{}", fault.report());
        }
        other => panic!("{other:?}"),
    };
    is_fault(sessions.session_data::<Value>(&handle).await.map(drop));
    is_fault(sessions.session_data::<JsonObject>(&handle).await.map(drop));
    is_fault(
        sessions
            .user_metadata()
            .get::<Value>("alice")
            .await
            .map(drop),
    );
    let modified = sessions
        .modify_session_data(&handle, |_: &mut Value| ())
        .await;
    is_fault(modified.map(drop));

    // The session itself goes on, and handlers get what can be read.
    for path in ["/verify", "/verify-db"] {
        let answer = app.send(Req::get(path).access_cookie(&tokens)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = app
        .send(Req::get("/verify").access_cookie(&answer.tokens()))
        .await;
    let payload = &answer.json()["payload"];
    assert_eq!((&payload["kept"], payload.get("deep")), (&json!(1), None));
    let information = sessions.information(&handle).await.unwrap().unwrap();
    let wrapped = json!({ "data": information.session_data });
    assert_eq!(wrapped["data"], json!({ "kept": 1 }));
    assert_eq!(
        sessions.sessions_for_user("alice").await.unwrap(),
        [information]
    );

    // A merge repairs it.
    let merged = sessions
        .merge_session_data(&handle, json!({ "deep": null }))
        .await
        .unwrap();
    assert_eq!(merged.unwrap().as_str(), r#"{"kept":1}"#);
    assert_eq!(
        sessions.session_data(&handle).await.unwrap(),
        Some(json!({ "kept": 1 }))
    );
}
