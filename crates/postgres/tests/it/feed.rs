//! The revocation feed over LISTEN and NOTIFY.

use std::time::Duration;

use supersession::Store;

use crate::proxy::Proxy;
use supersession_postgres::PostgresStore;

use crate::{NOW, Place, connect, insert, key, server};

#[tokio::test]
async fn every_node_hears_of_what_any_of_them_deletes() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let (one, two) = (place.store().await, place.store().await);
    let mut hearing = two.revocation_feed().await.unwrap().unwrap();
    insert(&one, "h").await;
    one.delete_sessions(&[key("h")]).await.unwrap();
    assert_eq!(hearing.next().await, Some(key("h")));
}

#[tokio::test]
async fn a_delete_that_is_rolled_back_is_not_told() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let store = place.store().await;
    insert(&store, "h").await;
    insert(&store, "marker").await;
    let mut feed = store.revocation_feed().await.unwrap().unwrap();
    // Whoever makes the delete fail after it has told: a trigger at the end of the transaction.
    let other = place.connection().await;
    other
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
                AS 'BEGIN RAISE EXCEPTION ''no''; END';
             CREATE CONSTRAINT TRIGGER refuse AFTER DELETE ON session_info
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                WHEN (OLD.session_handle = 'h') EXECUTE FUNCTION refuse()",
        )
        .await
        .unwrap();
    store.delete_sessions(&[key("h")]).await.unwrap_err();
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    store.delete_sessions(&[key("marker")]).await.unwrap();
    assert_eq!(feed.next().await, Some(key("marker")));
}

#[tokio::test]
async fn tables_of_other_schemas_are_not_heard() {
    let Some(server) = server() else { return };
    let (place, elsewhere) = (Place::new(server), Place::new(server));
    let (store, other) = (place.store().await, elsewhere.store().await);
    let mut feed = store.revocation_feed().await.unwrap().unwrap();
    insert(&other, "theirs").await;
    insert(&store, "ours").await;
    other.delete_sessions(&[key("theirs")]).await.unwrap();
    store.delete_sessions(&[key("ours")]).await.unwrap();
    assert_eq!(feed.next().await, Some(key("ours")));
}

#[tokio::test]
async fn all_feeds_of_a_store_share_one_connection() {
    let Some(server) = server() else { return };
    let proxy = Proxy::before(server).await;
    let options = Place::new(server).options().url(proxy.url(server));
    let store = options.open().await.unwrap();
    let before = proxy.connections();
    let feeds = [
        store.revocation_feed().await.unwrap(),
        store.revocation_feed().await.unwrap(),
        store.clone().revocation_feed().await.unwrap(),
    ];
    assert!(feeds.iter().all(Option::is_some));
    assert_eq!(proxy.connections() - before, 1);
}

#[tokio::test]
async fn a_feed_ends_with_its_connection_and_a_new_one_begins() {
    let Some(server) = server() else { return };
    let proxy = Proxy::before(server).await;
    let options = Place::new(server).options().url(proxy.url(server));
    let store = options.open().await.unwrap();
    insert(&store, "h").await;
    let mut feed = store.revocation_feed().await.unwrap().unwrap();
    proxy.cut();
    assert_eq!(feed.next().await, None);
    let mut feed = store.revocation_feed().await.unwrap().unwrap();
    store.delete_sessions(&[key("h")]).await.unwrap();
    assert_eq!(feed.next().await, Some(key("h")));
}

#[tokio::test]
async fn a_feed_ends_if_the_server_is_silent() {
    let Some(server) = server() else { return };
    let proxy = Proxy::before(server).await;
    let store = Place::new(server)
        .options()
        .url(proxy.url(server))
        .feed_check_interval(Duration::from_millis(50))
        .open()
        .await
        .unwrap();
    let mut feed = store.revocation_feed().await.unwrap().unwrap();
    proxy.freeze();
    assert_eq!(feed.next().await, None);
}

#[tokio::test]
async fn a_notice_that_makes_no_sense_counts_as_a_gap() {
    let Some(server) = server() else { return };
    // Channels belong to a database, so this one disturbs no other test.
    let other = connect(&server.url()).await;
    other
        .batch_execute("CREATE DATABASE nonsense")
        .await
        .unwrap();
    let url = server.url().replace("/postgres", "/nonsense");
    let store = PostgresStore::open(&url).await.unwrap();
    let mut feed = store.revocation_feed().await.unwrap().unwrap();
    let listening = "SELECT query FROM pg_stat_activity
        WHERE datname = 'nonsense' AND query LIKE 'LISTEN%'";
    let row = other.query_one(listening, &[]).await.unwrap();
    let notify = row.get::<_, String>(0).replace("LISTEN", "NOTIFY");
    let other = connect(&url).await;
    other
        .batch_execute(&format!("{notify}, 'nonsense'"))
        .await
        .unwrap();
    assert_eq!(feed.next().await, None);
}

#[tokio::test]
async fn without_a_connection_of_its_own_there_is_no_feed() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let silent = place.options().revocation_feed(false).open().await.unwrap();
    assert!(silent.revocation_feed().await.unwrap().is_none());
    let store = place.store().await;
    let mut feed = store.revocation_feed().await.unwrap().unwrap();
    insert(&silent, "quiet").await;
    insert(&silent, "marker").await;
    silent.delete_sessions(&[key("quiet")]).await.unwrap();
    store.delete_sessions(&[key("marker")]).await.unwrap();
    assert_eq!(feed.next().await, Some(key("marker")));
    drop((store, silent));
    assert_eq!(feed.next().await, None, "its store is gone");
}
