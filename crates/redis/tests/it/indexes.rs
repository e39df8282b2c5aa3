//! What is kept beside the sessions, and that nothing stays behind.

use std::time::Duration;

use supersession::store::{
    DocumentWrite, KeyKind, Lineage, PreviousRefresh, RotateOutcome, Rotation,
};
use supersession::{AppId, RefreshHash2, RefreshToken, Store, UnixMillis, UserId};
use supersession_redis::RedisStore;
use supersession_testkit::servers::RedisServer;

use crate::{NOW, insert, key, object, of_user, on_server, prefix, session};

const DAY: u64 = 24 * 3_600_000;

async fn store(server: &RedisServer) -> (String, RedisStore) {
    let prefix = prefix();
    let options = RedisStore::options().url(server.url()).prefix(&prefix);
    (prefix, options.open().await.unwrap())
}

/// How many keys of a prefix there are, the version of the layout aside.
fn keys(server: &RedisServer, prefix: &str) -> usize {
    let count = server.ask(&format!("EVAL return(#redis.call('KEYS','{prefix}:*')) 0"));
    count.strip_prefix(':').unwrap().parse::<usize>().unwrap() - 1
}

fn ask(server: &RedisServer, command: &str) -> u64 {
    let answer = server.ask(command);
    answer.strip_prefix(':').unwrap().parse().unwrap()
}

/// The name of the only key of a kind.
fn name(server: &RedisServer, prefix: &str, kind: &str) -> String {
    server.ask(&format!(
        "EVAL return(redis.call('KEYS','{prefix}:{kind}:*')[1]) 0"
    ))
}

#[tokio::test]
async fn deletes_leave_nothing_behind() {
    let server = on_server!();
    let (prefix, store) = store(server).await;
    for handle in ["h1", "h2_t1", "h3"] {
        insert(&store, handle).await;
    }
    store.delete_sessions(&[key("h1")]).await.unwrap();
    store.delete_user_sessions(&of_user(), NOW).await.unwrap();
    assert_eq!(keys(server, &prefix), 0);
}

#[tokio::test]
async fn clearing_up_leaves_nothing_behind() {
    let server = on_server!();
    let (prefix, store) = store(server).await;
    for number in 0..20 {
        insert(&store, &format!("h{number}")).await;
    }
    let later = UnixMillis::new(NOW.get() + 1_000);
    assert_eq!(store.delete_expired_sessions(later, 100).await.unwrap(), 20);
    assert_eq!(keys(server, &prefix), 0);
}

/// The server may have dropped the session by itself; its entries are cleared all the same.
#[tokio::test]
async fn clearing_up_finds_what_the_server_has_dropped() {
    let server = on_server!();
    let (prefix, store) = store(server).await;
    insert(&store, "h").await;
    let session = name(server, &prefix, "session");
    assert_eq!(ask(server, &format!("DEL {session}")), 1);
    let later = UnixMillis::new(NOW.get() + 1_000);
    assert_eq!(store.delete_expired_sessions(later, 100).await.unwrap(), 1);
    assert_eq!(keys(server, &prefix), 0);
}

#[tokio::test]
async fn reading_takes_entries_out_whose_sessions_are_gone() {
    let server = on_server!();
    let (prefix, store) = store(server).await;
    insert(&store, "h").await;
    let (session, index) = (
        name(server, &prefix, "session"),
        name(server, &prefix, "user"),
    );
    assert_eq!(ask(server, &format!("DEL {session}")), 1);
    assert_eq!(ask(server, &format!("ZCARD {index}")), 1);
    assert!(
        store
            .user_session_handles(&of_user(), NOW)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(ask(server, &format!("ZCARD {index}")), 0);
}

/// What names an earlier session of the same handle does not name this one.
#[tokio::test]
async fn an_old_entry_neither_lists_nor_deletes_a_new_session() {
    let server = on_server!();
    let (prefix, store) = store(server).await;
    insert(&store, "h").await;
    let keyed = name(server, &prefix, "session");
    assert_eq!(ask(server, &format!("DEL {keyed}")), 1);
    let mut theirs = session("h");
    theirs.user_id = UserId::from("other");
    store.insert_session(&theirs).await.unwrap();
    assert!(
        store
            .delete_user_sessions(&of_user(), NOW)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .user_sessions(&of_user(), NOW)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), Some(theirs));
}

#[tokio::test]
async fn the_server_keeps_a_session_for_its_life_and_a_margin() {
    let server = on_server!();
    let (prefix, store) = store(server).await;
    insert(&store, "h").await;
    let name = name(server, &prefix, "session");
    let left = ask(server, &format!("PTTL {name}"));
    assert!((DAY - 60_000..=DAY + 1_000).contains(&left), "{left}");
    let next = Rotation::new(
        Lineage::new(
            RefreshHash2::of(&RefreshToken::new("next")),
            Some(PreviousRefresh::new(session("h").lineage.current, NOW)),
        ),
        UnixMillis::new(NOW.get() + DAY),
        KeyKind::Dynamic,
    );
    let old = session("h");
    let outcome = store
        .rotate(&old.key, &old.lineage, &old.payload, &next, NOW)
        .await;
    assert_eq!(outcome.unwrap(), RotateOutcome::Rotated);
    let left = ask(server, &format!("PTTL {name}"));
    assert!((2 * DAY - 60_000..=2 * DAY).contains(&left), "{left}");
    // Clearing up knows of the new end too.
    let later = UnixMillis::new(NOW.get() + 2_000);
    assert_eq!(store.delete_expired_sessions(later, 100).await.unwrap(), 0);
    assert!(store.session(&key("h"), later).await.unwrap().is_some());
}

#[tokio::test]
async fn the_margin_can_be_chosen() {
    let server = on_server!();
    let prefix = prefix();
    let options = RedisStore::options().url(server.url()).prefix(&prefix);
    let store = options.expiry_margin(Duration::ZERO).open().await.unwrap();
    insert(&store, "h").await;
    let name = name(server, &prefix, "session");
    assert!(ask(server, &format!("PTTL {name}")) <= 1_000);
}

#[tokio::test]
async fn metadata_and_keys_are_kept_for_ever() {
    let server = on_server!();
    let (prefix, store) = store(server).await;
    let write = DocumentWrite::Merge(object(r#"{"a":1}"#));
    let (app, user) = (AppId::default(), UserId::from("user"));
    store
        .write_user_metadata(&app, &user, &write)
        .await
        .unwrap();
    let candidate = supersession::SecretText::new("1000:aa:bb");
    store
        .refresh_token_key(&app, &candidate, NOW)
        .await
        .unwrap();
    for kind in ["metadata", "refresh-token-key"] {
        let name = name(server, &prefix, kind);
        assert_eq!(server.ask(&format!("PTTL {name}")), ":-1");
    }
}
