//! Weaknesses of the reference that this server does not have, as listed in `docs/server.md`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use supersession::Store as _;
use supersession::store::{MemoryStore, StoreErrorKind};
use supersession_server::ServiceOptions;
use supersession_testkit::{FaultStore, PlannedFault, Verb};

use crate::support::{
    Core, LEGACY, ROTATION, Reply, START, Session, claims, kid, new_session, seed_keys,
};

const RENEW: &str = "POST /recipe/session/regenerate";

/// The token with other claims and its original signature.
fn altered(token: &str, change: &Value) -> String {
    let mut says = claims(token);
    for (name, value) in change.as_object().unwrap() {
        says[name] = value.clone();
    }
    let parts: Vec<_> = token.split('.').collect();
    let says = URL_SAFE_NO_PAD.encode(says.to_string());
    format!("{}.{says}.{}", parts[0], parts[2])
}

#[tokio::test]
async fn weakness_1_no_token_is_minted_from_an_unsigned_token() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    let other = core
        .session_with(LEGACY, json!({ "userId": "admin" }))
        .await;
    for forged in [
        altered(made.access(), &json!({ "sub": "admin" })),
        altered(
            made.access(),
            &json!({ "sub": "admin", "rsub": "admin", "sessionHandle": other.handle() }),
        ),
        altered(made.access(), &json!({ "x": 1 })),
    ] {
        let body = json!({ "accessToken": forged, "userDataInJWT": { "role": "admin" } });
        let answer = core.ok(RENEW, LEGACY, body).await;
        assert_eq!(answer["status"], "UNAUTHORISED");
    }
    // An expired token is checked too, because its key still exists.
    let expired = altered(made.access(), &json!({ "exp": 1 }));
    let body = json!({ "accessToken": expired, "userDataInJWT": { "role": "admin" } });
    assert_eq!(core.ok(RENEW, LEGACY, body).await["status"], "UNAUTHORISED");
    let stolen = altered(
        made.access(),
        &json!({ "exp": 1, "sessionHandle": other.handle() }),
    );
    let body = json!({ "accessToken": stolen, "userDataInJWT": {} });
    assert_eq!(core.ok(RENEW, LEGACY, body).await["status"], "UNAUTHORISED");
}

/// Signs a JWT with the members of this session's token, but of another user.
async fn forged(core: &Core, made: &Session) -> Reply {
    let mut payload = claims(made.access());
    payload["sub"] = json!("admin");
    payload["rsub"] = json!("admin");
    let body =
        json!({ "algorithm": "RS256", "jwksDomain": "x", "payload": payload, "validity": 60 });
    core.call("POST /recipe/jwt", LEGACY, &body).await
}

#[tokio::test]
async fn weakness_2_the_jwt_recipe_signs_no_session_tokens_if_so_configured() {
    let store = FaultStore::new(MemoryStore::new());
    seed_keys(&store).await;
    let mut options = ServiceOptions::default();
    options.refuse_session_jwts = true;
    let core = Core::with_options(store, options).await.unwrap();
    let made = core.session(LEGACY).await;
    let refused = forged(&core, &made).await;
    let text = "The user payload contains protected field\n";
    assert_eq!((refused.status.as_u16(), &*refused.text), (400, text));
    // The same JWT, signed elsewhere with the same key, has no version.
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid(made.access()) });
    let unversioned = URL_SAFE_NO_PAD.encode(header.to_string());
    let (_, rest) = made.access().split_once('.').unwrap();
    let answer = core
        .verify(LEGACY, &format!("{unversioned}.{rest}"), false)
        .await;
    assert_eq!(answer["status"], "TRY_REFRESH_TOKEN");
}

/// A JWT with another user's id gives no access to a stored session.
#[tokio::test]
async fn weakness_2_a_session_jwt_of_another_user_fails_the_database_check() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    let signed: Value = serde_json::from_str(&forged(&core, &made).await.text).unwrap();
    let answer = core
        .verify(LEGACY, signed["jwt"].as_str().unwrap(), true)
        .await;
    assert_eq!(answer["status"], "UNAUTHORISED");
}

#[tokio::test]
async fn weakness_5_an_expired_session_is_rejected_before_it_is_deleted() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    let mut row = core.row(made.handle()).await.unwrap();
    let store = core.store.inner();
    store
        .delete_sessions(std::slice::from_ref(&row.key))
        .await
        .unwrap();
    row.expires_at = START.after(Duration::from_secs(1));
    store.insert_session(&row).await.unwrap();
    assert_eq!(
        core.verify(LEGACY, made.access(), true).await["status"],
        "OK"
    );
    core.advance(Duration::from_secs(1));
    for cdi in [LEGACY, ROTATION] {
        let answer = core.verify(cdi, made.access(), true).await;
        assert_eq!(answer["status"], "UNAUTHORISED");
    }
    assert_eq!(
        core.service.clean_up().await.unwrap().0,
        1,
        "the row was still there"
    );
}

