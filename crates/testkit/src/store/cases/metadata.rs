use supersession::AppId;
use supersession::store::{DocumentWrite, WriteOutcome};

use crate::store::fixtures::*;

async fn write(store: &SharedStore, write: &DocumentWrite) -> WriteOutcome {
    store
        .write_user_metadata(&AppId::default(), &user("user"), write)
        .await
        .unwrap()
}

async fn stored(store: &SharedStore) -> Option<String> {
    let found = store
        .user_metadata(&AppId::default(), &user("user"))
        .await
        .unwrap();
    found.map(|document| document.as_str().to_owned())
}

async fn delete(store: &SharedStore) -> bool {
    store
        .delete_user_metadata(&AppId::default(), &user("user"))
        .await
        .unwrap()
}

pub async fn metadata_is_absent_until_it_is_written(store: SharedStore) {
    assert_eq!(stored(&store).await, None);
    let text = r#"{"straße":"日本語","big":123456789012345678901234567890,"n":null}"#;
    assert_eq!(write(&store, &overwrite(text)).await, written(text));
    assert_eq!(stored(&store).await.as_deref(), Some(text));
}

pub async fn updates_merge_at_the_root(store: SharedStore) {
    let first = r#"{"a":1,"b":{"x":1,"y":2},"c":"z"}"#;
    assert_eq!(write(&store, &merge(first)).await, written(first));
    let update = merge(r#"{"b":{"x":null,"w":3},"c":null,"d":4}"#);
    let merged = r#"{"a":1,"b":{"x":null,"w":3},"d":4}"#;
    assert_eq!(write(&store, &update).await, written(merged));
    assert_eq!(stored(&store).await.as_deref(), Some(merged));
}

pub async fn an_empty_update_makes_an_empty_document(store: SharedStore) {
    assert_eq!(write(&store, &merge("{}")).await, written("{}"));
    assert_eq!(stored(&store).await.as_deref(), Some("{}"));
    assert!(delete(&store).await);
    assert_eq!(
        write(&store, &merge(r#"{"absent":null}"#)).await,
        written("{}")
    );
    assert_eq!(stored(&store).await.as_deref(), Some("{}"));
}

pub async fn a_swap_takes_absent_metadata_for_the_empty_object(store: SharedStore) {
    assert_eq!(
        write(&store, &swap("{}", r#"{"a":1}"#)).await,
        written(r#"{"a":1}"#)
    );
    assert_eq!(
        write(&store, &swap("{}", r#"{"b":1}"#)).await,
        conflict(r#"{"a":1}"#)
    );
    assert_eq!(
        write(&store, &swap(r#"{"a":1}"#, "{}")).await,
        written("{}")
    );
    assert_eq!(stored(&store).await.as_deref(), Some("{}"));
}

pub async fn a_refused_swap_makes_no_metadata(store: SharedStore) {
    assert_eq!(
        write(&store, &swap(r#"{"wrong":1}"#, r#"{"b":1}"#)).await,
        conflict("{}")
    );
    assert_eq!(stored(&store).await, None);
}

pub async fn deleting_tells_whether_there_was_any(store: SharedStore) {
    assert!(!delete(&store).await);
    write(&store, &overwrite("{}")).await;
    assert!(delete(&store).await);
    assert!(!delete(&store).await);
    assert_eq!(stored(&store).await, None);
}

pub async fn metadata_after_a_delete_holds_only_the_update(store: SharedStore) {
    write(&store, &overwrite(r#"{"old":1}"#)).await;
    delete(&store).await;
    assert_eq!(
        write(&store, &merge(r#"{"new":1}"#)).await,
        written(r#"{"new":1}"#)
    );
}

pub async fn metadata_belongs_to_its_app_and_user(store: SharedStore) {
    let places = [
        ("public", "user"),
        ("public", "other"),
        ("public", ""),
        ("a1", "user"),
    ];
    for (number, (app_id, user_id)) in places.iter().enumerate() {
        let document = overwrite(&format!(r#"{{"place":{number}}}"#));
        store
            .write_user_metadata(&app(app_id), &user(user_id), &document)
            .await
            .unwrap();
    }
    for (number, (app_id, user_id)) in places.iter().enumerate() {
        let found = store
            .user_metadata(&app(app_id), &user(user_id))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.get_as("place").unwrap(), Some(number));
    }
    assert!(delete(&store).await);
    for (app_id, user_id) in &places[1..] {
        assert!(
            store
                .user_metadata(&app(app_id), &user(user_id))
                .await
                .unwrap()
                .is_some()
        );
    }
}

pub async fn racing_first_updates_all_survive(store: SharedStore) {
    const RACERS: usize = 16;
    for round in 0..10 {
        race(RACERS, |number| {
            let store = store.clone();
            async move {
                let update = merge(&format!(r#"{{"member{number}":{number}}}"#));
                write(&store, &update).await;
            }
        })
        .await;
        let found = store
            .user_metadata(&AppId::default(), &user("user"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.keys().len(), RACERS, "round {round}");
        assert!(delete(&store).await);
    }
}

pub async fn concurrent_metadata_swaps_lose_no_increment(store: SharedStore) {
    race(16, |_| {
        let store = store.clone();
        async move {
            for _ in 0..25 {
                increment(|swap| {
                    let store = store.clone();
                    async move { write(&store, &swap).await }
                })
                .await;
            }
        }
    })
    .await;
    assert_eq!(stored(&store).await.as_deref(), Some(r#"{"n":400}"#));
}
