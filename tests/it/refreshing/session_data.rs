//! Session data, payload merges and user metadata (session specification, section 10).

use serde_json::{Map, Value, json};
use supersession::{Delivery, Session};

use crate::support::{App, Req, START};

async fn create(app: &App, payload: Value) -> Session {
    app.sessions.create("alice").payload(payload).await.unwrap()
}

/// The application's part of the stored payload, without the issuer.
async fn stored_payload(app: &App, session: &Session) -> Value {
    let information = app.sessions.information(session.handle()).await.unwrap();
    let payload = information.unwrap().access_token_payload;
    let mut payload: Map<String, Value> = payload.deserialize().unwrap();
    assert_eq!(
        payload.remove("iss"),
        Some(json!("https://api.example.com/auth"))
    );
    Value::Object(payload)
}

/// An overwrite leaves nothing of what was there.
///
/// Cases: S159, S160.
#[tokio::test]
async fn session_data_is_overwritten_completely() {
    let app = App::new().await;
    let session = create(&app, json!({})).await;
    let read = || session.session_data::<Value>();
    assert_eq!(read().await.unwrap(), json!({}));
    let first = json!({"key": "value", "other": [1]});
    session.update_session_data(&first).await.unwrap();
    assert_eq!(read().await.unwrap(), first);
    let second = json!({"key": "value2", "nothing": null});
    session.update_session_data(&second).await.unwrap();
    assert_eq!(read().await.unwrap(), second);
    let by_handle = app.sessions.session_data::<Value>(session.handle()).await;
    assert_eq!(by_handle.unwrap(), Some(second.clone()));

    session.update_session_data(&()).await.unwrap();
    assert_eq!(read().await.unwrap(), json!({}));
    for nothing in [Value::Null, json!({})] {
        session.update_session_data(&second).await.unwrap();
        let handle = session.handle();
        assert!(
            app.sessions
                .update_session_data(handle, &nothing)
                .await
                .unwrap()
        );
        assert_eq!(read().await.unwrap(), json!({}));
    }
    session.update_session_data(&second).await.unwrap();
    session.update_session_data(&None::<Value>).await.unwrap();
    assert_eq!(read().await.unwrap(), json!({}));
    for no_object in [json!([1]), json!("text"), json!(1)] {
        assert!(session.update_session_data(&no_object).await.is_err());
    }
    assert_eq!(read().await.unwrap(), json!({}));
}

/// By handle, a session that is gone is an answer, not an error; and nothing comes into being.
///
/// Cases: S161.
#[tokio::test]
async fn writes_to_an_unknown_handle_report_it() {
    let app = App::new().await;
    let session = create(&app, json!({})).await;
    app.sessions.revoke(session.handle()).await.unwrap();
    let patch = json!({"a": 1});
    for handle in ["no-such-handle", session.handle().as_str()] {
        let sessions = &app.sessions;
        assert!(!sessions.update_session_data(handle, &patch).await.unwrap());
        assert_eq!(
            sessions.merge_session_data(handle, &patch).await.unwrap(),
            None
        );
        let merged = sessions
            .merge_into_access_token_payload(handle, &patch)
            .await;
        assert_eq!(merged.unwrap(), None);
        let modified = sessions
            .modify_session_data(handle, |_: &mut Value| ())
            .await;
        assert_eq!(modified.unwrap(), None);
        let modified = sessions
            .modify_access_token_payload(handle, |_: &mut Value| ())
            .await;
        assert_eq!(modified.unwrap(), None);
        assert_eq!(sessions.session_data::<Value>(handle).await.unwrap(), None);
    }
}

/// A merge works at the root: null removes a member, an object replaces an object.
///
/// Cases: S165, S166.
#[tokio::test]
async fn a_payload_merge_replaces_members_and_null_removes_them() {
    let app = App::new().await;
    let by_session = create(&app, json!({"a": {"x": 1}, "kept": null})).await;
    let by_handle = create(&app, json!({"a": {"x": 1}, "kept": null})).await;
    let steps = [
        (
            json!({"key": "value"}),
            json!({"a": {"x": 1}, "kept": null, "key": "value"}),
        ),
        (json!({"key": null}), json!({"a": {"x": 1}, "kept": null})),
        (
            json!({"absent": null}),
            json!({"a": {"x": 1}, "kept": null}),
        ),
        (
            json!({"a": {"y": 2, "z": null}}),
            json!({"a": {"y": 2, "z": null}, "kept": null}),
        ),
    ];
    for (patch, expected) in steps {
        let delivery = by_session
            .merge_into_access_token_payload(&patch)
            .await
            .unwrap();
        assert_eq!(delivery, Delivery::AtNextRefresh, "no request carries it");
        assert_eq!(stored_payload(&app, &by_session).await, expected);
        let payload = by_session.access_token_payload();
        for name in ["a", "key", "kept", "absent"] {
            assert_eq!(payload.get(name).as_ref(), expected.get(name));
        }
        let handle = by_handle.handle();
        let merged = app
            .sessions
            .merge_into_access_token_payload(handle, &patch)
            .await;
        assert!(merged.unwrap().is_some());
        assert_eq!(stored_payload(&app, &by_handle).await, expected);
    }
}

