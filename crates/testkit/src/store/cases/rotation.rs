use supersession::JsonObject;
use supersession::store::{
    KeyKind, Lineage, RotateOutcome, Rotation, SessionDocument, WriteOutcome,
};

use crate::store::fixtures::*;

/// Returns a rotation from `previous` to the refresh token `token`.
fn rotation(previous: &str, token: &str) -> Rotation {
    Rotation::new(
        rotated(previous, token, at(5)),
        at(9_000_000),
        KeyKind::Static,
    )
}

async fn rotate(
    store: &SharedStore,
    expected: &Lineage,
    payload: &JsonObject,
    next: &Rotation,
) -> RotateOutcome {
    store
        .rotate(&key("h"), expected, payload, next, at(5))
        .await
        .unwrap()
}

pub async fn a_rotation_moves_the_session_and_keeps_the_rest(store: SharedStore) {
    let mut old = session("h");
    old.session_data = object(r#"{"b":1.50,"a":null}"#);
    old.payload = object(r#"{"z":{"n":null}}"#);
    insert(&store, &old).await;
    let next = rotation("first", "second");
    let outcome = rotate(&store, &old.lineage, &old.payload, &next).await;
    assert_eq!(outcome, RotateOutcome::Rotated);
    let Rotation {
        lineage,
        expires_at,
        key_kind,
        ..
    } = next;
    let mut expected = old;
    expected.lineage = lineage;
    expected.expires_at = expires_at;
    expected.key_kind = key_kind;
    assert_eq!(store.session(&key("h"), END).await.unwrap(), Some(expected));
}

pub async fn a_rotation_can_be_followed_by_another(store: SharedStore) {
    let old = session("h");
    insert(&store, &old).await;
    let mut lineage = old.lineage;
    for number in 0..5 {
        let next = rotation(&format!("token{number}"), &format!("token{}", number + 1));
        let outcome = rotate(&store, &lineage, &old.payload, &next).await;
        assert_eq!(outcome, RotateOutcome::Rotated, "rotation {number}");
        lineage = next.lineage;
    }
    let found = store.session(&key("h"), at(5)).await.unwrap().unwrap();
    assert_eq!(found.lineage, rotated("token4", "token5", at(5)));
}

pub async fn a_rotation_is_refused_if_the_lineage_is_another(store: SharedStore) {
    let next = rotation("second", "third");
    let fresh = session("h");
    insert(&store, &fresh).await;
    for wrong in [
        Lineage::new(hash("other"), None),
        rotated("zeroth", "first", at(1)),
    ] {
        let outcome = rotate(&store, &wrong, &fresh.payload, &next).await;
        assert_eq!(outcome, RotateOutcome::Changed);
    }
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), Some(fresh));

    store.delete_sessions(&[key("h")]).await.unwrap();
    let mut used = session("h");
    used.lineage = rotated("first", "second", at(1));
    insert(&store, &used).await;
    for wrong in [
        rotated("first", "other", at(1)),
        rotated("other", "second", at(1)),
        rotated("first", "second", at(2)),
        rotated("second", "first", at(1)),
        Lineage::new(hash("second"), None),
    ] {
        let outcome = rotate(&store, &wrong, &used.payload, &next).await;
        assert_eq!(outcome, RotateOutcome::Changed);
    }
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), Some(used));
}

pub async fn a_rotation_is_refused_if_the_payload_is_another(store: SharedStore) {
    let old = session("h");
    insert(&store, &old).await;
    let next = rotation("first", "second");
    for wrong in ["{}", r#"{"in":"payload","more":1}"#, r#"{"in":"data"}"#] {
        let outcome = rotate(&store, &old.lineage, &object(wrong), &next).await;
        assert_eq!(outcome, RotateOutcome::Changed);
    }
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), Some(old));
}

pub async fn a_rotation_ignores_session_data(store: SharedStore) {
    let old = session("h");
    insert(&store, &old).await;
    let write = overwrite(r#"{"changed":true}"#);
    store
        .write_document(&key("h"), SessionDocument::SessionData, &write, NOW)
        .await
        .unwrap();
    let outcome = rotate(
        &store,
        &old.lineage,
        &old.payload,
        &rotation("first", "second"),
    )
    .await;
    assert_eq!(outcome, RotateOutcome::Rotated);
    assert_eq!(session_data(&store, "h").await, r#"{"changed":true}"#);
}

pub async fn a_session_that_is_gone_cannot_be_rotated(store: SharedStore) {
    let old = session("h");
    let next = rotation("first", "second");
    let outcome = rotate(&store, &old.lineage, &old.payload, &next).await;
    assert_eq!(outcome, RotateOutcome::Gone, "never there");
    insert(&store, &old).await;
    store.delete_sessions(&[key("h")]).await.unwrap();
    let outcome = rotate(&store, &old.lineage, &old.payload, &next).await;
    assert_eq!(outcome, RotateOutcome::Gone, "deleted");
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), None);
}

pub async fn of_racing_rotations_one_wins(store: SharedStore) {
    let old = session("h");
    insert(&store, &old).await;
    let outcomes = race(32, |number| {
        let (store, old) = (store.clone(), old.clone());
        async move {
            let next = rotation("first", &format!("second{number}"));
            rotate(&store, &old.lineage, &old.payload, &next).await
        }
    })
    .await;
    let winners: Vec<_> = (0..32)
        .filter(|racer| outcomes[*racer] == RotateOutcome::Rotated)
        .collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert!(!outcomes.contains(&RotateOutcome::Gone));
    let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
    assert_eq!(
        found.lineage,
        rotated("first", &format!("second{}", winners[0]), at(5))
    );
}

pub async fn a_rotation_and_a_payload_write_do_not_lose_each_other(store: SharedStore) {
    for round in 0..20 {
        let mut old = session("h");
        old.key = key(&format!("h{round}"));
        insert(&store, &old).await;
        let rotated = race(2, |racer| {
            let (store, old) = (store.clone(), old.clone());
            async move {
                if racer == 0 {
                    let write = merge(r#"{"banned":true}"#);
                    let write =
                        store.write_document(&old.key, SessionDocument::Payload, &write, NOW);
                    assert!(matches!(write.await.unwrap(), WriteOutcome::Written(_)));
                    return false;
                }
                let next = rotation("first", "second");
                let rotate = store.rotate(&old.key, &old.lineage, &old.payload, &next, NOW);
                rotate.await.unwrap() == RotateOutcome::Rotated
            }
        })
        .await[1];
        let found = store.session(&old.key, NOW).await.unwrap().unwrap();
        assert!(found.payload.contains_key("banned"), "round {round}");
        assert_eq!(found.lineage == old.lineage, !rotated, "round {round}");
    }
}
