use supersession::SessionHandle;
use supersession::store::{SessionKey, SessionRecord, UserSessions};

use crate::store::fixtures::*;

async fn handles(store: &SharedStore, selection: &UserSessions) -> Vec<SessionHandle> {
    store
        .user_session_handles(selection, at(100))
        .await
        .unwrap()
}

pub async fn lists_are_oldest_first_then_by_handle(store: SharedStore) {
    for (handle, age) in [
        ("b", 5),
        ("z", 1),
        ("c_t1", 5),
        ("a", 9),
        ("B", 5),
        ("é", 5),
    ] {
        insert(
            &store,
            &SessionRecord {
                created_at: at(age),
                ..session(handle)
            },
        )
        .await;
    }
    // Handles are compared byte by byte, independent of the database's locale.
    let expected = ["z", "B", "b", "c_t1", "é", "a"];
    assert_eq!(handles(&store, &sessions_of("user")).await, expected);
}

pub async fn handles_and_records_agree(store: SharedStore) {
    for number in 0..30_u64 {
        let handle = format!("h{number}_t{}", number % 3);
        insert(
            &store,
            &SessionRecord {
                created_at: at(number % 4),
                ..session(&handle)
            },
        )
        .await;
    }
    for tenant in [None, Some(tenant("t1"))] {
        for except in [None, Some(SessionHandle::from("h4_t1"))] {
            let tenant = tenant.clone();
            let selection = UserSessions {
                tenant,
                except,
                ..sessions_of("user")
            };
            let records = store.user_sessions(&selection, at(100)).await.unwrap();
            let of_records: Vec<_> = records
                .into_iter()
                .map(|record| record.key.handle)
                .collect();
            assert_eq!(handles(&store, &selection).await, of_records);
        }
    }
}

pub async fn lists_select_by_user_and_app(store: SharedStore) {
    let elsewhere = SessionKey::new(&app("a1"), SessionHandle::from("app"));
    insert(&store, &session("h")).await;
    insert(&store, &session_of("other", "other")).await;
    insert(&store, &session_of("User", "case")).await;
    insert(
        &store,
        &SessionRecord {
            key: elsewhere,
            ..session("app")
        },
    )
    .await;
    assert_eq!(handles(&store, &sessions_of("user")).await, ["h"]);
    assert_eq!(handles(&store, &sessions_of("other")).await, ["other"]);
    let in_app = UserSessions {
        app: app("a1"),
        ..sessions_of("user")
    };
    assert_eq!(handles(&store, &in_app).await, ["app"]);
    assert!(handles(&store, &sessions_of("nobody")).await.is_empty());
}

pub async fn lists_can_stay_in_one_tenant(store: SharedStore) {
    for handle in ["h1", "h2_t1", "h3_t2"] {
        insert(&store, &session(handle)).await;
    }
    for (id, expected) in [("public", "h1"), ("t1", "h2_t1"), ("t2", "h3_t2")] {
        let selection = UserSessions {
            tenant: Some(tenant(id)),
            ..sessions_of("user")
        };
        assert_eq!(handles(&store, &selection).await, [expected]);
    }
    let selection = UserSessions {
        tenant: Some(tenant("t3")),
        ..sessions_of("user")
    };
    assert!(handles(&store, &selection).await.is_empty());
}

pub async fn lists_can_leave_one_session_out(store: SharedStore) {
    for handle in ["h1", "h2", "h3"] {
        insert(&store, &session(handle)).await;
    }
    for (except, expected) in [("h2", vec!["h1", "h3"]), ("absent", vec!["h1", "h2", "h3"])] {
        let except = Some(SessionHandle::from(except));
        let selection = UserSessions {
            except,
            ..sessions_of("user")
        };
        assert_eq!(handles(&store, &selection).await, expected);
    }
}

pub async fn lists_hold_whole_records(store: SharedStore) {
    let sessions = [
        session("h1"),
        SessionRecord {
            lineage: rotated("first", "second", at(3)),
            ..session("h2_t1")
        },
        SessionRecord {
            payload: object(r#"{"ä":1.0}"#),
            ..session("h3")
        },
    ];
    for session in &sessions {
        insert(&store, session).await;
    }
    assert_eq!(
        store
            .user_sessions(&sessions_of("user"), NOW)
            .await
            .unwrap(),
        sessions
    );
}
