//! What each verb costs: the table in the documentation of the crate, counted on the wire.

use std::net::IpAddr;

use supersession::store::{
    DocumentWrite, KeyKind, RotateOutcome, Rotation, SessionDocument, SessionUse, StoredKey,
};
use supersession::{AppId, SecretText, Store, UnixMillis, UserId};
use supersession_redis::RedisStore;

use crate::proxy::Proxy;
use crate::{NOW, insert, key, object, of_user, on_server, prefix, session};

/// Waits for the verb, and looks at what it sent.
macro_rules! costs {
    ($proxy:ident, $verb:expr, $round_trips:literal: $($command:literal)*) => {
        $proxy.take();
        $verb.await.unwrap();
        let seen = $proxy.take();
        let expected: &[&str] = &[$($command),*];
        assert_eq!(seen.commands, expected, "{}", stringify!($verb));
        assert_eq!(seen.round_trips, $round_trips, "{}", stringify!($verb));
    };
}

#[tokio::test]
async fn each_verb_costs_what_the_documentation_says() {
    let server = on_server!();
    let proxy = Proxy::to(server.port()).await;
    let store = RedisStore::options().url(proxy.url()).prefix(prefix());
    let store = store.open().await.unwrap();
    let (app, user) = (AppId::default(), UserId::from("user"));
    let old = session("h");
    let [data, payload] = [SessionDocument::SessionData, SessionDocument::Payload];
    let overwrite = DocumentWrite::Overwrite(object("{}"));
    let merge = DocumentWrite::Merge(object(r#"{"a":1}"#));
    let swap = DocumentWrite::CompareAndSwap {
        expected: object("{}"),
        replacement: object("{}"),
    };
    let next = Rotation::new(old.lineage.clone(), old.expires_at, KeyKind::Static);
    let mut used = SessionUse::new(key("h"), NOW);
    used.ip = Some(IpAddr::from([192, 0, 2, 1]));
    let signing = |kid: &str, kind| {
        StoredKey::new(kid.to_owned(), kind, NOW, SecretText::new("public|private"))
    };
    let secret = SecretText::new("1000:aa:bb");

    costs!(proxy, store.insert_session(&old), 1: "EVALSHA");
    costs!(proxy, store.session(&old.key, NOW), 1: "HMGET");
    costs!(proxy, store.session_status(&old.key, NOW), 1: "HMGET");
    let rotate = store.rotate(&old.key, &old.lineage, &old.payload, &next, NOW);
    costs!(proxy, rotate, 1: "EVALSHA");
    costs!(proxy, store.write_document(&old.key, data, &overwrite, NOW), 1: "EVALSHA");
    costs!(proxy, store.write_document(&old.key, data, &swap, NOW), 1: "EVALSHA");
    costs!(proxy, store.write_document(&old.key, payload, &merge, NOW), 2: "HMGET" "EVALSHA");
    costs!(proxy, store.record_uses(&[used.clone(), used], NOW), 1: "EVALSHA");
    costs!(proxy, store.set_device_label(&old.key, Some("x"), NOW), 1: "EVALSHA");
    insert(&store, "h2").await;
    insert(&store, "h3_t1").await;
    costs!(proxy, store.user_sessions(&of_user(), NOW), 2: "ZRANGE" "EVALSHA");
    costs!(proxy, store.user_session_handles(&of_user(), NOW), 2: "ZRANGE" "EVALSHA");
    costs!(proxy, store.delete_sessions(&[key("h"), key("h2")]), 2: "EVALSHA" "ZREM");
    costs!(proxy, store.delete_sessions(&[key("absent")]), 1: "EVALSHA");
    costs!(proxy, store.delete_user_sessions(&of_user(), NOW), 2: "ZRANGE" "EVALSHA");
    costs!(proxy, store.delete_user_sessions(&of_user(), NOW), 1: "ZRANGE");

    costs!(proxy, store.user_metadata(&app, &user), 1: "GET");
    costs!(proxy, store.write_user_metadata(&app, &user, &merge), 2: "GET" "EVALSHA");
    costs!(proxy, store.write_user_metadata(&app, &user, &overwrite), 1: "SET");
    costs!(proxy, store.write_user_metadata(&app, &user, &swap), 1: "EVALSHA");
    costs!(proxy, store.delete_user_metadata(&app, &user), 1: "DEL");

    costs!(proxy, store.check_ready(), 2: "EVALSHA" "EVALSHA");
    costs!(proxy, store.signing_keys(&app), 1: "HGETALL");
    costs!(proxy, store.add_dynamic_key(&app, &signing("d-1", KeyKind::Dynamic), NOW), 1: "EVALSHA");
    costs!(proxy, store.add_static_key(&app, &signing("s-1", KeyKind::Static)), 1: "EVALSHA");
    costs!(proxy, store.delete_dynamic_keys(&app, NOW), 1: "EVALSHA");
    costs!(proxy, store.refresh_token_key(&app, &secret, NOW), 1: "EVALSHA");
}

#[tokio::test]
async fn clearing_up_reads_each_bucket_once() {
    let server = on_server!();
    let proxy = Proxy::to(server.port()).await;
    let store = RedisStore::options().url(proxy.url()).prefix(prefix());
    let store = store.open().await.unwrap();
    insert(&store, "h").await;
    proxy.take();
    assert_eq!(store.delete_expired_sessions(NOW, 500).await.unwrap(), 0);
    assert_eq!(proxy.take().commands, ["ZRANGE"; 256]);
    let later = UnixMillis::new(NOW.get() + 1_000);
    assert_eq!(store.delete_expired_sessions(later, 500).await.unwrap(), 1);
    let mut commands = proxy.take().commands;
    commands.retain(|name| name != "ZRANGE");
    assert_eq!(commands, ["EVALSHA", "ZREM"]);
    assert_eq!(store.delete_expired_sessions(later, 0).await.unwrap(), 0);
    assert_eq!(proxy.take().commands, [""; 0]);
}

/// As the library uses it: a lost race costs one more round trip, not two.
#[tokio::test]
async fn a_rotation_that_came_too_late_is_told_so_in_one_round_trip() {
    let server = on_server!();
    let proxy = Proxy::to(server.port()).await;
    let store = RedisStore::options().url(proxy.url()).prefix(prefix());
    let store = store.open().await.unwrap();
    let old = session("h");
    insert(&store, "h").await;
    let next = Rotation::new(session("next").lineage, old.expires_at, KeyKind::Dynamic);
    for expected in [RotateOutcome::Rotated, RotateOutcome::Changed] {
        proxy.take();
        let outcome = store
            .rotate(&old.key, &old.lineage, &old.payload, &next, NOW)
            .await;
        assert_eq!(outcome.unwrap(), expected);
        assert_eq!(proxy.take().commands, ["EVALSHA"]);
    }
}
