use supersession::SessionHandle;
use supersession::store::{SessionKey, UserSessions};

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
        insert(&store, &{
            let mut record = session(handle);
            record.created_at = at(age);
            record
        })
        .await;
    }
    // Handles are compared byte by byte, independent of the database's locale.
    let expected = ["z", "B", "b", "c_t1", "é", "a"];
    assert_eq!(handles(&store, &sessions_of("user")).await, expected);
}

pub async fn handles_and_records_agree(store: SharedStore) {
    for number in 0..30_u64 {
        let handle = format!("h{number}_t{}", number % 3);
        insert(&store, &{
            let mut record = session(&handle);
            record.created_at = at(number % 4);
            record
        })
        .await;
    }
    for tenant in [None, Some(tenant("t1"))] {
        for except in [None, Some(SessionHandle::from("h4_t1"))] {
            let tenant = tenant.clone();
            let mut selection = sessions_of("user");
            selection.tenant = tenant;
            selection.except = except;
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
    insert(&store, &{
        let mut record = session("app");
        record.key = elsewhere;
        record
    })
    .await;
    assert_eq!(handles(&store, &sessions_of("user")).await, ["h"]);
    assert_eq!(handles(&store, &sessions_of("other")).await, ["other"]);
    let mut in_app = sessions_of("user");
    in_app.app = app("a1");
    assert_eq!(handles(&store, &in_app).await, ["app"]);
    assert!(handles(&store, &sessions_of("nobody")).await.is_empty());
}

pub async fn lists_can_stay_in_one_tenant(store: SharedStore) {
    for handle in ["h1", "h2_t1", "h3_t2"] {
        insert(&store, &session(handle)).await;
    }
    for (id, expected) in [("public", "h1"), ("t1", "h2_t1"), ("t2", "h3_t2")] {
        let mut selection = sessions_of("user");
        selection.tenant = Some(tenant(id));
        assert_eq!(handles(&store, &selection).await, [expected]);
    }
    let mut selection = sessions_of("user");
    selection.tenant = Some(tenant("t3"));
    assert!(handles(&store, &selection).await.is_empty());
}

pub async fn lists_can_leave_one_session_out(store: SharedStore) {
    for handle in ["h1", "h2", "h3"] {
        insert(&store, &session(handle)).await;
    }
    for (except, expected) in [("h2", vec!["h1", "h3"]), ("absent", vec!["h1", "h2", "h3"])] {
        let except = Some(SessionHandle::from(except));
        let mut selection = sessions_of("user");
        selection.except = except;
        assert_eq!(handles(&store, &selection).await, expected);
    }
}

pub async fn lists_hold_whole_records(store: SharedStore) {
    let sessions = [
        session("h1"),
        {
            let mut record = session("h2_t1");
            record.lineage = rotated("first", "second", at(3));
            record
        },
        {
            let mut record = session("h3");
            record.payload = object(r#"{"ä":1.0}"#);
            record
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