/// The new token lives no longer than the old one, and says when it was made. It goes out with the
/// response, alone.
///
/// Cases: S167.
#[tokio::test]
async fn a_merge_in_a_handler_mints_a_token_with_the_same_expiry() {
    let app = App::new().await;
    let first = app.login("alice").await;
    app.advance_secs(1_000);
    let request = Req::post("/merge")
        .access_cookie(&first)
        .json(&json!({"plan": "pro"}));
    let answer = app.send(request).await;
    assert_eq!(answer.status, 200);
    let names: Vec<_> = answer
        .cookies()
        .into_iter()
        .map(|cookie| cookie.name)
        .collect();
    assert_eq!(names, ["sAccessToken"]);
    assert_eq!(answer.exposed(), ["front-token"]);
    let second = answer.tokens();
    super::assert_describes(&answer, &second);
    let (old, new) = (first.payload(), second.payload());
    let now = START.get() / 1_000 + 1_000;
    assert_eq!(new["iat"], now);
    assert_eq!(new["plan"], "pro");
    for kept in [
        "exp",
        "sub",
        "sessionHandle",
        "refreshTokenHash1",
        "antiCsrfToken",
        "tId",
    ] {
        assert_eq!(new[kept], old[kept], "{kept}");
    }
    assert_eq!(second.header(), first.header());
    // A merge changes nothing of the refresh.
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    assert_eq!(answer.tokens().payload()["plan"], "pro");
}

/// A change by handle waits for the next refresh, or for a guard that checks the database.
///
/// Cases: S168.
#[tokio::test]
async fn a_merge_by_handle_is_seen_after_the_next_refresh() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let merged = app
        .sessions
        .merge_into_access_token_payload(&first.handle, json!({"plan": "pro"}))
        .await;
    assert!(merged.unwrap().is_some());
    let answer = app.send(Req::get("/verify").access_cookie(&first)).await;
    assert_eq!(answer.json()["payload"].get("plan"), None);
    assert!(answer.has_no_token_headers());
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    let second = answer.tokens();
    assert_eq!(second.payload()["plan"], "pro");
    let answer = app.send(Req::get("/verify").access_cookie(&second)).await;
    assert_eq!(answer.json()["payload"]["plan"], "pro");
    assert!(answer.has_no_token_headers());
}

/// A user without metadata has the empty object, and clearing it is no error.
///
/// Cases: S170.
#[tokio::test]
async fn unknown_metadata_is_the_empty_object() {
    let app = App::new().await;
    let metadata = app.sessions.user_metadata();
    assert_eq!(metadata.get::<Value>("nobody").await.unwrap(), json!({}));
    metadata.clear("nobody").await.unwrap();
    metadata.update("alice", json!({"a": 1})).await.unwrap();
    metadata.clear("alice").await.unwrap();
    assert_eq!(metadata.get::<Value>("alice").await.unwrap(), json!({}));
    metadata.clear("alice").await.unwrap();
}

/// A null at the root removes, a null further down is a value; nested objects are replaced whole.
///
/// Cases: S171.
#[tokio::test]
async fn metadata_is_merged_at_the_root() {
    let app = App::new().await;
    let metadata = app.sessions.user_metadata();
    let first = json!({"a": 1, "b": {"c": 1}});
    let merged = metadata.update("alice", &first).await.unwrap();
    assert_eq!(merged.deserialize::<Value>().unwrap(), first);
    let patch = json!({"a": null, "b": {"d": null}});
    let expected = json!({"b": {"d": null}});
    let merged = metadata.update("alice", &patch).await.unwrap();
    assert_eq!(merged.deserialize::<Value>().unwrap(), expected);
    assert_eq!(metadata.get::<Value>("alice").await.unwrap(), expected);
    assert_eq!(metadata.get::<Value>("bob").await.unwrap(), json!({}));
}
