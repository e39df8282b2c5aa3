//! Verbs are called in odd places, and given up at odd times.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use supersession::Store;
use supersession::store::{DocumentWrite, SessionDocument, StoreErrorKind};

use crate::proxy::Proxy;
use crate::{NOW, Place, insert, key, kind_of, object, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_need_no_runtime_where_they_are_called() {
    let Some(server) = server() else { return };
    let store = Place::new(server).store().await;
    insert(&store, "h").await;
    let there = store.clone();
    let on_a_plain_thread = std::thread::spawn(move || {
        pollster::block_on(async {
            assert!(there.session(&key("h"), NOW).await.unwrap().is_some());
            assert!(there.revocation_feed().await.unwrap().is_some());
            there.delete_sessions(&[key("h")]).await.unwrap().len()
        })
    });
    let deleted = tokio::task::spawn_blocking(move || on_a_plain_thread.join().unwrap());
    assert_eq!(deleted.await.unwrap(), 1);
    // Another runtime, with neither I/O nor time, as the one that happens to poll.
    insert(&store, "h").await;
    let elsewhere = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let found = runtime.unwrap().block_on(store.session(&key("h"), NOW));
        found.unwrap().is_some()
    });
    assert!(elsewhere.await.unwrap());
}

#[test]
fn after_its_runtime_has_ended_the_store_is_unavailable() {
    let Some(server) = server() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(Place::new(server).store());
    drop(runtime);
    let outcome = pollster::block_on(store.session(&key("h"), NOW));
    assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
}

/// Polls the verb once, when its statement is on its way at the earliest, and drops it. Tells
/// whether that gave it up; on a busy machine the answer may be there before the poll is over.
fn begin<T>(verb: impl Future<Output = T>) -> bool {
    let mut verb = pin!(verb);
    let poll = verb.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    matches!(poll, Poll::Pending)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_verb_that_is_given_up_is_done_or_not_and_spoils_nothing() {
    let Some(server) = server() else { return };
    let options = Place::new(server).options().pool_size(2);
    let store = options.open().await.unwrap();
    insert(&store, "h").await;
    let mut given_up = 0;
    for n in 1..=50 {
        let merge = DocumentWrite::Merge(object(&format!(r#"{{"a":{n},"b":{n}}}"#)));
        let candidate = supersession::SecretText::new("candidate");
        let app = supersession::AppId::from_stored(&format!("app{n}"));
        let document = SessionDocument::SessionData;
        let key_pair = supersession::store::StoredKey::new(
            "s-1".to_owned(),
            supersession::store::KeyKind::Static,
            NOW,
            candidate.clone(),
        );
        let dropped = [
            begin(store.write_document(&key("h"), document, &merge, NOW)),
            begin(store.refresh_token_key(&app, &candidate, NOW)),
            begin(store.add_static_key(&app, &key_pair)),
        ];
        given_up += dropped.into_iter().filter(|given_up| *given_up).count();
        // Whoever comes next on the same connections gets answers of their own.
        let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
        assert_eq!(found.key, key("h"));
        let data = found.session_data;
        let member = |name| data.get_as::<u64>(name).unwrap();
        assert_eq!(member("a"), member("b"), "{data}");
    }
    assert!(given_up > 100, "{given_up} of 150 were given up");
    // And no transaction was left open, of this store or another; other programs may have theirs.
    let other = Place::new(server).connection().await;
    let settled = async {
        let busy = "SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'supersession' AND state LIKE 'idle in transaction%'
                AND now() - state_change > '1 second'";
        other.query_one(busy, &[]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(settled.await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verb_that_timed_out_leaves_no_answer_to_the_next() {
    let Some(server) = server() else { return };
    let proxy = Proxy::before(server).await;
    let store = Place::new(server)
        .options()
        .url(proxy.url(server))
        .pool_size(1)
        .verb_timeout(Duration::from_millis(300))
        .open()
        .await
        .unwrap();
    insert(&store, "one").await;
    insert(&store, "two").await;
    proxy.freeze();
    let outcome = store.session(&key("one"), NOW).await;
    assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
    proxy.thaw();
    let found = store.session(&key("two"), NOW).await.unwrap().unwrap();
    assert_eq!(found.key, key("two"));
}
