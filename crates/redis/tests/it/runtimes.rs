//! Verbs that are waited for in odd places, or not to their end.

use std::task::{Context, Waker};

use supersession::Store;
use supersession::store::DocumentWrite;
use supersession::store::{SessionDocument, StoreErrorKind, WriteOutcome};
use supersession_redis::{OpenErrorKind, RedisStore};

use crate::{NOW, insert, key, object, of_user, on_server, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_thread_can_wait_for_verbs() {
    let server = on_server!();
    let store = options(server).open().await.unwrap();
    let thread = std::thread::spawn(move || {
        pollster::block_on(async {
            insert(&store, "h").await;
            assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
            let write = DocumentWrite::Merge(object(r#"{"a":1}"#));
            let document = SessionDocument::SessionData;
            let outcome = store.write_document(&key("h"), document, &write, NOW).await;
            assert_eq!(
                outcome.unwrap(),
                WriteOutcome::Written(object(r#"{"a":1}"#))
            );
            assert_eq!(store.delete_expired_sessions(NOW, 10).await.unwrap(), 0);
            let mut revocations = store.revocation_feed().await.unwrap().unwrap();
            store.delete_user_sessions(&of_user(), NOW).await.unwrap();
            assert_eq!(revocations.next().await, Some(key("h")));
        });
    });
    tokio::task::spawn_blocking(move || thread.join())
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn another_runtime_can_wait_for_verbs() {
    let server = on_server!();
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (opened_in, other) = (
        runtime(),
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap(),
    );
    let store = opened_in.block_on(options(server).open()).unwrap();
    other.block_on(async {
        insert(&store, "h").await;
        assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    });
    drop(opened_in);
    let error = other.block_on(store.session(&key("h"), NOW)).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[test]
fn opening_outside_a_runtime_is_refused() {
    let opening = RedisStore::open("redis://127.0.0.1:1");
    let error = pollster::block_on(opening).unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::NoRuntime);
}

/// Drops each future after its first step, in which it has sent nothing or something.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verb_that_is_dropped_is_done_whole_and_disturbs_nobody() {
    let server = on_server!();
    let store = options(server).open().await.unwrap();
    insert(&store, "h").await;
    for number in 0..200 {
        let write = DocumentWrite::Merge(object(&format!(r#"{{"m{number}":1}}"#)));
        let key = key("h");
        let mut verb = store.write_document(&key, SessionDocument::SessionData, &write, NOW);
        let mut context = Context::from_waker(Waker::noop());
        assert!(verb.as_mut().poll(&mut context).is_pending());
        drop(verb);
        assert!(store.session(&key, NOW).await.unwrap().is_some());
    }
    // What was begun is brought to its end.
    loop {
        let session = store.session(&key("h"), NOW).await.unwrap().unwrap();
        let members = session.session_data.keys().len();
        assert!(members <= 200);
        if members == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
}
