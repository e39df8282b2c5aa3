use supersession::store::{KeyKind, StoredKey};
use supersession::{AppId, SecretText, UnixMillis};

use crate::store::fixtures::*;

async fn add_dynamic(store: &SharedStore, key: &StoredKey, not_if_since: UnixMillis) -> bool {
    store
        .add_dynamic_key(&AppId::default(), key, not_if_since)
        .await
        .unwrap()
}

async fn add_static(store: &SharedStore, key: &StoredKey) -> bool {
    store.add_static_key(&AppId::default(), key).await.unwrap()
}

async fn all(store: &SharedStore) -> Vec<StoredKey> {
    store.signing_keys(&AppId::default()).await.unwrap()
}

pub async fn keys_read_back_newest_first(store: SharedStore) {
    let added = [
        dynamic_key(at(1), "x"),
        dynamic_key(at(3), "y"),
        dynamic_key(at(20), "z"),
    ];
    for key in &added {
        assert!(add_dynamic(&store, key, key.created_at).await);
    }
    assert!(add_static(&store, &static_key("u", at(3))).await);
    let found = all(&store).await;
    let [x, y, z] = added.map(|key| key.kid);
    // Of two keys created in the same millisecond, the greater id comes first.
    assert_eq!(kids(&found), [z.as_str(), "s-u", y.as_str(), x.as_str()]);
    assert_eq!(found[0].key_pair.expose(), "publicz|privatez");
    assert_eq!(
        (found[0].kind, found[0].created_at),
        (KeyKind::Dynamic, at(20))
    );
    assert_eq!(found[1].key_pair.expose(), "publicu|privateu");
    assert_eq!(
        (found[1].kind, found[1].created_at),
        (KeyKind::Static, at(3))
    );
}

pub async fn a_rotating_key_is_refused_if_there_is_one_since_the_bound(store: SharedStore) {
    assert!(add_dynamic(&store, &dynamic_key(at(10), "x"), at(0)).await);
    assert!(
        !add_dynamic(&store, &dynamic_key(at(20), "y"), at(9)).await,
        "made after the bound"
    );
    assert!(
        !add_dynamic(&store, &dynamic_key(at(20), "y"), at(10)).await,
        "made at the bound"
    );
    assert!(
        add_dynamic(&store, &dynamic_key(at(20), "y"), at(11)).await,
        "made before the bound"
    );
    // A static key does not count as a dynamic one.
    assert!(add_static(&store, &static_key("u", at(50))).await);
    assert!(add_dynamic(&store, &dynamic_key(at(30), "z"), at(21)).await);
    assert_eq!(all(&store).await.len(), 4);
}

pub async fn a_rotating_key_is_refused_if_its_millisecond_is_taken(store: SharedStore) {
    assert!(add_dynamic(&store, &dynamic_key(at(10), "x"), at(0)).await);
    assert!(!add_dynamic(&store, &dynamic_key(at(10), "y"), at(11)).await);
    let found = all(&store).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key_pair.expose(), "publicx|privatex");
}

pub async fn of_racing_rotating_keys_one_is_added(store: SharedStore) {
    // The app is registered first, because its registration may take a lock of its own.
    insert(&store, &session("h")).await;
    let added = race(16, |number| {
        let store = store.clone();
        let key = dynamic_key(at(number as u64), &number.to_string());
        async move { add_dynamic(&store, &key, NOW).await }
    })
    .await;
    assert_eq!(added.iter().filter(|added| **added).count(), 1);
    let found = all(&store).await;
    let winner = added.iter().position(|added| *added).unwrap();
    assert_eq!(kids(&found), [format!("d-{}", at(winner as u64))]);
}

pub async fn a_second_static_key_is_refused(store: SharedStore) {
    // A dynamic key does not count as a static one.
    assert!(add_dynamic(&store, &dynamic_key(at(1), "x"), at(0)).await);
    assert!(add_static(&store, &static_key("u", at(1))).await);
    assert!(!add_static(&store, &static_key("u", at(2))).await);
    assert!(!add_static(&store, &static_key("v", at(2))).await);
    let expected = ["s-u".to_owned(), format!("d-{}", at(1))];
    assert_eq!(kids(&all(&store).await), expected);
}

pub async fn of_racing_static_keys_one_is_added(store: SharedStore) {
    insert(&store, &session("h")).await;
    let added = race(16, |number| {
        let store = store.clone();
        async move { add_static(&store, &static_key(&number.to_string(), NOW)).await }
    })
    .await;
    assert_eq!(added.iter().filter(|added| **added).count(), 1);
    let winner = added.iter().position(|added| *added).unwrap();
    assert_eq!(kids(&all(&store).await), [format!("s-{winner}")]);
}

pub async fn deleting_takes_old_rotating_keys_and_never_static_ones(store: SharedStore) {
    assert!(add_static(&store, &static_key("u", at(0))).await);
    for millis in [1, 2, 3] {
        assert!(add_dynamic(&store, &dynamic_key(at(millis), "x"), at(millis)).await);
    }
    let delete = async |before| {
        store
            .delete_dynamic_keys(&AppId::default(), before)
            .await
            .unwrap()
    };
    assert_eq!(delete(at(1)).await, 0, "the bound itself stays");
    assert_eq!(delete(at(3)).await, 2);
    assert_eq!(delete(at(1_000)).await, 1);
    assert_eq!(delete(at(1_000)).await, 0);
    assert_eq!(kids(&all(&store).await), ["s-u"]);
}

pub async fn keys_belong_to_their_app(store: SharedStore) {
    let (one, two) = (app("a1"), app("a2"));
    for app in [&one, &two] {
        assert!(
            store
                .add_dynamic_key(app, &dynamic_key(at(5), "x"), at(0))
                .await
                .unwrap()
        );
        assert!(
            store
                .add_static_key(app, &static_key("u", at(5)))
                .await
                .unwrap()
        );
    }
    assert!(all(&store).await.is_empty());
    assert_eq!(store.delete_dynamic_keys(&one, at(10)).await.unwrap(), 1);
    assert_eq!(store.signing_keys(&one).await.unwrap().len(), 1);
    assert_eq!(store.signing_keys(&two).await.unwrap().len(), 2);
}

pub async fn the_first_refresh_token_key_stays(store: SharedStore) {
    let ask = async |app_id, candidate| {
        let candidate = SecretText::new(candidate);
        let answer = store
            .refresh_token_key(&app(app_id), &candidate, NOW)
            .await
            .unwrap();
        answer.expose().to_owned()
    };
    assert_eq!(ask("public", "1000:aa:bb").await, "1000:aa:bb");
    assert_eq!(ask("public", "1000:cc:dd").await, "1000:aa:bb");
    assert_eq!(ask("a1", "1000:ee:ff").await, "1000:ee:ff");
    assert_eq!(ask("public", "1000:cc:dd").await, "1000:aa:bb");
    assert!(all(&store).await.is_empty(), "it signs nothing");
}

pub async fn racing_callers_get_one_refresh_token_key(store: SharedStore) {
    let answers = race(16, |number| {
        let store = store.clone();
        async move {
            let candidate = SecretText::new(format!("candidate{number}"));
            let key = store
                .refresh_token_key(&AppId::default(), &candidate, NOW)
                .await
                .unwrap();
            key.expose().to_owned()
        }
    })
    .await;
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}
