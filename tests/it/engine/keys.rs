//! Signing keys through hours and days, on one node and on two (core specification, 4.1 to 4.4).

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use supersession::store::{KeyKind, MemoryStore, StoredKey};
use supersession::{AppId, Sessions, Store as _, UnixMillis};
use supersession_testkit::{FaultStore, Verb};

use super::foreign::{claims, header, sign};
use super::{START_SECS, stored_keys};
use crate::support::{App, Req, START, default_config};

pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const MILLI: Duration = Duration::from_millis(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// The key set of an app whose rotating keys live an hour, and whose access tokens live ten
/// minutes.
pub(super) async fn hourly() -> App {
    App::with(|builder| {
        builder
            .signing_key_update_interval(HOUR)
            .access_token_validity(10 * MINUTE)
    })
    .await
}

async fn hourly_node(app: &App) -> App {
    app.restarted_with(|builder| {
        builder
            .signing_key_update_interval(HOUR)
            .access_token_validity(10 * MINUTE)
    })
    .await
}

pub(super) async fn kids(app: &App) -> Vec<String> {
    let jwks = app.sessions.jwks().await.unwrap();
    jwks.keys.iter().map(|key| key.kid().to_owned()).collect()
}

async fn max_age(app: &App) -> u64 {
    app.sessions.jwks().await.unwrap().max_age.as_secs()
}

/// The id of the key that signs now.
pub(super) async fn signing_kid(app: &App) -> String {
    let jwt = app
        .sessions
        .create_jwt_with_dynamic_key(json!({}), MINUTE)
        .await
        .unwrap();
    super::segment(&jwt, 0)["kid"].as_str().unwrap().to_owned()
}

fn kid_at(span: Duration) -> String {
    format!("d-{}", START.after(span))
}

/// A token of this key that outlives every key.
pub(super) fn immortal(key: &StoredKey) -> String {
    let mut claims = claims("alice");
    claims["exp"] = json!(START_SECS + 10 * 365 * 86_400);
    sign(key, &header("5", &key.kid).to_string(), &claims.to_string())
}

pub(super) async fn verify(app: &App, token: &str) -> u16 {
    app.send(Req::get("/verify").bearer(token)).await.status
}

fn add(key: &StoredKey, created_at: UnixMillis) -> StoredKey {
    let mut key = key.clone();
    key.kid = format!("d-{created_at}");
    key.created_at = created_at;
    key
}

/// Puts a key into the store as another node would.
pub(super) async fn add_by_another_node(app: &App, created_at: UnixMillis) -> StoredKey {
    let key = add(&stored_keys(app, KeyKind::Dynamic).await[0], created_at);
    let app_id = AppId::default();
    assert!(
        app.store
            .inner()
            .add_dynamic_key(&app_id, &key, created_at)
            .await
            .unwrap()
    );
    key
}

/// Over an empty store: the keys are really made.
///
/// Cases: C86.
#[tokio::test]
async fn a_fresh_app_publishes_one_key_of_each_kind() {
    let store = FaultStore::new(MemoryStore::new());
    let sessions = default_config(Sessions::builder(store.clone()))
        .build()
        .await
        .unwrap();
    let jwks = serde_json::to_value(sessions.jwks().await.unwrap()).unwrap();
    assert_eq!(
        jwks.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["keys"]
    );
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for (key, prefix) in keys.iter().zip(["d-", "s-"]) {
        assert!(key["kid"].as_str().unwrap().starts_with(prefix), "{key}");
        assert_eq!(
            (&key["kty"], &key["alg"], &key["use"]),
            (&json!("RSA"), &json!("RS256"), &json!("sig"))
        );
        assert_eq!(key.as_object().unwrap().len(), 6, "{key}");
    }
    assert_ne!(keys[0]["n"], keys[1]["n"]);
    assert_eq!(
        [
            store.count(Verb::AddDynamicKey),
            store.count(Verb::AddStaticKey)
        ],
        [1, 1]
    );
}

/// Cases: C87.
#[tokio::test]
async fn the_key_set_may_be_cached_until_the_next_key_is_due() {
    let app = hourly().await;
    assert_eq!(max_age(&app).await, 3_540);
    app.advance(MILLI);
    assert_eq!(max_age(&app).await, 3_539);
    app.advance_secs(3_000);
    assert_eq!(max_age(&app).await, 539);
    app.clock.set(START.after(Duration::from_millis(3_538_500)));
    assert_eq!(max_age(&app).await, 1);
    app.clock.set(START.after(Duration::from_secs(3_540)));
    assert_eq!(max_age(&app).await, 1);
    assert_eq!(kids(&app).await.len(), 2);
    // The next key is made, and the count starts again.
    app.advance(MILLI);
    assert_eq!(max_age(&app).await, 3_540);
}

/// Cases: C88, C89, C91.
#[tokio::test]
async fn a_new_key_is_published_a_minute_before_it_signs() {
    let app = hourly().await;
    let old = kid_at(Duration::ZERO);
    let static_kid = stored_keys(&app, KeyKind::Static).await[0].kid.clone();
    assert_eq!(
        (signing_kid(&app).await, kids(&app).await),
        (old.clone(), vec![old.clone(), static_kid.clone()])
    );
    let first = app.login("alice").await;

    let due = Duration::from_millis(3_540_001);
    app.clock.set(START.after(due));
    let new = kid_at(due);
    let all = vec![new.clone(), old.clone(), static_kid];
    // Any use of the keys makes the successor, and the old one goes on signing.
    let second = app.login("alice").await;
    assert_eq!(stored_keys(&app, KeyKind::Dynamic).await.len(), 2);
    assert_eq!(kids(&app).await, all);
    app.clock.set(START.after(HOUR - MILLI));
    assert_eq!(signing_kid(&app).await, old);

    app.clock.set(START.after(HOUR));
    let third = app.login("alice").await;
    assert_eq!(kids(&app).await, all);
    let signers = [&first, &second, &third].map(|tokens| tokens.header()["kid"].clone());
    assert_eq!(signers, [json!(old), json!(old), json!(new)]);
    for tokens in [&second, &third] {
        assert_eq!(
            app.send(Req::get("/verify").access_cookie(tokens))
                .await
                .status,
            200
        );
    }
    assert_eq!(stored_keys(&app, KeyKind::Dynamic).await.len(), 2);
}

/// Cases: C90.
#[tokio::test]
async fn a_key_verifies_until_its_last_token_has_expired_and_is_then_deleted() {
    let app = hourly().await;
    let old = stored_keys(&app, KeyKind::Dynamic).await.remove(0);
    let token = immortal(&old);
    let lifetime = HOUR + 20 * MINUTE;
    for age in [Duration::ZERO, HOUR, HOUR + 10 * MINUTE, lifetime] {
        app.clock.set(START.after(age));
        assert_eq!(verify(&app, &token).await, 200, "{age:?}");
        assert!(kids(&app).await.contains(&old.kid), "{age:?}");
        app.sessions.delete_expired_sessions().await.unwrap();
        assert!(
            stored_keys(&app, KeyKind::Dynamic)
                .await
                .iter()
                .any(|key| key.kid == old.kid)
        );
    }
    app.advance(MILLI);
    app.send(Req::get("/verify").bearer(&token))
        .await
        .is_try_refresh();
    assert!(!kids(&app).await.contains(&old.kid));
    app.sessions.delete_expired_sessions().await.unwrap();
    let left = stored_keys(&app, KeyKind::Dynamic).await;
    assert!(!left.is_empty() && left.iter().all(|key| key.kid != old.kid));
    assert_eq!(stored_keys(&app, KeyKind::Static).await.len(), 1);
    app.advance_secs(1);
    app.send(Req::get("/verify").bearer(&token))
        .await
        .is_try_refresh();
}

/// Cases: C93.
#[tokio::test]
async fn keys_of_another_process_are_listed_once_they_are_seen() {
    let app = hourly().await;
    let own = stored_keys(&app, KeyKind::Dynamic).await.remove(0);
    let static_kid = stored_keys(&app, KeyKind::Static).await[0].kid.clone();
    let other = add_by_another_node(&app, START.after(MILLI)).await;
    let all = vec![other.kid.clone(), own.kid.clone(), static_kid];
    app.advance(MILLI);
    // A token of an unknown key makes the node look.
    assert_eq!(verify(&app, &immortal(&other)).await, 200);
    assert_eq!(kids(&app).await, all);

    // Without one, it looks in time before the other node uses its key.
    let another = add_by_another_node(&app, START.after(2 * MILLI)).await;
    app.advance_secs(30);
    assert_eq!(kids(&app).await, [vec![another.kid], all].concat());
}

/// Three hours in steps of half a minute, on two nodes: what signs was published everywhere a step
/// before; each rotation makes one key; every token verifies on the other node until it expires.
///
/// Cases: C45.
#[tokio::test]
async fn keys_rotate_without_a_gap_on_two_nodes() {
    let one = hourly().await;
    let two = hourly_node(&one).await;
    let mut published = [kids(&one).await, kids(&two).await];
    let mut alive: Vec<(UnixMillis, String)> = Vec::new();
    let mut signers = Vec::new();
    let step = MINUTE / 2;
    let mut now = START;
    while now < START.after(3 * HOUR) {
        for (node, other) in [(&one, &two), (&two, &one)] {
            let tokens = node.sessions.create("alice").await.unwrap().access_token();
            let kid = super::segment(tokens.expose(), 0)["kid"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(
                published.iter().all(|kids| kids.contains(&kid)),
                "{kid} at {now}"
            );
            assert_eq!(verify(other, tokens.expose()).await, 200);
            alive.push((now.after(10 * MINUTE), tokens.expose().to_owned()));
            if signers.last() != Some(&kid) {
                signers.push(kid);
            }
        }
        alive.retain(|(expires_at, _)| *expires_at > now);
        let (_, oldest) = &alive[0];
        assert_eq!(
            (verify(&one, oldest).await, verify(&two, oldest).await),
            (200, 200),
            "at {now}"
        );
        published = [kids(&one).await, kids(&two).await];
        assert_eq!(published[0], published[1]);
        one.sessions.delete_expired_sessions().await.unwrap();
        one.advance(step);
        now = now.after(step);
    }
    assert_eq!(signers.len(), 4, "{signers:?}");
}

/// All of them ask at the same moment, and every one that finds no young key makes one; only one
/// gets into the store.
///
/// Cases: C45.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_rotate_at_the_same_moment_agree_on_one_key() {
    let one = hourly().await;
    let two = hourly_node(&one).await;
    for rotation in 1..=2 {
        one.advance(HOUR);
        let tasks: Vec<_> = (0..64)
            .map(|at| {
                let node = if at % 2 == 0 {
                    one.clone()
                } else {
                    two.clone()
                };
                tokio::spawn(async move {
                    let session = node.sessions.create("alice").await.unwrap();
                    (
                        kids(&node).await,
                        session.access_token().expose().to_owned(),
                    )
                })
            })
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            let (kids, token) = task.await.unwrap();
            seen.push(kids);
            assert_eq!(
                (verify(&one, &token).await, verify(&two, &token).await),
                (200, 200)
            );
        }
        assert_eq!(
            stored_keys(&one, KeyKind::Dynamic).await.len(),
            1 + rotation
        );
        assert!(seen.iter().all(|kids| *kids == seen[0]), "{seen:?}");
    }
}

