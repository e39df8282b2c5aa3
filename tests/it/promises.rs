//! The promises that concern many callers at once, on each store.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::json;
use supersession::store::MemoryStore;
use supersession::{
    AntiCsrfInput, RefreshRules, RefreshToken, SessionError, Sessions, Store, VerifyOptions,
};
use supersession_postgres::PostgresStore;
use supersession_redis::RedisStore;
use supersession_sqlite::SqliteStore;
use supersession_testkit::servers::{PostgresServer, RedisServer};
use tokio::task::JoinSet;

use crate::support::{START, capture, default_config, seed_keys};

/// Thirty-two requests bring the access token of a refresh at once, and one of them is the first.
async fn one_confirmation(sessions: Sessions) {
    let session = sessions.create("alice").await.unwrap();
    let first = session.all_session_tokens_dangerously();
    let refresh = async |token: &RefreshToken| {
        let refreshed = sessions
            .refresh_session(token, AntiCsrfInput::Disabled)
            .await;
        refreshed.map(|session| session.all_session_tokens_dangerously())
    };
    let first_refresh = first.refresh_token.unwrap();
    // An answer is lost, and the token is used again.
    refresh(&first_refresh).await.unwrap();
    let second = refresh(&first_refresh).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (sessions, token) = (sessions.clone(), second.access_token.clone());
        tasks.spawn(async move {
            let options = VerifyOptions::new();
            let verified = sessions.verify_access_token(&token, None, &options).await;
            verified.unwrap().unwrap().all_session_tokens_dangerously()
        });
    }
    for tokens in tasks.join_all().await {
        assert!(tokens.access_and_front_token_updated);
        assert_ne!(tokens.access_token.expose(), second.access_token.expose());
        let options = VerifyOptions::new();
        let again = sessions
            .verify_access_token(&tokens.access_token, None, &options)
            .await
            .unwrap()
            .unwrap();
        let again = again.all_session_tokens_dangerously();
        assert!(!again.access_and_front_token_updated);
    }
    // The child has replaced its parent, and is in use.
    let third = refresh(&second.refresh_token.unwrap()).await.unwrap();
    let error = refresh(&first_refresh).await.unwrap_err();
    assert!(
        matches!(error, SessionError::TokenTheftDetected(_)),
        "{error:?}"
    );
    let gone = refresh(&third.refresh_token.unwrap()).await.unwrap_err();
    assert!(matches!(gone, SessionError::Unauthorised(_)), "{gone:?}");
}

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: u64,
}

async fn sessions(store: impl Store, rules: RefreshRules) -> Sessions {
    capture::install();
    seed_keys(&store, START).await;
    default_config(Sessions::builder(store))
        .refresh_rules(rules)
        .build()
        .await
        .unwrap()
}

async fn sqlite() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("sessions.db"))
        .await
        .unwrap();
    (folder, store)
}

/// On the shared server, under a prefix of its own; `None` if there is no server.
async fn redis(prefix: &str) -> Option<RedisStore> {
    let options = RedisStore::options().url(RedisServer::shared()?.url());
    Some(options.prefix(prefix).open().await.unwrap())
}

/// In a schema of its own; `None` if PostgreSQL is not installed, which was said.
async fn postgres(schema: &str) -> Option<PostgresStore> {
    let options = PostgresStore::options().url(PostgresServer::shared()?.url());
    Some(options.schema(schema).open().await.unwrap())
}

/// Runs one test body on each store.
macro_rules! on_each_store {
    ($($name:ident => $body:path, $rules:ident;)*) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    $body(super::sessions(super::MemoryStore::new(), super::RefreshRules::$rules).await).await;
                }
            )*
        }
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    let (_folder, store) = super::sqlite().await;
                    $body(super::sessions(store, super::RefreshRules::$rules).await).await;
                }
            )*
        }
        mod redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    if let Some(store) = super::redis(stringify!($name)).await {
                        $body(super::sessions(store, super::RefreshRules::$rules).await).await;
                    }
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    if let Some(store) = super::postgres(stringify!($name)).await {
                        $body(super::sessions(store, super::RefreshRules::$rules).await).await;
                    }
                }
            )*
        }
    };
}

