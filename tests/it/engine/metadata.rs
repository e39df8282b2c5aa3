//! User metadata (core specification, section 6).

use serde_json::{Map, Value, json};

use supersession::{JsonObject, SessionError};

use crate::support::App;

async fn get(app: &App, user: &str) -> Value {
    app.sessions.user_metadata().get(user).await.unwrap()
}

async fn update(app: &App, user: &str, update: Value) -> Value {
    let merged = app
        .sessions
        .user_metadata()
        .update(user, update)
        .await
        .unwrap();
    merged.deserialize().unwrap()
}

/// Cases: C128, C130.
#[tokio::test]
async fn a_user_without_metadata_has_the_empty_object() {
    let app = App::new().await;
    let metadata = app.sessions.user_metadata();
    assert_eq!(get(&app, "alice").await, json!({}));
    metadata.clear("alice").await.unwrap();
    assert_eq!(
        update(&app, "alice", json!({"a": 1})).await,
        json!({"a": 1})
    );
    assert_eq!(get(&app, "bob").await, json!({}));
    metadata.clear("alice").await.unwrap();
    assert_eq!(get(&app, "alice").await, json!({}));
    assert_eq!(
        update(&app, "alice", json!({"b": 2})).await,
        json!({"b": 2})
    );
    assert_eq!(get(&app, "alice").await, json!({"b": 2}));
}

/// Cases: C129.
#[tokio::test]
async fn an_update_is_merged_at_the_root_only() {
    let app = App::new().await;
    update(
        &app,
        "alice",
        json!({"a": 1, "b": {"x": 1, "y": 2}, "c": "z"}),
    )
    .await;
    let merged = update(
        &app,
        "alice",
        json!({"b": {"x": null, "w": 3}, "c": null, "d": 4}),
    )
    .await;
    assert_eq!(merged, json!({"a": 1, "b": {"x": null, "w": 3}, "d": 4}));
    assert_eq!(get(&app, "alice").await, merged);
    assert_eq!(
        update(&app, "alice", json!({"unknown": null})).await,
        merged
    );
    assert_eq!(update(&app, "alice", json!({})).await, merged);
    for bad in [json!(1), json!("text"), json!([{}])] {
        let error = app
            .sessions
            .user_metadata()
            .update("alice", bad)
            .await
            .unwrap_err();
        assert!(matches!(error, SessionError::BadInput(_)), "{error}");
    }
    assert_eq!(get(&app, "alice").await, merged);
}

/// Cases: C133.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_first_updates_are_both_kept() {
    let app = App::new().await;
    for round in 0..100 {
        let user = format!("user-{round}");
        let write = |patch: Value| {
            let (app, user) = (app.clone(), user.clone());
            tokio::spawn(async move { update(&app, &user, patch).await })
        };
        let (one, two) = (write(json!({"a": 1})), write(json!({"b": 2})));
        one.await.unwrap();
        two.await.unwrap();
        assert_eq!(get(&app, &user).await, json!({"a": 1, "b": 2}));
    }
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move {
                let count = |data: &mut Map<String, Value>| {
                    let count = data.get("n").and_then(Value::as_u64).unwrap_or(0);
                    data.insert("n".into(), json!(count + 1));
                };
                app.sessions
                    .user_metadata()
                    .modify("counter", count)
                    .await
                    .unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(get(&app, "counter").await, json!({"n": 100}));
}

/// Cases: C134.
#[tokio::test]
async fn text_and_numbers_come_back_as_they_went_in() {
    let app = App::new().await;
    let written = r#"{"text":"žluťoučký 🦀 \u0001","n":1.50,"big":123456789012345678901234567890,"o":{"z":1,"a":1e2}}"#;
    let update: JsonObject = written.parse().unwrap();
    let user = "uživatel-🦀";
    let merged = app
        .sessions
        .user_metadata()
        .update(user, &update)
        .await
        .unwrap();
    let read: JsonObject = app.sessions.user_metadata().get(user).await.unwrap();
    assert_eq!((merged.as_str(), read.as_str()), (written, written));
}