/// Cases: C94.
#[tokio::test]
async fn tokens_verify_with_the_published_keys_only() {
    for dynamic in [true, false] {
        let app = App::with(|builder| builder.use_dynamic_access_token_signing_key(dynamic)).await;
        let tokens = app.login("alice").await;
        let body = app.send(Req::get("/auth/jwt/jwks.json")).await.json();
        let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(body.clone()).unwrap();
        let kid = jsonwebtoken::decode_header(&tokens.access)
            .unwrap()
            .kid
            .unwrap();
        assert!(kid.starts_with(if dynamic { "d-" } else { "s-" }));
        let key = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        let token = jsonwebtoken::decode::<Value>(&tokens.access, &key, &validation).unwrap();
        assert_eq!(token.claims, tokens.payload());
        let altered = tokens.access.replacen('.', ".A", 1);
        assert!(jsonwebtoken::decode::<Value>(&altered, &key, &validation).is_err());

        let other = set
            .keys
            .iter()
            .find(|key| key.common.key_id.as_deref() != Some(kid.as_str()));
        let other = DecodingKey::from_jwk(other.unwrap()).unwrap();
        assert!(jsonwebtoken::decode::<Value>(&tokens.access, &other, &validation).is_err());

        for key in body["keys"].as_array().unwrap() {
            let modulus = decode(&key["n"]);
            assert_eq!(
                (modulus.len(), modulus[0] == 0, decode(&key["e"])),
                (256, false, vec![1, 0, 1])
            );
        }
    }
}

fn decode(number: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(number.as_str().unwrap())
        .unwrap()
}
