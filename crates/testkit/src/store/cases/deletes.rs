use supersession::store::{SessionKey, UserSessions};
use supersession::{SessionHandle, UnixMillis};

use crate::store::fixtures::*;

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

async fn delete_of_user(store: &SharedStore, selection: &UserSessions) -> Vec<SessionHandle> {
    sorted(store.delete_user_sessions(selection, NOW).await.unwrap())
}

pub async fn deleting_tells_exactly_what_was_there(store: SharedStore) {
    for handle in ["h1", "h2_t1", "h3"] {
        insert(&store, &session(handle)).await;
    }
    let keys = [key("h1"), key("absent"), key("h2_t1"), key("absent_t1")];
    let deleted = store.delete_sessions(&keys).await.unwrap();
    assert_eq!(sorted(deleted), [key("h1"), key("h2_t1")]);
    assert_eq!(store.session(&key("h1"), NOW).await.unwrap(), None);
    assert_eq!(store.session(&key("h2_t1"), NOW).await.unwrap(), None);
    assert!(store.session(&key("h3"), NOW).await.unwrap().is_some());
    assert_eq!(store.delete_sessions(&keys).await.unwrap(), []);
}

pub async fn deleting_tells_a_repeated_key_once(store: SharedStore) {
    insert(&store, &session("h")).await;
    let keys = [key("h"), key("h"), key("absent"), key("h")];
    assert_eq!(store.delete_sessions(&keys).await.unwrap(), [key("h")]);
}

pub async fn deleting_nothing_is_no_error(store: SharedStore) {
    insert(&store, &session("h")).await;
    assert_eq!(store.delete_sessions(&[]).await.unwrap(), []);
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
}

pub async fn deleting_by_key_stays_in_its_scope(store: SharedStore) {
    let elsewhere = [
        SessionKey::new(&app("a1"), SessionHandle::from("h")),
        SessionKey {
            tenant: tenant("t1"),
            ..key("h")
        },
    ];
    for key in &elsewhere {
        insert(&store, &{
            let mut record = session("h");
            record.key = key.clone();
            record
        })
        .await;
    }
    assert_eq!(store.delete_sessions(&[key("h")]).await.unwrap(), []);
    for key in &elsewhere {
        assert!(store.session(key, NOW).await.unwrap().is_some());
    }
}

pub async fn deleting_by_user_takes_all_tenants(store: SharedStore) {
    for handle in ["h1", "h2_t1", "h3_t2"] {
        insert(&store, &session(handle)).await;
    }
    let deleted = delete_of_user(&store, &sessions_of("user")).await;
    assert_eq!(deleted, ["h1", "h2_t1", "h3_t2"]);
    assert_eq!(
        store
            .user_sessions(&sessions_of("user"), NOW)
            .await
            .unwrap(),
        []
    );
    assert!(
        delete_of_user(&store, &sessions_of("user"))
            .await
            .is_empty()
    );
}

pub async fn deleting_by_user_can_stay_in_one_tenant(store: SharedStore) {
    for handle in ["h1", "h2_t1", "h3_t1", "h4_t2"] {
        insert(&store, &session(handle)).await;
    }
    let mut selection = sessions_of("user");
    selection.tenant = Some(tenant("t1"));
    assert_eq!(delete_of_user(&store, &selection).await, ["h2_t1", "h3_t1"]);
    let left = store
        .user_session_handles(&sessions_of("user"), NOW)
        .await
        .unwrap();
    assert_eq!(left, ["h1", "h4_t2"]);
}

pub async fn deleting_by_user_can_spare_one_session(store: SharedStore) {
    for handle in ["h1", "h2", "h3_t1"] {
        insert(&store, &session(handle)).await;
    }
    let except = Some(SessionHandle::from("h2"));
    let mut selection = sessions_of("user");
    selection.except = except;
    assert_eq!(delete_of_user(&store, &selection).await, ["h1", "h3_t1"]);
    let left = store
        .user_session_handles(&sessions_of("user"), NOW)
        .await
        .unwrap();
    assert_eq!(left, ["h2"]);
}

pub async fn deleting_by_user_leaves_other_users_and_apps_alone(store: SharedStore) {
    let elsewhere = SessionKey::new(&app("a1"), SessionHandle::from("app"));
    let survivors = [
        session_of("other", "other"),
        {
            let mut record = session("app");
            record.key = elsewhere;
            record
        },
        {
            let mut record = session("over");
            record.expires_at = NOW;
            record
        },
    ];
    for survivor in &survivors {
        insert(&store, survivor).await;
    }
    insert(&store, &session("h")).await;
    assert_eq!(delete_of_user(&store, &sessions_of("user")).await, ["h"]);
    for survivor in survivors {
        // Reads at a time when the session was live.
        let found = store
            .session(&survivor.key, UnixMillis::new(0))
            .await
            .unwrap();
        assert_eq!(found, Some(survivor));
    }
}

pub async fn of_racing_deletes_each_session_is_told_once(store: SharedStore) {
    let keys: Vec<_> = (0..50)
        .map(|number| key(&format!("h{number:02}")))
        .collect();
    for key in &keys {
        insert(&store, &{
            let mut record = session("h");
            record.key = key.clone();
            record
        })
        .await;
    }
    let told = race(8, |racer| {
        let (store, mut keys) = (store.clone(), keys.clone());
        keys.rotate_left(racer * 6);
        async move { store.delete_sessions(&keys).await.unwrap() }
    })
    .await;
    assert_eq!(sorted(told.concat()), keys);
}

pub async fn of_racing_deletes_by_user_each_session_is_told_once(store: SharedStore) {
    let handles: Vec<_> = (0..50).map(|number| format!("h{number:02}")).collect();
    for handle in &handles {
        insert(&store, &session(handle)).await;
    }
    let told = race(8, |_| {
        let store = store.clone();
        async move {
            store
                .delete_user_sessions(&sessions_of("user"), NOW)
                .await
                .unwrap()
        }
    })
    .await;
    let told = sorted(told.concat());
    assert_eq!(
        told.iter().map(SessionHandle::as_str).collect::<Vec<_>>(),
        handles
    );
}