on_each_store! {
    sixty_four_tasks_lose_no_increment => super::sixty_four_tasks_lose_no_increment, Rotation;
    merges_of_different_keys_all_survive => super::merges_of_different_keys_all_survive, Rotation;
    a_revoke_wins_over_all_writers_and_nothing_comes_back => super::a_revoke_wins, Rotation;
    thirty_two_refreshes_of_one_token_have_one_successor => super::one_successor, Rotation;
    metadata_loses_no_first_update => super::metadata_loses_no_first_update, Rotation;
    the_first_uses_of_a_refresh_confirm_it_once => super::one_confirmation, Legacy;
}

async fn sixty_four_tasks_lose_no_increment(sessions: Sessions) {
    const TASKS: u64 = 64;
    const STEPS: u64 = 200;
    let session = sessions.create("alice").await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let session = session.clone();
        tasks.spawn(async move {
            for _ in 0..STEPS {
                session
                    .modify_session_data(|counter: &mut Counter| counter.count += 1)
                    .await
                    .unwrap();
            }
        });
    }
    tasks.join_all().await;
    let counter: Counter = session.session_data().await.unwrap();
    assert_eq!(counter.count, TASKS * STEPS);
}

async fn merges_of_different_keys_all_survive(sessions: Sessions) {
    const TASKS: usize = 100;
    let session = sessions.create("alice").await.unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let session = session.clone();
        tasks.spawn(async move {
            session
                .merge_session_data(json!({ (format!("k{task}")): task }))
                .await
                .unwrap();
            session
                .merge_into_access_token_payload(json!({ (format!("p{task}")): task }))
                .await
                .unwrap();
        });
    }
    tasks.join_all().await;
    let stored = session.information().await.unwrap();
    assert_eq!(stored.session_data.keys().len(), TASKS);
    // The issuer is there too.
    assert_eq!(stored.access_token_payload.keys().len(), TASKS + 1);
}

async fn a_revoke_wins(sessions: Sessions) {
    let session = sessions.create("alice").await.unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (session, done) = (session.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            // Until somebody ends the session, and then not once more.
            while session
                .modify_session_data(|counter: &mut Counter| counter.count += 1)
                .await
                .is_ok()
            {
                done.fetch_add(1, Ordering::SeqCst);
            }
            assert!(
                session
                    .merge_session_data(json!({"back": true}))
                    .await
                    .is_err()
            );
            assert!(
                session
                    .update_session_data(&json!({"back": true}))
                    .await
                    .is_err()
            );
            assert!(
                session
                    .merge_into_access_token_payload(json!({"back": true}))
                    .await
                    .is_err()
            );
        });
    }
    while done.load(Ordering::SeqCst) < 200 {
        tokio::task::yield_now().await;
    }
    assert!(sessions.revoke(session.handle()).await.unwrap());
    let refresh_token = session
        .all_session_tokens_dangerously()
        .refresh_token
        .unwrap();
    assert!(
        sessions
            .refresh_session(&refresh_token, AntiCsrfInput::Disabled)
            .await
            .is_err()
    );
    tasks.join_all().await;
    assert!(
        sessions
            .information(session.handle())
            .await
            .unwrap()
            .is_none()
    );
    assert!(sessions.handles_for_user("alice").await.unwrap().is_empty());
    assert!(!sessions.revoke(session.handle()).await.unwrap());
}

async fn one_successor(sessions: Sessions) {
    let session = sessions.create("alice").await.unwrap();
    let refresh_token = session
        .all_session_tokens_dangerously()
        .refresh_token
        .unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (sessions, refresh_token) = (sessions.clone(), refresh_token.clone());
        tasks.spawn(async move {
            let refreshed = sessions
                .refresh_session(&refresh_token, AntiCsrfInput::Disabled)
                .await
                .unwrap();
            refreshed
                .all_session_tokens_dangerously()
                .refresh_token
                .unwrap()
                .expose()
                .to_owned()
        });
    }
    let successors: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(successors.len(), 1);
    let successor = RefreshToken::new(successors.into_iter().next().unwrap());
    sessions
        .refresh_session(&successor, AntiCsrfInput::Disabled)
        .await
        .unwrap();
    assert_eq!(sessions.handles_for_user("alice").await.unwrap().len(), 1);
}

async fn metadata_loses_no_first_update(sessions: Sessions) {
    for round in 0..100 {
        let user = format!("user-{round}");
        let metadata = sessions.user_metadata();
        let (a, b) = tokio::join!(
            metadata.update(&user, json!({"a": 1})),
            metadata.update(&user, json!({"b": 2}))
        );
        a.unwrap();
        b.unwrap();
        let merged: serde_json::Value = metadata.get(&user).await.unwrap();
        assert_eq!(merged, json!({"a": 1, "b": 2}));
    }
}
