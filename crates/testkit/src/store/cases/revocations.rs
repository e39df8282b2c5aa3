use std::collections::BTreeSet;

use supersession::store::SessionKey;

use crate::store::fixtures::*;

/// Reads the feed until it has reported all of `expected`, in any order, because a store with
/// several servers need not preserve the order. Such a store may also report the session `before`
/// late.
///
/// # Panics
/// If the feed reports anything else, or closes early.
async fn hear(revocations: &mut supersession::store::RevocationFeed, expected: &[SessionKey]) {
    let mut missing: BTreeSet<_> = expected.iter().collect();
    while !missing.is_empty() {
        let told = revocations.next().await.unwrap();
        let ended = expected.contains(&told) || told == key("before");
        assert!(ended, "{told:?} did not end");
        missing.remove(&told);
    }
}

/// Deletes a marker session, which the feed reports after everything before it.
async fn mark(store: &SharedStore) -> SessionKey {
    insert(store, &session_of("marker", "marker")).await;
    let marker = key("marker");
    let deleted = store.delete_sessions(std::slice::from_ref(&marker)).await;
    assert_eq!(deleted.unwrap(), std::slice::from_ref(&marker));
    marker
}

pub async fn a_feed_tells_what_is_deleted(store: SharedStore) {
    for handle in ["before", "h1", "h2_t1", "h3", "h4"] {
        insert(&store, &session(handle)).await;
    }
    store.delete_sessions(&[key("before")]).await.unwrap();
    let mut revocations = store.revocation_feed().await.unwrap().unwrap();
    let keys = [key("h1"), key("absent"), key("h2_t1")];
    store.delete_sessions(&keys).await.unwrap();
    let mut selection = sessions_of("user");
    selection.except = Some(key("h4").handle);
    store.delete_user_sessions(&selection, NOW).await.unwrap();
    let marker = mark(&store).await;
    hear(
        &mut revocations,
        &[key("h1"), key("h2_t1"), key("h3"), marker],
    )
    .await;
}

pub async fn every_feed_tells_everything(store: SharedStore) {
    insert(&store, &session("h")).await;
    let mut first = store.revocation_feed().await.unwrap().unwrap();
    let mut second = store.revocation_feed().await.unwrap().unwrap();
    drop(store.revocation_feed().await.unwrap().unwrap());
    store.delete_sessions(&[key("h")]).await.unwrap();
    let marker = mark(&store).await;
    let expected = [key("h"), marker];
    hear(&mut first, &expected).await;
    hear(&mut second, &expected).await;
}

pub async fn a_feed_tells_the_scope(store: SharedStore) {
    let elsewhere = SessionKey {
        app: app("a1"),
        tenant: tenant("t1"),
        ..key("h")
    };
    let mut there = session("h");
    there.key = elsewhere.clone();
    insert(&store, &there).await;
    let mut revocations = store.revocation_feed().await.unwrap().unwrap();
    store
        .delete_sessions(std::slice::from_ref(&elsewhere))
        .await
        .unwrap();
    assert_eq!(revocations.next().await, Some(elsewhere));
}

pub async fn a_feed_keeps_up_with_many_revocations(store: SharedStore) {
    let keys: Vec<_> = (0..2_000).map(|n| key(&format!("h{n:04}"))).collect();
    for key in &keys {
        let mut session = session("h");
        session.key = key.clone();
        insert(&store, &session).await;
    }
    let mut revocations = store.revocation_feed().await.unwrap().unwrap();
    store
        .delete_user_sessions(&sessions_of("user"), NOW)
        .await
        .unwrap();
    let marker = mark(&store).await;
    let mut expected = keys;
    expected.push(marker);
    hear(&mut revocations, &expected).await;
}
