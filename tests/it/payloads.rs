//! Replacing and modifying the access token payload through the handle.

use axum::routing::post;
use serde_json::{Map, Value, json};
use supersession::{Delivery, SessionError};
use supersession_axum::{Session, SessionRejection};

use crate::support::{App, Req};

async fn replace(session: Session, body: String) -> Result<String, SessionRejection> {
    let payload: Value = serde_json::from_str(&body).unwrap();
    let delivery = session.update_access_token_payload(&payload).await?;
    Ok(format!("{delivery:?}"))
}

async fn count(session: Session) -> Result<String, SessionRejection> {
    let change = |payload: &mut Map<String, Value>| {
        let visits = payload.get("visits").and_then(Value::as_u64).unwrap_or(0) + 1;
        payload.insert("visits".into(), visits.into());
        visits
    };
    let (visits, delivery) = session.modify_access_token_payload(change).await?;
    assert_eq!(
        session.access_token_payload().get("visits"),
        Some(json!(visits))
    );
    Ok(format!("{visits} {delivery:?}"))
}

async fn app() -> App {
    App::with_routes(
        |builder| builder,
        |router| {
            router
                .route("/replace", post(replace))
                .route("/count", post(count))
        },
    )
    .await
}

#[tokio::test]
async fn a_payload_is_replaced_and_delivered_in_this_response() {
    let app = app().await;
    let login = Req::post("/create").header("st-auth-mode", "cookie");
    let body = json!({"userId": "alice", "payload": {"plan": "pro", "old": 1}});
    let tokens = app.send(login.json(&body)).await.tokens();
    let replace = Req::post("/replace").access_cookie(&tokens);
    let answer = app
        .send(replace.json(&json!({"plan": "free", "n": null})))
        .await;
    assert_eq!(answer.text, "InThisResponse");
    let payload = answer.tokens().payload();
    assert_eq!(
        (&payload["plan"], &payload["old"], payload.get("n")),
        (&json!("free"), &Value::Null, Some(&Value::Null))
    );
    // The issuer stays, and so does the session.
    assert_eq!(payload["iss"], "https://api.example.com/auth");
    let next = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(next.tokens().payload()["plan"], "free");
}

#[tokio::test]
async fn a_payload_is_modified_and_delivered_in_this_response() {
    let app = app().await;
    let mut tokens = app.login("alice").await;
    for visits in 1..=3 {
        let answer = app.send(Req::post("/count").access_cookie(&tokens)).await;
        assert_eq!(answer.text, format!("{visits} InThisResponse"));
        tokens = answer.tokens();
        assert_eq!(tokens.payload()["visits"], visits);
    }
}

/// A null that stays in the payload sets its name too: such a session could not be refreshed.
#[tokio::test]
async fn protected_names_are_refused_null_or_not() {
    let app = app().await;
    let tokens = app.login("alice").await;
    for body in [
        json!({"sub": "bob"}),
        json!({"sub": null}),
        json!({"tId": null, "a": 1}),
    ] {
        let replace = Req::post("/replace").access_cookie(&tokens);
        let answer = app.send(replace.json(&body)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.has_no_token_headers(), "{answer:?}");
        let session = app.sessions.create("bob").await.unwrap();
        let set =
            |payload: &mut Map<String, Value>| payload.extend(body.as_object().unwrap().clone());
        let by_handle = app
            .sessions
            .modify_access_token_payload(session.handle(), set)
            .await;
        assert!(
            matches!(by_handle, Err(SessionError::BadInput(_))),
            "{by_handle:?}"
        );
        let stored = app
            .sessions
            .information(session.handle())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.access_token_payload.get("sub"), None);
    }
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_change_of_a_session_that_has_ended_or_is_not_attached() {
    let app = app().await;
    let session = app.sessions.create("alice").await.unwrap();
    let delivery = session
        .update_access_token_payload(&json!({"a": 1}))
        .await
        .unwrap();
    assert_eq!(delivery, Delivery::AtNextRefresh);
    assert_eq!(session.access_token_payload().get("a"), Some(json!(1)));
    session.revoke().await.unwrap();
    let replaced = session.update_access_token_payload(&json!({})).await;
    assert!(matches!(replaced, Err(SessionError::Unauthorised(_))));
    let modified = session
        .modify_access_token_payload(|_: &mut Map<String, Value>| ())
        .await;
    assert!(matches!(modified, Err(SessionError::Unauthorised(_))));
    let left = app.sessions.handles_for_user("alice").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

/// The future of the end of a session holds nothing of the handle.
#[tokio::test]
async fn the_end_is_awaited_without_the_session() {
    let app = app().await;
    let session = app.sessions.create("alice").await.unwrap();
    let handle = session.handle().clone();
    let ended = session.ended();
    drop(session);
    app.sessions.revoke(handle).await.unwrap();
    assert_eq!(ended.await, supersession::SessionEnd::Revoked);
}
