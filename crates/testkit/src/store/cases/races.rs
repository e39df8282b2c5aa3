use supersession::store::{KeyKind, RotateOutcome, Rotation, SessionDocument, WriteOutcome};

use crate::store::fixtures::*;

const TASKS: usize = 64;

pub async fn concurrent_swaps_lose_no_increment(store: SharedStore) {
    const INCREMENTS: usize = 50;
    insert(&store, &{
        let mut record = session("h");
        record.session_data = object("{}");
        record
    })
    .await;
    race(TASKS, |_| {
        let store = store.clone();
        async move {
            for _ in 0..INCREMENTS {
                increment(|write| {
                    let store = store.clone();
                    async move {
                        let document = SessionDocument::SessionData;
                        store
                            .write_document(&key("h"), document, &write, NOW)
                            .await
                            .unwrap()
                    }
                })
                .await;
            }
        }
    })
    .await;
    assert_eq!(
        session_data(&store, "h").await,
        format!(r#"{{"n":{}}}"#, TASKS * INCREMENTS)
    );
}

pub async fn concurrent_merges_of_different_members_all_survive(store: SharedStore) {
    insert(&store, &session("h")).await;
    race(TASKS, |number| {
        let store = store.clone();
        async move {
            for document in [SessionDocument::SessionData, SessionDocument::Payload] {
                let write = merge(&format!(r#"{{"member{number}":{number}}}"#));
                store
                    .write_document(&key("h"), document, &write, NOW)
                    .await
                    .unwrap();
            }
        }
    })
    .await;
    let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
    for document in [found.session_data, found.payload] {
        assert_eq!(document.keys().len(), TASKS + 1, "{document}");
        for number in 0..TASKS {
            assert_eq!(
                document.get_as(&format!("member{number}")).unwrap(),
                Some(number)
            );
        }
    }
}

pub async fn a_delete_amid_writes_wins_and_nothing_comes_back(store: SharedStore) {
    for round in 0..10 {
        let handle = format!("h{round}");
        insert(&store, &session(&handle)).await;
        race(16, |number| {
            let (store, key) = (store.clone(), key(&handle));
            async move {
                if number == 0 {
                    assert_eq!(store.delete_sessions(&[key]).await.unwrap().len(), 1);
                    return;
                }
                let write = merge(&format!(r#"{{"a":{number}}}"#));
                let mut gone = false;
                for _ in 0..20 {
                    let outcome = store
                        .write_document(&key, SessionDocument::SessionData, &write, NOW)
                        .await
                        .unwrap();
                    assert!(!gone || outcome == WriteOutcome::Gone, "it came back");
                    gone = outcome == WriteOutcome::Gone;
                }
            }
        })
        .await;
        assert_eq!(store.session(&key(&handle), NOW).await.unwrap(), None);
        assert_eq!(store.delete_sessions(&[key(&handle)]).await.unwrap(), []);
    }
}

pub async fn a_delete_amid_rotations_wins_and_nothing_comes_back(store: SharedStore) {
    for round in 0..10 {
        let old = session(&format!("h{round}"));
        insert(&store, &old).await;
        race(8, |number| {
            let (store, old) = (store.clone(), old.clone());
            async move {
                if number == 0 {
                    let selection = sessions_of("user");
                    let deleted = store.delete_user_sessions(&selection, NOW).await.unwrap();
                    assert_eq!(deleted.len(), 1);
                    return;
                }
                let next = Rotation::new(
                    rotated("first", &format!("second{number}"), NOW),
                    END,
                    KeyKind::Dynamic,
                );
                store
                    .rotate(&old.key, &old.lineage, &old.payload, &next, NOW)
                    .await
                    .unwrap();
            }
        })
        .await;
        assert_eq!(store.session(&old.key, NOW).await.unwrap(), None);
        let next = Rotation::new(rotated("first", "late", NOW), END, KeyKind::Dynamic);
        let late = store
            .rotate(&old.key, &old.lineage, &old.payload, &next, NOW)
            .await
            .unwrap();
        assert_eq!(late, RotateOutcome::Gone);
    }
}

pub async fn writes_to_different_sessions_do_not_meet(store: SharedStore) {
    race(TASKS, |number| {
        let store = store.clone();
        async move {
            let handle = format!("h{number}");
            insert(&store, &session(&handle)).await;
            for step in 0..10 {
                let write = overwrite(&format!(r#"{{"session":{number},"step":{step}}}"#));
                let document = SessionDocument::SessionData;
                let outcome = store
                    .write_document(&key(&handle), document, &write, NOW)
                    .await;
                assert!(matches!(outcome.unwrap(), WriteOutcome::Written(_)));
                // A caller that has an answer reads its own write.
                let expected = format!(r#"{{"session":{number},"step":{step}}}"#);
                assert_eq!(session_data(&store, &handle).await, expected);
            }
        }
    })
    .await;
}