#[tokio::test]
async fn weakness_7_errors_reveal_no_internals() {
    let core = Core::new().await;
    core.session(LEGACY).await;
    for (kind, status) in [
        (StoreErrorKind::Unavailable, 503),
        (StoreErrorKind::Internal, 500),
    ] {
        core.store
            .plan(PlannedFault::new(kind).on(Verb::InsertSession));
        let reply = core
            .call("POST /recipe/session", LEGACY, &new_session(&json!({})))
            .await;
        assert_eq!(reply.status, status);
        for inside in ["store:", "insert_session", "planned", "Error"] {
            assert!(!reply.text.contains(inside), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn weakness_8_concurrent_refreshes_sign_no_user_out() {
    let core = Arc::new(Core::new().await);
    let first = core.session(ROTATION).await;
    let mut tabs = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (core, token) = (Arc::clone(&core), first.refresh().to_owned());
        tabs.spawn(async move { core.refreshed(ROTATION, &token).await.refresh().to_owned() });
    }
    let mut answers = tabs.join_all().await;
    answers.dedup();
    assert_eq!(answers.len(), 1, "all got the same successor");
    core.refreshed(ROTATION, &answers[0]).await;
}

#[tokio::test]
async fn weakness_10_a_refresh_that_cannot_mint_changes_nothing() {
    let core = Core::new().await;
    let made = core
        .session_with("2.18", json!({ "userDataInJWT": { "sub": "x" } }))
        .await;
    let before = core.row(made.handle()).await.unwrap();
    let answer = core.refresh(ROTATION, made.refresh()).await;
    assert_eq!(answer["status"], "UNAUTHORISED");
    assert_eq!(core.row(made.handle()).await.unwrap(), before);
    let repair = json!({ "sessionHandle": made.handle(), "userDataInJWT": {} });
    core.ok("PUT /recipe/jwt/data", ROTATION, repair).await;
    core.refreshed(ROTATION, made.refresh()).await;
}

#[tokio::test]
async fn weakness_11_a_reuse_whose_session_cannot_be_revoked_is_a_fault() {
    let core = Core::with(json!({ "refresh_token_rotation_grace_period": 0 })).await;
    let first = core.session(ROTATION).await;
    core.refreshed(ROTATION, first.refresh()).await;
    core.advance(Duration::from_millis(10));
    core.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::DeleteSessions));
    let body = json!({ "refreshToken": first.refresh(), "enableAntiCsrf": false, "useDynamicSigningKey": true });
    let reply = core
        .call("POST /recipe/session/refresh", ROTATION, &body)
        .await;
    assert_eq!(reply.status, 503);
    let answer = core.refresh(ROTATION, first.refresh()).await;
    assert_eq!(answer["status"], "TOKEN_THEFT_DETECTED");
    assert!(core.row(first.handle()).await.is_none());
}

#[tokio::test]
async fn weakness_12_a_token_of_an_older_branch_is_not_extended() {
    let core = Core::with(json!({ "access_token_validity": 100 })).await;
    let first = core.session(LEGACY).await;
    let second = core.refreshed(LEGACY, first.refresh()).await;
    core.refreshed(LEGACY, second.refresh()).await;
    let put = json!({ "sessionHandle": first.handle(), "userDataInJWT": { "x": 1 } });
    core.ok("PUT /recipe/jwt/data", LEGACY, put).await;
    // A token of the previous branch: the stored payload is returned, without a token.
    let stale = core.verify(LEGACY, first.access(), true).await;
    assert!(stale.get("accessToken").is_none());
    assert_eq!(stale["session"]["userDataInJWT"], json!({ "x": 1 }));
    // A token of the current branch: the payload is new, the expiry is not.
    core.advance(Duration::from_secs(40));
    let live = core.verify(LEGACY, second.access(), true).await;
    assert_eq!(
        live["accessToken"]["expiry"],
        second.0["accessToken"]["expiry"]
    );
}

#[tokio::test]
async fn weakness_13_no_write_recreates_a_session() {
    let core = Arc::new(Core::new().await);
    for round in 0..20 {
        let made = core.session(LEGACY).await;
        let handle = made.handle().to_owned();
        let renew = json!({ "accessToken": made.access(), "userDataInJWT": { "n": round } });
        let data = json!({ "sessionHandle": handle, "userDataInDatabase": { "n": round } });
        let remove = json!({ "sessionHandles": [handle] });
        let calls = [
            (RENEW, renew),
            ("PUT /recipe/session/data", data),
            ("POST /recipe/session/remove", remove),
        ];
        let mut racing = tokio::task::JoinSet::new();
        for (call, body) in calls {
            let core = Arc::clone(&core);
            racing.spawn(async move { core.ok(call, LEGACY, body).await });
        }
        racing.join_all().await;
        assert!(core.row(&handle).await.is_none());
    }
}

/// Cases: C133.
#[tokio::test]
async fn weakness_14_no_metadata_update_is_lost_or_restores_a_removed_value() {
    let core = Arc::new(Core::new().await);
    for _ in 0..100 {
        let update = |member: &str| json!({ "userId": "u", "metadataUpdate": { member: 1 } });
        let mut racing = tokio::task::JoinSet::new();
        for member in ["a", "b"] {
            let (core, body) = (Arc::clone(&core), update(member));
            racing.spawn(async move { core.ok("PUT /recipe/user/metadata", LEGACY, body).await });
        }
        racing.join_all().await;
        let read = core.get("/recipe/user/metadata?userId=u", LEGACY).await;
        assert_eq!(read["metadata"], json!({ "a": 1, "b": 1 }));
        let remove = json!({ "userId": "u" });
        core.ok("POST /recipe/user/metadata/remove", LEGACY, remove.clone())
            .await;
        let after = core
            .ok("PUT /recipe/user/metadata", LEGACY, update("c"))
            .await;
        assert_eq!(after["metadata"], json!({ "c": 1 }));
        core.ok("POST /recipe/user/metadata/remove", LEGACY, remove)
            .await;
    }
}

#[tokio::test]
async fn weakness_15_and_24_many_handles_are_revoked_in_one_step() {
    let core = Arc::new(Core::new().await);
    let mut handles = Vec::new();
    for _ in 0..10 {
        handles.push(core.session(LEGACY).await.handle().to_owned());
    }
    handles.push(handles[0].clone());
    core.store.clear_calls();
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (core, body) = (Arc::clone(&core), json!({ "sessionHandles": handles }));
        racing.spawn(async move {
            let answer = core.ok("POST /recipe/session/remove", LEGACY, body).await;
            answer["sessionHandlesRevoked"].as_array().unwrap().len()
        });
    }
    let told: usize = racing.join_all().await.into_iter().sum();
    assert_eq!(told, 10, "each was told once, to one of the four");
    assert_eq!(core.store.calls(), [Verb::DeleteSessions; 4]);
}

