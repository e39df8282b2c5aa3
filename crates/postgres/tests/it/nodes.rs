//! Two nodes on one database. Writers of one process queue, so only two processes, or two stores as
//! here, race each other in the database.

use std::collections::BTreeSet;

use supersession::store::{DocumentWrite, KeyKind, SessionDocument, StoredKey, WriteOutcome};
use supersession::{AppId, JsonObject, SecretText, Store, UnixMillis, UserId};
use supersession_postgres::PostgresStore;
use tokio::task::JoinSet;

use crate::{NOW, Place, insert, key, object, server};

const TASKS: u64 = 8;
const STEPS: u64 = 25;

async fn two_nodes() -> Option<[PostgresStore; 2]> {
    let place = Place::new(server()?);
    let nodes = [place.store().await, place.store().await];
    insert(&nodes[0], "h").await;
    Some(nodes)
}

/// Where a test writes.
#[derive(Clone, Copy)]
enum Target {
    Document(SessionDocument),
    Metadata,
}

const TARGETS: [Target; 3] = [
    Target::Document(SessionDocument::SessionData),
    Target::Document(SessionDocument::Payload),
    Target::Metadata,
];

impl Target {
    async fn write(self, store: &PostgresStore, write: DocumentWrite) -> WriteOutcome {
        let outcome = match self {
            Self::Document(which) => store.write_document(&key("h"), which, &write, NOW).await,
            Self::Metadata => {
                let (app, user) = (AppId::default(), UserId::from("user"));
                store.write_user_metadata(&app, &user, &write).await
            }
        };
        outcome.unwrap()
    }

    async fn read(self, store: &PostgresStore) -> JsonObject {
        // A merge of nothing answers with what is there.
        match self.write(store, DocumentWrite::Merge(object("{}"))).await {
            WriteOutcome::Written(document) => document,
            outcome => panic!("{outcome:?}"),
        }
    }
}

async fn on_both<F: Future<Output = ()> + Send + 'static>(
    nodes: &[PostgresStore; 2],
    task: impl Fn(PostgresStore, u64) -> F,
) {
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        for (node, store) in (0..).zip(nodes) {
            tasks.spawn(task(store.clone(), node * TASKS + number));
        }
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn swaps_of_two_nodes_lose_no_increment() {
    let Some(nodes) = two_nodes().await else {
        return;
    };
    for target in TARGETS {
        on_both(&nodes, move |store, _| async move {
            for _ in 0..STEPS {
                let mut seen = object("{}");
                loop {
                    let n: u64 = seen.get_as("n").unwrap().unwrap_or(0);
                    let replacement = object(&format!(r#"{{"n":{}}}"#, n + 1));
                    let expected = seen;
                    let swap = DocumentWrite::CompareAndSwap {
                        expected,
                        replacement,
                    };
                    match target.write(&store, swap).await {
                        WriteOutcome::Written(_) => break,
                        WriteOutcome::Conflict(stored) => seen = stored,
                        WriteOutcome::Gone => panic!("it is gone"),
                    }
                }
            }
        })
        .await;
        let expected = format!(r#"{{"n":{}}}"#, 2 * TASKS * STEPS);
        assert_eq!(target.read(&nodes[0]).await.as_str(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn merges_of_two_nodes_all_survive() {
    let Some(nodes) = two_nodes().await else {
        return;
    };
    for target in TARGETS {
        on_both(&nodes, move |store, number| async move {
            for step in 0..STEPS {
                let patch = object(&format!(r#"{{"m{number}-{step}":1}}"#));
                target.write(&store, DocumentWrite::Merge(patch)).await;
            }
        })
        .await;
        let found: BTreeSet<_> = target.read(&nodes[1]).await.keys().into_iter().collect();
        let members = (0..2 * TASKS)
            .flat_map(|number| (0..STEPS).map(move |step| format!("m{number}-{step}")));
        assert_eq!(found, members.collect());
    }
}

fn dynamic_key(millis: u64) -> StoredKey {
    let created_at = UnixMillis::new(NOW.get() + millis);
    StoredKey::new(
        format!("d-{created_at}"),
        KeyKind::Dynamic,
        created_at,
        SecretText::new("public|private"),
    )
}

/// Somebody else is about to add a key, and holds the app's row: nothing of it is to be seen yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_waits_for_the_key_that_another_is_adding() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let store = place.store().await;
    insert(&store, "h").await;
    let other = place.connection().await;
    other
        .batch_execute(
            "BEGIN;
             SELECT FROM apps WHERE app_id = 'public' FOR NO KEY UPDATE;
             INSERT INTO session_access_token_signing_keys VALUES ('public', 1800000000005, 'a|b');
             INSERT INTO jwt_signing_keys VALUES ('public', 's-other', 'a|b', 'RS256', 1)",
        )
        .await
        .unwrap();
    let mut adding = JoinSet::new();
    let (dynamic, fixed) = (store.clone(), store.clone());
    adding.spawn(async move {
        let app = AppId::default();
        dynamic.add_dynamic_key(&app, &dynamic_key(1), NOW).await
    });
    adding.spawn(async move {
        let mut key = dynamic_key(1);
        key.kid = "s-ours".to_owned();
        key.kind = KeyKind::Static;
        fixed.add_static_key(&AppId::default(), &key).await
    });
    // Sessions of the app are made meanwhile.
    insert(&store, "i").await;
    let watcher = place.connection().await;
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
            AND query LIKE '%\"{}\".\"apps\"%'",
        place.schema
    );
    // Or they are done, which would be wrong.
    let mut done = Vec::new();
    let mut waits = 0_i64;
    while waits < 2 && done.is_empty() {
        waits = watcher.query_one(&waiting, &[]).await.unwrap().get(0);
        done.extend(adding.try_join_next());
        tokio::task::yield_now().await;
    }
    assert!(done.is_empty(), "{done:?}");
    other.batch_execute("COMMIT").await.unwrap();
    for added in adding.join_all().await {
        assert!(!added.unwrap());
    }
    let keys = store.signing_keys(&AppId::default()).await.unwrap();
    assert_eq!(keys.len(), 2);
}
