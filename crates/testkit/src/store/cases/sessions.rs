use supersession::store::{InsertOutcome, KeyKind, SessionKey};
use supersession::{AppId, SessionHandle, TenantId};

use crate::store::fixtures::*;

pub async fn a_session_reads_back_as_it_was_written(store: SharedStore) {
    for (handle, key_kind) in [("d", KeyKind::Dynamic), ("s_t1", KeyKind::Static)] {
        let mut session = session(handle);
        session.key_kind = key_kind;
        insert(&store, &session).await;
        assert_eq!(
            store.session(&session.key, NOW).await.unwrap(),
            Some(session)
        );
    }
}

pub async fn a_session_with_a_previous_refresh_token_reads_back(store: SharedStore) {
    let mut session = session("h");
    session.lineage = rotated("first", "second", at(7));
    insert(&store, &session).await;
    assert_eq!(
        store.session(&session.key, at(7)).await.unwrap(),
        Some(session)
    );
}

pub async fn the_standing_of_a_session_is_a_part_of_it(store: SharedStore) {
    let first = session("first");
    let mut refreshed = session("rotated");
    refreshed.lineage = rotated("first", "second", at(7));
    refreshed.payload = object(r#"{"z":1,"a" : {"b":null}}"#);
    for session in [first, refreshed] {
        insert(&store, &session).await;
        let found = store.session_status(&session.key, at(7)).await.unwrap();
        assert_eq!(found, Some(session.clone().into()));
        let end = session.expires_at;
        let over = store.session_status(&session.key, end).await.unwrap();
        assert_eq!(over, None, "over");
    }
    let others = [
        SessionKey {
            app: AppId::from_stored("other"),
            ..key("first")
        },
        SessionKey {
            tenant: TenantId::from_stored("other"),
            ..key("first")
        },
        key("nobody"),
        key("first\0"),
    ];
    for other in others {
        let found = store.session_status(&other, NOW).await.unwrap();
        assert_eq!(found, None, "{other:?}");
    }
}

pub async fn documents_read_back_to_the_letter(store: SharedStore) {
    let documents = [
        "{}",
        r#"{"":{"":null}}"#,
        r#"{"null":null,"nested":{"null":null},"list":[null,[],{}]}"#,
        r#"{"big":123456789012345678901234567890,"small":-0.0,"digits":1.50,"exponent":1E+2}"#,
        r#"{"z":1,"a":2,"m":3}"#,
        r#"{"a" : "white  space", "b":[ 1, 2 ]}"#,
        r#"{"escaped":"\u00e4\n\"\\\/","plain":"ä"}"#,
        r#"{"straße":"日本語","emoji":"👩‍👩‍👧‍👦","rtl":"שלום"}"#,
        r#"{"quotes":"it's \"quoted\" -- ; DROP TABLE session_info","percent":"100%_"}"#,
    ];
    for (number, text) in documents.iter().enumerate() {
        let mut session = session(&format!("h{number}"));
        session.session_data = object(text);
        session.payload = object(text);
        insert(&store, &session).await;
        let found = store.session(&session.key, NOW).await.unwrap().unwrap();
        assert_eq!(found.session_data.as_str(), *text);
        assert_eq!(found.payload.as_str(), *text);
    }
}

pub async fn odd_user_ids_read_back_and_are_found(store: SharedStore) {
    let users = [
        "",
        " ",
        "null",
        "Übung",
        "a:b/c|d_e*",
        "用户",
        "o'hara",
        "{user}",
    ];
    for (number, id) in users.iter().enumerate() {
        insert(&store, &session_of(id, &format!("h{number}"))).await;
    }
    for (number, id) in users.iter().enumerate() {
        let found = store.user_sessions(&sessions_of(id), NOW).await.unwrap();
        assert_eq!(found, [session_of(id, &format!("h{number}"))]);
    }
}

pub async fn a_taken_handle_is_refused_and_the_old_session_stays(store: SharedStore) {
    let old = session("h");
    insert(&store, &old).await;
    let mut new = session_of("other", "h");
    new.session_data = object(r#"{"new":1}"#);
    new.lineage = rotated("x", "y", at(1));
    assert_eq!(
        store.insert_session(&new).await.unwrap(),
        InsertOutcome::HandleTaken
    );
    assert_eq!(store.session(&old.key, NOW).await.unwrap(), Some(old));
    assert_eq!(
        store
            .user_sessions(&sessions_of("other"), NOW)
            .await
            .unwrap(),
        []
    );
}

pub async fn a_session_that_is_over_still_holds_its_handle(store: SharedStore) {
    insert(&store, &{
        let mut record = session("h");
        record.expires_at = NOW;
        record
    })
    .await;
    let outcome = store.insert_session(&session("h")).await.unwrap();
    assert_eq!(outcome, InsertOutcome::HandleTaken);
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), None);
}

pub async fn a_handle_is_free_again_after_its_session_was_deleted(store: SharedStore) {
    insert(&store, &session("h")).await;
    store.delete_sessions(&[key("h")]).await.unwrap();
    insert(&store, &session("h")).await;
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
}

pub async fn the_same_handle_in_another_app_is_another_session(store: SharedStore) {
    let here = session("h");
    let mut there = session_of("other", "h");
    there.key = SessionKey::new(&app("a1"), SessionHandle::from("h"));
    insert(&store, &here).await;
    assert_eq!(store.session(&there.key, NOW).await.unwrap(), None);
    insert(&store, &there).await;
    assert_eq!(store.session(&here.key, NOW).await.unwrap(), Some(here));
    assert_eq!(store.session(&there.key, NOW).await.unwrap(), Some(there));
}

pub async fn the_same_handle_in_another_tenant_is_another_session(store: SharedStore) {
    let here = session("h");
    let mut there = session_of("other", "h");
    there.key = SessionKey {
        tenant: tenant("t1"),
        ..here.key.clone()
    };
    assert_eq!(here.key.tenant, TenantId::default());
    insert(&store, &here).await;
    assert_eq!(store.session(&there.key, NOW).await.unwrap(), None);
    insert(&store, &there).await;
    assert_eq!(store.session(&here.key, NOW).await.unwrap(), Some(here));
    assert_eq!(store.session(&there.key, NOW).await.unwrap(), Some(there));
}

pub async fn of_racing_inserts_of_one_handle_one_wins(store: SharedStore) {
    let outcomes = race(32, |number| {
        let store = store.clone();
        async move {
            store
                .insert_session(&session_of(&format!("user{number}"), "h"))
                .await
                .unwrap()
        }
    })
    .await;
    let winners: Vec<_> = (0..32)
        .filter(|racer| outcomes[*racer] == InsertOutcome::Inserted)
        .collect();
    assert_eq!(winners.len(), 1);
    let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
    assert_eq!(found.user_id, format!("user{}", winners[0]).as_str());
}