#[tokio::test]
async fn weakness_16_17_and_18_two_processes_create_one_key_and_publish_it_before_it_signs() {
    use supersession_server::Limits;
    let config = json!({ "access_token_dynamic_signing_key_update_interval": 1 });
    let one = Core::with(config.clone()).await;
    let two = Core::over(one.store.clone(), config, "", Limits::Lifted)
        .await
        .unwrap();
    let keys = async |core: &Core| {
        let set = core.get("/.well-known/jwks.json", LEGACY).await;
        let keys = set["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let before = keys(&one).await;
    assert_eq!(keys(&two).await, before);
    // For both, a new key is due in the same millisecond.
    for core in [&one, &two] {
        core.advance(Duration::from_secs(3_541));
    }
    let (first, second) = tokio::join!(keys(&one), keys(&two));
    assert_eq!(first.len(), before.len() + 1);
    assert_eq!(first, second);
    for core in [&one, &two] {
        let signer = kid(core.session(LEGACY).await.access());
        assert!(before.contains(&signer), "the new key is published first");
    }
    // A static key is created once and never replaced.
    assert_eq!(first.iter().filter(|kid| kid.starts_with("s-")).count(), 1);
}

#[tokio::test]
async fn weakness_22_signing_with_the_static_key_does_not_access_the_store() {
    let core = Core::new().await;
    let body = json!({ "algorithm": "RS256", "jwksDomain": "x", "payload": {}, "validity": 60 });
    core.ok("POST /recipe/jwt", LEGACY, body.clone()).await;
    core.store.clear_calls();
    for _ in 0..10 {
        core.ok("POST /recipe/jwt", LEGACY, body.clone()).await;
    }
    assert!(core.store.calls().is_empty());
}

#[tokio::test]
async fn weakness_23_all_tenants_are_read_with_one_query() {
    let core = Core::new().await;
    for tenant in ["t1", "t2", "t3"] {
        core.tenant(tenant).await;
        let call = format!("POST /{tenant}/recipe/session");
        core.ok(&call, LEGACY, new_session(&json!({}))).await;
    }
    core.store.clear_calls();
    core.get("/recipe/session/user?userId=u", LEGACY).await;
    core.ok(
        "POST /recipe/session/remove",
        LEGACY,
        json!({ "userId": "u" }),
    )
    .await;
    assert_eq!(
        core.store.calls(),
        [Verb::UserSessionHandles, Verb::DeleteUserSessions]
    );
}

#[tokio::test]
async fn weakness_29_expired_sessions_are_deleted_in_batches() {
    let core =
        Core::with(json!({ "refresh_token_validity": 1, "access_token_validity": 10 })).await;
    let made = core.session(LEGACY).await;
    let row = core.row(made.handle()).await.unwrap();
    for number in 0..1_100 {
        let mut row = row.clone();
        row.key.handle = format!("copy-{number}").into();
        core.store.inner().insert_session(&row).await.unwrap();
    }
    core.advance(Duration::from_secs(60));
    core.store.clear_calls();
    assert_eq!(core.service.clean_up().await.unwrap().0, 1_101);
    assert_eq!(core.store.count(Verb::DeleteExpiredSessions), 3);
}
