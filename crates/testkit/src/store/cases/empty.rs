use supersession::AppId;

use crate::store::fixtures::*;

pub async fn an_empty_store_has_no_sessions(store: SharedStore) {
    let selection = sessions_of("user");
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), None);
    assert!(
        store
            .user_sessions(&selection, NOW)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .user_session_handles(&selection, NOW)
            .await
            .unwrap()
            .is_empty()
    );
}

pub async fn an_empty_store_has_nothing_to_delete(store: SharedStore) {
    let app = AppId::default();
    assert!(store.delete_sessions(&[key("h")]).await.unwrap().is_empty());
    assert!(
        store
            .delete_user_sessions(&sessions_of("user"), NOW)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.delete_expired_sessions(NOW, 10).await.unwrap(), 0);
    assert!(
        !store
            .delete_user_metadata(&app, &user("user"))
            .await
            .unwrap()
    );
    assert_eq!(store.delete_dynamic_keys(&app, NOW).await.unwrap(), 0);
}

pub async fn an_empty_store_has_neither_metadata_nor_keys(store: SharedStore) {
    assert_eq!(
        store
            .user_metadata(&AppId::default(), &user("user"))
            .await
            .unwrap(),
        None
    );
    assert!(
        store
            .signing_keys(&AppId::default())
            .await
            .unwrap()
            .is_empty()
    );
}

pub async fn a_store_that_works_is_ready_and_a_check_leaves_nothing(store: SharedStore) {
    let app = AppId::default();
    store.check_ready().await.unwrap();
    let deleted = store.delete_expired_sessions(last_moment(), 10).await;
    assert_eq!(deleted.unwrap(), 0);
    assert!(store.signing_keys(&app).await.unwrap().is_empty());
    insert(&store, &session("h")).await;
    store.check_ready().await.unwrap();
    assert_eq!(
        store.session(&key("h"), NOW).await.unwrap(),
        Some(session("h"))
    );
}
