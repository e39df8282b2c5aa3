//! What each verb costs, counted on the wire. The table in the crate's documentation is this one.

use supersession::store::{
    DocumentWrite, KeyKind, Lineage, PreviousRefresh, Rotation, SessionDocument, SessionUse,
    StoredKey, UserSessions,
};
use supersession::{AppId, RefreshHash2, SecretText, Store, TenantId, UnixMillis, UserId};
use supersession_postgres::PostgresStore;

use crate::proxy::Proxy;
use crate::{NOW, Place, insert, key, object, server, session};

fn of_user(user: &str, except: Option<&str>) -> UserSessions {
    let mut selection = UserSessions::new(AppId::default(), UserId::from(user));
    selection.except = except.map(|handle| key(handle).handle);
    selection
}

fn swap(from: u64) -> DocumentWrite {
    DocumentWrite::CompareAndSwap {
        expected: object(&format!(r#"{{"n":{from}}}"#)),
        replacement: object(&format!(r#"{{"n":{}}}"#, from + 1)),
    }
}

async fn write(store: &PostgresStore, handle: &str, write: DocumentWrite) {
    let outcome = store
        .write_document(&key(handle), SessionDocument::SessionData, &write, NOW)
        .await;
    assert!(matches!(
        outcome.unwrap(),
        supersession::store::WriteOutcome::Written(_)
    ));
}

async fn write_metadata(store: &PostgresStore, user: &str, write: DocumentWrite) {
    let (app, user) = (AppId::default(), UserId::from(user));
    let outcome = store.write_user_metadata(&app, &user, &write).await;
    assert!(matches!(
        outcome.unwrap(),
        supersession::store::WriteOutcome::Written(_)
    ));
}

async fn rotate(store: &PostgresStore, n: u64) {
    let hash = |n: u64| RefreshHash2::from_hex(format!("{n:064x}"));
    let lineage = |n: u64| {
        Lineage::new(
            hash(n),
            (n > 1).then(|| PreviousRefresh::new(hash(n - 1), NOW)),
        )
    };
    if n == 1 {
        let mut session = session("rotating");
        session.lineage = lineage(1);
        store.insert_session(&session).await.unwrap();
    }
    let next = Rotation::new(
        lineage(n + 1),
        UnixMillis::new(NOW.get() + 1_000),
        KeyKind::Dynamic,
    );
    let outcome = store
        .rotate(&key("rotating"), &lineage(n), &object("{}"), &next, NOW)
        .await;
    let expected = supersession::store::RotateOutcome::Rotated;
    assert_eq!(outcome.unwrap(), expected);
}

fn stored_key(n: u64, kind: KeyKind) -> StoredKey {
    StoredKey::new(
        format!("s-{n}"),
        kind,
        UnixMillis::new(NOW.get() + n),
        SecretText::new("public|private"),
    )
}

/// Runs the verb twice, on one connection, and counts round trips and statements of the second
/// time: the first prepares the statements.
async fn cost(proxy: &Proxy, verb: impl AsyncFn(u64)) -> (u64, u64) {
    verb(1).await;
    let before = proxy.passed();
    verb(2).await;
    let after = proxy.passed();
    (
        after.round_trips - before.round_trips,
        after.statements - before.statements,
    )
}

#[tokio::test]
async fn every_verb_costs_what_the_documentation_says() {
    let Some(server) = server() else { return };
    let proxy = Proxy::before(server).await;
    let options = Place::new(server).options().url(proxy.url(server));
    let store = options.pool_size(1).open().await.unwrap();
    let (app, user) = (AppId::default(), UserId::from("user"));
    for handle in ["h", "d1", "d2", "d3", "d4", "u1", "u2"] {
        insert(&store, handle).await;
    }
    write(&store, "h", DocumentWrite::Overwrite(object(r#"{"n":1}"#))).await;
    write_metadata(
        &store,
        "swap",
        DocumentWrite::Overwrite(object(r#"{"n":1}"#)),
    )
    .await;
    let patch = |n: u64| DocumentWrite::Merge(object(&format!(r#"{{"k":{n}}}"#)));
    let whole = |n: u64| DocumentWrite::Overwrite(object(&format!(r#"{{"o":{n}}}"#)));
    let mut costs = String::new();
    macro_rules! count {
        ($name:literal, $verb:expr) => {
            let (round_trips, statements) = cost(&proxy, $verb).await;
            costs += &format!("{}: {round_trips} {statements}\n", $name);
        };
    }
    count!("insert_session", async |n| insert(&store, &format!("i{n}"))
        .await);
    count!("session", async |_| {
        store.session(&key("h"), NOW).await.unwrap().unwrap();
    });
    count!("session_status", async |_| {
        store.session_status(&key("h"), NOW).await.unwrap().unwrap();
    });
    count!("rotate", async |n| rotate(&store, n).await);
    count!("write_document, swap", async |n| write(
        &store,
        "h",
        swap(n)
    )
    .await);
    count!("write_document, merge", async |n| write(
        &store,
        "h",
        patch(n)
    )
    .await);
    count!("write_document, overwrite", async |n| write(
        &store,
        "h",
        whole(n)
    )
    .await);
    count!("delete_sessions, two", async |n| {
        let keys = [key(&format!("d{n}")), key(&format!("d{}", n + 2))];
        assert_eq!(store.delete_sessions(&keys).await.unwrap(), keys);
    });
    count!("user_sessions", async |_| {
        let list = store.user_sessions(&of_user("user", None), NOW).await;
        assert!(!list.unwrap().is_empty());
    });
    count!("user_session_handles", async |_| {
        let list = store
            .user_session_handles(&of_user("user", None), NOW)
            .await;
        assert!(!list.unwrap().is_empty());
    });
    count!("record_uses, two sessions", async |n| {
        let used = |handle: &str| SessionUse::new(key(handle), UnixMillis::new(NOW.get() + n));
        store
            .record_uses(&[used("h"), used("u1")], NOW)
            .await
            .unwrap();
    });
    count!("set_device_label", async |_| {
        assert!(
            store
                .set_device_label(&key("h"), Some("x"), NOW)
                .await
                .unwrap()
        );
    });
    count!("delete_user_sessions", async |n| {
        let spared = (n == 1).then_some("h");
        let deleted = store
            .delete_user_sessions(&of_user("user", spared), NOW)
            .await;
        assert!(!deleted.unwrap().is_empty());
    });
    count!("delete_expired_sessions", async |_| {
        store.delete_expired_sessions(NOW, 100).await.unwrap();
    });
    count!("write_user_metadata, overwrite", async |n| {
        write_metadata(&store, "user", whole(n)).await;
    });
    count!("write_user_metadata, merge", async |n| {
        write_metadata(&store, "user", patch(n)).await;
    });
    count!("write_user_metadata, swap", async |n| write_metadata(
        &store,
        "swap",
        swap(n)
    )
    .await);
    count!("user_metadata", async |_| {
        store.user_metadata(&app, &user).await.unwrap().unwrap();
    });
    count!("delete_user_metadata", async |_| {
        store.delete_user_metadata(&app, &user).await.unwrap();
    });
    count!("check_ready", async |_| {
        store.check_ready().await.unwrap();
    });
    count!("signing_keys", async |_| {
        store.signing_keys(&app).await.unwrap();
    });
    count!("add_dynamic_key", async |n| {
        let key = stored_key(n, KeyKind::Dynamic);
        assert!(
            store
                .add_dynamic_key(&app, &key, key.created_at)
                .await
                .unwrap()
        );
    });
    count!("add_static_key", async |n| {
        let added = store
            .add_static_key(&app, &stored_key(n, KeyKind::Static))
            .await;
        assert_eq!(added.unwrap(), n == 1);
    });
    count!("delete_dynamic_keys", async |_| {
        store.delete_dynamic_keys(&app, NOW).await.unwrap();
    });
    count!("refresh_token_key", async |_| {
        let candidate = SecretText::new("candidate");
        store
            .refresh_token_key(&app, &candidate, NOW)
            .await
            .unwrap();
    });
    assert_eq!(costs, EXPECTED);
    assert_eq!(
        proxy.connections(),
        2,
        "one to migrate and one for all verbs"
    );
    assert_eq!(key("h").tenant, TenantId::default());
}

const EXPECTED: &str = "\
insert_session: 1 1
session: 1 1
session_status: 1 1
rotate: 1 1
write_document, swap: 1 1
write_document, merge: 2 2
write_document, overwrite: 1 1
delete_sessions, two: 1 1
user_sessions: 1 1
user_session_handles: 1 1
record_uses, two sessions: 1 1
set_device_label: 1 1
delete_user_sessions: 1 1
delete_expired_sessions: 1 1
write_user_metadata, overwrite: 1 1
write_user_metadata, merge: 2 2
write_user_metadata, swap: 2 2
user_metadata: 1 1
delete_user_metadata: 1 1
check_ready: 1 1
signing_keys: 1 1
add_dynamic_key: 4 4
add_static_key: 4 4
delete_dynamic_keys: 1 1
refresh_token_key: 1 1
";

/// All at once, in a runtime of one thread: so all of them wait before the first is taken.
async fn write_all(store: &PostgresStore, writes: Vec<(String, DocumentWrite)>) {
    let document = SessionDocument::SessionData;
    let mut tasks = tokio::task::JoinSet::new();
    for (handle, write) in writes {
        let store = store.clone();
        tasks.spawn(async move {
            store
                .write_document(&key(&handle), document, &write, NOW)
                .await
        });
    }
    for outcome in tasks.join_all().await {
        let expected = matches!(
            outcome.unwrap(),
            supersession::store::WriteOutcome::Written(_)
        );
        assert!(expected);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn writes_that_wait_together_cost_what_one_costs() {
    let Some(server) = server() else { return };
    let proxy = Proxy::before(server).await;
    let options = Place::new(server).options().url(proxy.url(server));
    let store = options.pool_size(1).open().await.unwrap();
    for number in 0..64 {
        insert(&store, &format!("h{number}")).await;
    }
    let whole = |n: u64| DocumentWrite::Overwrite(object(&format!(r#"{{"n":{n}}}"#)));
    let patch = |n: u64| DocumentWrite::Merge(object(&format!(r#"{{"n":{n}}}"#)));
    let each = |write: &dyn Fn(u64) -> DocumentWrite| -> Vec<_> {
        let writes = (0..64).map(|number| (format!("h{number}"), write(number)));
        writes.collect()
    };
    let one = |write: &dyn Fn(u64) -> DocumentWrite| -> Vec<_> {
        (0..64).map(|n| ("h7".to_owned(), write(n))).collect()
    };
    let swaps: Vec<_> = (0..64)
        .map(|n| (format!("h{n}"), if n == 7 { swap(63) } else { swap(n) }))
        .collect();
    let mut costs = String::new();
    for (name, writes) in [
        ("64 overwrites", each(&whole)),
        ("64 swaps", swaps),
        ("64 merges", each(&patch)),
        ("64 overwrites of one", one(&whole)),
        ("64 merges of one", one(&patch)),
    ] {
        if name == "64 swaps" {
            // They find what overwrites left.
            write_all(&store, each(&whole)).await;
            write_all(&store, one(&whole)).await;
        }
        let is_prepared = name.contains("swaps") || name.contains("of one");
        if !is_prepared {
            write_all(&store, writes.clone()).await;
        }
        let before = proxy.passed();
        write_all(&store, writes).await;
        let after = proxy.passed();
        let round_trips = after.round_trips - before.round_trips;
        let statements = after.statements - before.statements;
        costs += &format!("{name}: {round_trips} {statements}\n");
    }
    assert_eq!(costs, EXPECTED_TOGETHER);
}

const EXPECTED_TOGETHER: &str = "\
64 overwrites: 1 1
64 swaps: 1 1
64 merges: 2 2
64 overwrites of one: 1 1
64 merges of one: 2 2
";
