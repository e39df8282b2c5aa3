//! Tokens that were verified before: what counts again each time.

use serde_json::json;
use supersession::store::{KeyKind, Store as _};
use supersession::{AppId, Clock as _, SecretText};

use super::keys::{HOUR, MINUTE};
use crate::support::{App, Req};

async fn status(app: &App, path: &str, tokens: &crate::support::Tokens) -> u16 {
    let answer = app.send(Req::get(path).access_cookie(tokens)).await;
    answer.status
}

#[tokio::test]
async fn a_seen_token_expires() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    assert_eq!(status(&app, "/verify", &tokens).await, 200);
    app.advance(HOUR);
    assert_eq!(status(&app, "/verify", &tokens).await, 401);
}

#[tokio::test]
async fn a_seen_token_of_a_revoked_session_is_refused_where_the_store_is_asked() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    assert_eq!(status(&app, "/verify-db", &tokens).await, 200);
    app.sessions.revoke_all_for_user("alice").await.unwrap();
    assert_eq!(status(&app, "/verify-db", &tokens).await, 401);
    // Without asking, an access token is good until it expires, seen or not.
    assert_eq!(status(&app, "/verify", &tokens).await, 200);
}

/// That the stored payload is the token's is noted once, and holds for that payload alone.
#[tokio::test]
async fn a_seen_token_is_replaced_once_another_payload_is_stored() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let ask = || app.send(Req::get("/verify-db").access_cookie(&tokens));
    for _ in 0..2 {
        assert!(ask().await.front_token().is_none());
    }
    for number in [1, 2] {
        let merged = app
            .sessions
            .merge_into_access_token_payload(tokens.handle.as_str(), json!({"number": number}));
        assert!(merged.await.unwrap().is_some());
        assert_eq!(ask().await.tokens().payload()["number"], number);
        let reissued = ask().await.tokens();
        assert_eq!(reissued.payload()["number"], number);
        let again = app.send(Req::get("/verify-db").access_cookie(&reissued));
        assert!(again.await.front_token().is_none());
    }
}

#[tokio::test]
async fn a_seen_token_does_not_outlive_its_key() {
    for cached_bytes in [0, 1_000_000] {
        let app = App::with(|builder| builder.verified_token_cache(cached_bytes)).await;
        let tokens = app.login("alice").await;
        assert_eq!(status(&app, "/verify", &tokens).await, 200);
        // The operator removes the key, as after a leak.
        let store = app.store.inner();
        let far_future = app.clock.now().after(1_000 * HOUR);
        let public = AppId::default();
        let deleted = store.delete_dynamic_keys(&public, far_future);
        assert_eq!(deleted.await.unwrap(), 1);
        // Whatever loads the keys next learns of it.
        app.advance(MINUTE);
        app.sessions.jwks().await.unwrap();
        assert_eq!(status(&app, "/verify", &tokens).await, 401);
    }
}

#[tokio::test]
async fn a_seen_token_does_not_outlive_a_key_that_is_replaced() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    assert_eq!(status(&app, "/verify", &tokens).await, 200);
    let store = app.store.inner();
    let keys = store.signing_keys(&AppId::default()).await.unwrap();
    let of = |kind| keys.iter().find(|key| key.kind == kind).unwrap().clone();
    let far_future = app.clock.now().after(1_000 * HOUR);
    let public = AppId::default();
    let deleted = store.delete_dynamic_keys(&public, far_future);
    deleted.await.unwrap();
    // The same id, other material.
    let mut replacement = of(KeyKind::Dynamic);
    replacement.key_pair = SecretText::new(of(KeyKind::Static).key_pair.expose());
    let added = store.add_dynamic_key(&public, &replacement, far_future);
    assert!(added.await.unwrap());
    app.advance(MINUTE);
    app.sessions.jwks().await.unwrap();
    assert_eq!(status(&app, "/verify", &tokens).await, 401);
}

#[tokio::test]
async fn anti_csrf_is_checked_for_seen_tokens_too() {
    let app = App::with(|builder| builder.anti_csrf(supersession::AntiCsrf::ViaToken)).await;
    let tokens = app.login("alice").await;
    assert_eq!(status(&app, "/verify", &tokens).await, 200);
    assert_eq!(status(&app, "/verify-csrf", &tokens).await, 401);
    let good = Req::get("/verify-csrf")
        .access_cookie(&tokens)
        .header("anti-csrf", tokens.anti_csrf.as_deref().unwrap());
    assert_eq!(app.send(good).await.status, 200);
    let wrong = Req::get("/verify-csrf")
        .access_cookie(&tokens)
        .header("anti-csrf", "wrong");
    assert_eq!(app.send(wrong).await.status, 401);
}
