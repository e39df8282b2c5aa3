use supersession::store::{DocumentWrite, SessionDocument, WriteOutcome};
use supersession::{AppId, JsonObject};

use crate::store::fixtures::*;

const BOTH: [SessionDocument; 2] = [SessionDocument::SessionData, SessionDocument::Payload];

async fn write(
    store: &SharedStore,
    document: SessionDocument,
    write: &DocumentWrite,
) -> WriteOutcome {
    store
        .write_document(&key("h"), document, write, NOW)
        .await
        .unwrap()
}

async fn stored(store: &SharedStore, document: SessionDocument) -> String {
    let session = store.session(&key("h"), NOW).await.unwrap().unwrap();
    match document {
        SessionDocument::SessionData => session.session_data.as_str().to_owned(),
        SessionDocument::Payload => session.payload.as_str().to_owned(),
    }
}

pub async fn an_overwrite_replaces_the_whole_document(store: SharedStore) {
    insert(&store, &session("h")).await;
    for document in BOTH {
        for text in [r#"{"b":null,"a":1.0}"#, "{}", r#"{"c":{"d":[]}}"#] {
            assert_eq!(
                write(&store, document, &overwrite(text)).await,
                written(text)
            );
            assert_eq!(stored(&store, document).await, text);
        }
    }
}

