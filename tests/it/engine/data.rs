//! Session data and stored payloads by handle (core specification, 7.1 to 7.3).

use std::time::Duration;

use serde_json::{Map, Value, json};
use supersession::{SessionError, TenantId};

use super::{object, record, value_of};
use crate::support::{App, Req};

/// Cases: C103.
#[tokio::test]
async fn updating_session_data_overwrites_all_of_it() {
    let app = App::new().await;
    let session = app
        .sessions
        .create("alice")
        .data(json!({"z": 0}))
        .await
        .unwrap();
    let expiry = record(&app, session.handle()).await.unwrap().expires_at;
    app.advance_secs(5);
    for data in [json!({"a": 1}), json!({"b": {"n": null}, "c": null})] {
        assert!(
            app.sessions
                .update_session_data(session.handle(), &data)
                .await
                .unwrap()
        );
        let read: Value = app
            .sessions
            .session_data(session.handle())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(read, data);
        assert_eq!(session.session_data::<Value>().await.unwrap(), data);
    }
    let row = record(&app, session.handle()).await.unwrap();
    assert_eq!(
        row.expires_at, expiry,
        "writing data does not extend the session"
    );
    assert!(
        !session
            .all_session_tokens_dangerously()
            .access_token
            .expose()
            .is_empty()
    );
}

/// Answers `None` and `false`, and nothing comes into being.
async fn is_gone(app: &App, handle: &str) {
    let sessions = &app.sessions;
    assert_eq!(sessions.information(handle).await.unwrap(), None);
    assert_eq!(sessions.session_data::<Value>(handle).await.unwrap(), None);
    assert!(
        !sessions
            .update_session_data(handle, &json!({"a": 1}))
            .await
            .unwrap()
    );
    assert_eq!(
        sessions
            .merge_session_data(handle, json!({"a": 1}))
            .await
            .unwrap(),
        None
    );
    let change = |data: &mut Map<String, Value>| data.insert("a".into(), json!(1));
    assert_eq!(
        sessions.modify_session_data(handle, change).await.unwrap(),
        None
    );
    assert_eq!(
        sessions
            .merge_into_access_token_payload(handle, json!({"a": 1}))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        sessions
            .modify_access_token_payload(handle, change)
            .await
            .unwrap(),
        None
    );
    assert_eq!(sessions.information(handle).await.unwrap(), None);
}

/// Cases: C104, C105.
#[tokio::test]
async fn unknown_and_expired_sessions_are_gone_for_reads_and_writes() {
    let app = App::with(|builder| builder.refresh_token_validity(Duration::from_secs(7_200))).await;
    is_gone(&app, "unknown").await;
    is_gone(&app, "0b8a7c1e-5b60-4b8e-9c3e-3a9d2f6f0c11_ghost").await;
    is_gone(&app, "").await;
    let tokens = app.login("alice").await;
    app.advance(Duration::from_millis(7_199_999));
    assert!(
        app.sessions
            .information(tokens.handle.as_str())
            .await
            .unwrap()
            .is_some()
    );
    app.advance(Duration::from_millis(1));
    is_gone(&app, &tokens.handle).await;
    assert!(
        app.sessions
            .handles_for_user("alice")
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        app.sessions
            .sessions_for_user("alice")
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        app.sessions
            .revoke_all_for_user("alice")
            .await
            .unwrap()
            .is_empty()
    );
    // It is still there to be cleaned up, and then no more.
    assert_eq!(app.sessions.delete_expired_sessions().await.unwrap(), 1);
    assert_eq!(app.sessions.delete_expired_sessions().await.unwrap(), 0);
}

/// Cases: C108.
#[tokio::test]
async fn an_emptied_payload_stays_empty_at_the_next_refresh() {
    let app = App::new().await;
    let body = json!({"payload": {"plan": "pro", "n": null}});
    let create = Req::post("/create")
        .header("st-auth-mode", "cookie")
        .json(&body);
    let tokens = app.send(create).await.tokens();
    app.sessions
        .modify_access_token_payload(
            tokens.handle.as_str(),
            |payload: &mut Map<String, Value>| payload.clear(),
        )
        .await
        .unwrap()
        .unwrap();
    let stored = record(&app, tokens.handle.as_str()).await.unwrap().payload;
    assert_eq!(value_of(&stored), json!({}));
    let refreshed = app
        .send(Req::refresh().refresh_cookie(&tokens))
        .await
        .tokens();
    let mut names: Vec<_> = refreshed
        .payload()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    names.sort_unstable();
    let own = [
        "antiCsrfToken",
        "exp",
        "iat",
        "parentRefreshTokenHash1",
        "refreshTokenHash1",
        "rsub",
        "sessionHandle",
        "sub",
        "tId",
    ];
    assert_eq!(names, own);
}

/// Cases: C109.
#[tokio::test]
async fn a_handle_finds_its_session_in_whatever_tenant_it_is() {
    let app = App::new().await;
    for tenant in ["public", "t1", "t2"] {
        let tenant = TenantId::new(tenant).unwrap();
        let session = app
            .sessions
            .create("alice")
            .tenant(tenant.clone())
            .await
            .unwrap();
        let stored = app
            .sessions
            .information(session.handle())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (&stored.tenant_id, &stored.handle),
            (&tenant, session.handle())
        );
        assert!(
            app.sessions
                .update_session_data(session.handle(), &json!({"a": 1}))
                .await
                .unwrap()
        );
        let data: Value = session.session_data().await.unwrap();
        assert_eq!(data, json!({"a": 1}));
    }
}

/// Nothing but objects can be stored; what says nothing, null and `()`, is the empty object.
///
/// Cases: C110.
#[tokio::test]
async fn only_objects_are_session_data() {
    let app = App::new().await;
    let session = app
        .sessions
        .create("alice")
        .data(json!({"a": 1}))
        .await
        .unwrap();
    let handle = session.handle();
    for bad in [json!("text"), json!(1), json!([1]), json!(true)] {
        let results = [
            app.sessions
                .update_session_data(handle, &bad)
                .await
                .map(drop),
            app.sessions
                .merge_session_data(handle, &bad)
                .await
                .map(drop),
            app.sessions
                .merge_into_access_token_payload(handle, &bad)
                .await
                .map(drop),
            app.sessions.create("alice").data(&bad).await.map(drop),
            app.sessions.create("alice").payload(&bad).await.map(drop),
        ];
        for result in results {
            assert!(
                matches!(result, Err(SessionError::BadInput(_))),
                "{bad}: {result:?}"
            );
        }
    }
    let row = record(&app, handle).await.unwrap();
    assert_eq!(row.session_data, object(&json!({"a": 1})));
    assert_eq!(
        app.sessions.handles_for_user("alice").await.unwrap().len(),
        1
    );
    assert!(app.sessions.update_session_data(handle, &()).await.unwrap());
    assert_eq!(session.session_data::<Value>().await.unwrap(), json!({}));
    assert!(
        app.sessions
            .update_session_data(handle, &Value::Null)
            .await
            .unwrap()
    );
    assert_eq!(session.session_data::<Value>().await.unwrap(), json!({}));
}
