//! Keys that are not known here, and keys whose store is down (core specification, 4.3).

use std::time::Duration;

use serde_json::json;
use supersession::store::{KeyKind, StoreErrorKind};
use supersession::{FaultKind, SessionError};
use supersession_testkit::{PlannedFault, Verb};

use super::foreign::{claims, header, sign};
use super::keys::{
    HOUR, MILLI, MINUTE, add_by_another_node, hourly, immortal, kids, signing_kid, verify,
};
use super::stored_keys;
use crate::support::{App, Req, START};

/// A node that has not seen a key yet is asked by many at once: nobody is told to refresh while it
/// looks, and it looks once.
///
/// Cases: C45.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_key_of_another_node_fails_none_of_many_parallel_verifications() {
    for _ in 0..8 {
        let app = hourly().await;
        let other = add_by_another_node(&app, START.after(MILLI)).await;
        app.advance_secs(1);
        let token = immortal(&other);
        app.store.clear_calls();
        let tasks: Vec<_> = (0..256)
            .map(|_| {
                let (app, token) = (app.clone(), token.clone());
                tokio::spawn(async move { verify(&app, &token).await })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 200);
        }
        assert_eq!(app.store.calls(), [Verb::SigningKeys]);
    }
}

/// Without a network between the keys and those who verify, there is nothing to fetch: keys are
/// loaded when the process starts, and looked at again only for a key id that is new.
///
/// Cases: S201, S202.
#[tokio::test]
async fn known_keys_cost_no_read_of_the_store() {
    let app = hourly().await;
    app.store.clear_calls();
    let tokens = app.login("alice").await;
    for _ in 0..3 {
        assert_eq!(
            app.send(Req::get("/verify").access_cookie(&tokens))
                .await
                .status,
            200
        );
    }
    assert_eq!(app.store.count(Verb::SigningKeys), 0);

    let other = add_by_another_node(&app, START.after(MILLI)).await;
    app.advance_secs(1);
    for _ in 0..3 {
        assert_eq!(verify(&app, &immortal(&other)).await, 200);
        assert_eq!(app.store.count(Verb::SigningKeys), 1);
    }
}

/// Cases: S206.
#[tokio::test]
async fn forged_key_ids_cause_one_read_in_half_a_second() {
    let app = App::new().await;
    let key = stored_keys(&app, KeyKind::Dynamic).await.remove(0);
    app.store.clear_calls();
    let payload = claims("alice").to_string();
    let mut looks = Vec::new();
    for at in 0..15 {
        let kid = format!("d-{at}");
        let token = sign(&key, &header("5", &kid).to_string(), &payload);
        app.send(Req::get("/verify").bearer(&token))
            .await
            .is_try_refresh();
        looks.push(app.store.count(Verb::SigningKeys));
        app.advance(Duration::from_millis(100));
    }
    assert_eq!(looks, [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3]);
    // A real key is not locked out by the forged ones for longer than that.
    let other = add_by_another_node(&app, START.after(MILLI)).await;
    assert_eq!(verify(&app, &immortal(&other)).await, 200);
}

/// A look that failed says nothing about the key: until the next look, tokens of unknown keys are
/// 503 too.
///
/// Cases: S205.
#[tokio::test]
async fn a_failed_key_look_up_is_a_fault_and_not_a_verdict() {
    let app = App::new().await;
    let other = add_by_another_node(&app, START.after(MILLI)).await;
    app.advance_secs(1);
    app.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::SigningKeys));
    app.store.clear_calls();
    for path in ["/verify", "/verify-optional", "/verify"] {
        let answer = app.send(Req::get(path).bearer(&immortal(&other))).await;
        answer.is_message(503, "service unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(answer.has_no_token_headers(), "{answer:?}");
    }
    assert_eq!(app.store.calls(), [Verb::SigningKeys]);
    app.advance(Duration::from_millis(500));
    assert_eq!(verify(&app, &immortal(&other)).await, 200);
}

/// Cases: S205.
#[tokio::test]
async fn known_keys_verify_and_sign_without_the_store_until_they_retire() {
    let app = hourly().await;
    let tokens = app.login("alice").await;
    let own = stored_keys(&app, KeyKind::Dynamic).await.remove(0);
    let down = PlannedFault::new(StoreErrorKind::Unavailable).times(u32::MAX);
    app.store.plan(down);
    app.advance_secs(599);
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&tokens))
            .await
            .status,
        200
    );
    app.send(Req::get("/verify-db").access_cookie(&tokens))
        .await
        .is_message(503, "service unavailable");

    // No successor can be stored; the old key signs as long as its tokens can be verified to their
    // end.
    for age in [Duration::from_secs(3_541), HOUR, HOUR + 10 * MINUTE - MILLI] {
        app.clock.set(START.after(age));
        assert_eq!(signing_kid(&app).await, own.kid, "{age:?}");
        let answer = app.send(Req::get("/auth/jwt/jwks.json")).await;
        assert_eq!(
            answer.header("cache-control"),
            Some("max-age=1, must-revalidate")
        );
    }
    app.advance(MILLI);
    let error = app
        .sessions
        .create_jwt_with_dynamic_key(json!({}), MINUTE)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SessionError::Fault(fault) if fault.kind() == FaultKind::Unavailable),
        "{error}"
    );
    let answer = app.send(Req::get("/auth/jwt/jwks.json")).await;
    answer.is_message(503, "service unavailable");
    app.clock.set(START.after(HOUR + 20 * MINUTE));
    assert_eq!(verify(&app, &immortal(&own)).await, 200);

    app.store.heal();
    assert_ne!(signing_kid(&app).await, own.kid);
    assert_eq!(verify(&app, &immortal(&own)).await, 200);
    assert_eq!(kids(&app).await.len(), 3);
}