pub async fn a_merge_replaces_members_and_null_removes_them(store: SharedStore) {
    insert(&store, &session("h")).await;
    for document in BOTH {
        for (before, patch, after) in [
            ("{}", r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1,"b":2}"#, r#"{"a":null}"#, r#"{"b":2}"#),
            (r#"{"a":1}"#, r#"{"absent":null}"#, r#"{"a":1}"#),
            (r#"{"a":1}"#, "{}", r#"{"a":1}"#),
            (
                r#"{"a":{"x":1,"y":2}}"#,
                r#"{"a":{"x":null,"w":3}}"#,
                r#"{"a":{"x":null,"w":3}}"#,
            ),
            (r#"{"a":[1,2]}"#, r#"{"a":[3]}"#, r#"{"a":[3]}"#),
            (
                r#"{"a":1,"b":{"x":1,"y":2},"c":"z"}"#,
                r#"{"b":{"x":null,"w":3},"c":null,"d":4}"#,
                r#"{"a":1,"b":{"x":null,"w":3},"d":4}"#,
            ),
        ] {
            write(&store, document, &overwrite(before)).await;
            assert_eq!(write(&store, document, &merge(patch)).await, written(after));
            assert_eq!(stored(&store, document).await, after);
        }
    }
}

pub async fn a_merge_beyond_its_bound_is_refused(store: SharedStore) {
    insert(&store, &session("h")).await;
    let within = |patch: &str, max_bytes| DocumentWrite::MergeWithin {
        patch: object(patch),
        max_bytes,
    };
    let before = r#"{"a":1}"#;
    let after = r#"{"a":1,"b":2}"#;
    for document in BOTH {
        write(&store, document, &overwrite(before)).await;
        let refused = within(r#"{"b":2}"#, after.len() - 1);
        let conflict = WriteOutcome::Conflict(object(before));
        assert_eq!(write(&store, document, &refused).await, conflict);
        assert_eq!(stored(&store, document).await, before);
        let accepted = within(r#"{"b":2}"#, after.len());
        assert_eq!(write(&store, document, &accepted).await, written(after));
        // A merge that does not grow the document is never refused.
        let shorter = within(r#"{"b":null}"#, 1);
        assert_eq!(write(&store, document, &shorter).await, written(before));
        assert_eq!(stored(&store, document).await, before);
    }
    let (app, user) = (AppId::default(), user("bounded"));
    let metadata = |write: DocumentWrite| {
        let (store, app, user) = (store.clone(), app.clone(), user.clone());
        async move {
            store
                .write_user_metadata(&app, &user, &write)
                .await
                .unwrap()
        }
    };
    let conflict = WriteOutcome::Conflict(object("{}"));
    assert_eq!(metadata(within(before, before.len() - 1)).await, conflict);
    assert_eq!(
        metadata(within(before, before.len())).await,
        written(before)
    );
}

/// Another program may have stored it. Its session must stay readable.
pub async fn a_stored_document_may_be_nested_deeper_than_an_entrance_accepts(store: SharedStore) {
    insert(&store, &session("h")).await;
    let text = format!(r#"{{"a":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    let deep = DocumentWrite::Overwrite(JsonObject::from_stored(&text).unwrap());
    for document in BOTH {
        write(&store, document, &deep).await;
        assert_eq!(stored(&store, document).await, text);
        let outcome = write(&store, document, &merge(r#"{"a":null}"#)).await;
        assert_eq!(outcome, written("{}"));
    }
}

pub async fn a_merge_keeps_the_order_and_the_spelling_of_the_rest(store: SharedStore) {
    insert(&store, &session("h")).await;
    let before =
        r#"{"z":1.50,"big":123456789012345678901234567890,"m":[1e5, 2 ],"a":null,"t":"ä"}"#;
    let after = r#"{"z":1.50,"big":123456789012345678901234567890,"a":null,"t":"ä","m":0.10}"#;
    for document in BOTH {
        write(&store, document, &overwrite(before)).await;
        assert_eq!(
            write(&store, document, &merge(r#"{"m":0.10}"#)).await,
            written(after)
        );
        assert_eq!(stored(&store, document).await, after);
    }
}

pub async fn a_swap_takes_place_if_the_document_is_the_expected_one(store: SharedStore) {
    insert(&store, &session("h")).await;
    for document in BOTH {
        let before = stored(&store, document).await;
        let outcome = write(&store, document, &swap(&before, r#"{"swapped":1}"#)).await;
        assert_eq!(outcome, written(r#"{"swapped":1}"#));
        assert_eq!(stored(&store, document).await, r#"{"swapped":1}"#);
    }
}

pub async fn a_refused_swap_tells_what_is_stored(store: SharedStore) {
    insert(&store, &session("h")).await;
    for document in BOTH {
        let before = stored(&store, document).await;
        let outcome = write(&store, document, &swap(r#"{"wrong":1}"#, "{}")).await;
        assert_eq!(outcome, conflict(&before));
        assert_eq!(stored(&store, document).await, before);
    }
}

pub async fn a_swap_compares_to_the_letter(store: SharedStore) {
    insert(&store, &session("h")).await;
    let text = r#"{"a":1.0,"b":2}"#;
    for document in BOTH {
        write(&store, document, &overwrite(text)).await;
        for same_but_for_the_spelling in [
            r#"{"b":2,"a":1.0}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":1.0, "b":2}"#,
        ] {
            let outcome = write(&store, document, &swap(same_but_for_the_spelling, "{}")).await;
            assert_eq!(outcome, conflict(text));
        }
    }
}

pub async fn the_documents_of_a_session_are_independent(store: SharedStore) {
    insert(&store, &session("h")).await;
    for (document, other) in [(BOTH[0], BOTH[1]), (BOTH[1], BOTH[0])] {
        let before = stored(&store, other).await;
        write(&store, document, &merge(r#"{"merged":1}"#)).await;
        write(&store, document, &swap("{}", r#"{"refused":1}"#)).await;
        write(&store, document, &overwrite(r#"{"overwritten":1}"#)).await;
        assert_eq!(stored(&store, other).await, before);
    }
}

pub async fn writing_a_document_keeps_the_rest_of_the_session(store: SharedStore) {
    let mut old = session("h");
    old.lineage = rotated("first", "second", at(1));
    insert(&store, &old).await;
    insert(&store, &session("other")).await;
    write(
        &store,
        SessionDocument::SessionData,
        &overwrite(r#"{"a":1}"#),
    )
    .await;
    write(&store, SessionDocument::Payload, &merge(r#"{"b":2}"#)).await;
    let mut expected = old;
    expected.session_data = object(r#"{"a":1}"#);
    expected.payload = object(r#"{"in":"payload","b":2}"#);
    assert_eq!(store.session(&key("h"), NOW).await.unwrap(), Some(expected));
    assert_eq!(
        store.session(&key("other"), NOW).await.unwrap(),
        Some(session("other"))
    );
}

pub async fn no_write_makes_a_session(store: SharedStore) {
    let attempt = async || {
        for document in BOTH {
            for change in [
                overwrite("{}"),
                merge(r#"{"a":1}"#),
                swap("{}", r#"{"a":1}"#),
            ] {
                assert_eq!(write(&store, document, &change).await, WriteOutcome::Gone);
            }
        }
        assert_eq!(store.session(&key("h"), NOW).await.unwrap(), None);
        assert_eq!(
            store
                .user_sessions(&sessions_of("user"), NOW)
                .await
                .unwrap(),
            []
        );
    };
    attempt().await;
    insert(&store, &session("h")).await;
    store.delete_sessions(&[key("h")]).await.unwrap();
    attempt().await;
}
