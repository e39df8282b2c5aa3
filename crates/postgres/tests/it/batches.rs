//! Changes of documents that share a statement, on a real server. `src/batch/mod.rs` describes the
//! mechanism, and lists what each test file proves.
//!
//! The tests run in a runtime with one thread. There, all changes that are started together are
//! queued before the first writer takes any, so they form one batch. `write_all` relies on this.
//! `fill` creates the documents that the random test writes to, and `Target` names one of them.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use supersession::store::{
    DocumentWrite, MemoryStore, SessionDocument, StoreError, StoreErrorKind, WriteOutcome,
};
use supersession::{AppId, JsonObject, Store, UnixMillis, UserId};
use supersession_postgres::PostgresStore;
use supersession_testkit::servers::PostgresServer;
use tokio::task::{JoinHandle, JoinSet};

use crate::proxy::Proxy;
use crate::{NOW, Place, chain, insert, key, kind_of, object, server, session};

#[derive(Clone, Debug)]
enum Target {
    Data(String),
    Payload(String),
    Metadata(String),
}

impl Target {
    async fn write(
        &self,
        store: &impl Store,
        write: &DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError> {
        let which = match self {
            Self::Data(_) => SessionDocument::SessionData,
            Self::Payload(_) => SessionDocument::Payload,
            Self::Metadata(user) => {
                let user = UserId::from(user);
                return store
                    .write_user_metadata(&AppId::default(), &user, write)
                    .await;
            }
        };
        let (Self::Data(name) | Self::Payload(name) | Self::Metadata(name)) = self;
        store.write_document(&key(name), which, write, now).await
    }
}

type Started = Vec<JoinHandle<Result<WriteOutcome, StoreError>>>;

fn start_all(store: &PostgresStore, writes: Vec<(Target, DocumentWrite)>) -> Started {
    let tasks = writes.into_iter().map(|(target, write)| {
        let store = store.clone();
        tokio::spawn(async move { target.write(&store, &write, NOW).await })
    });
    tasks.collect()
}

async fn write_all(
    store: &PostgresStore,
    writes: Vec<(Target, DocumentWrite)>,
) -> Vec<Result<WriteOutcome, StoreError>> {
    let mut outcomes = Vec::new();
    for task in start_all(store, writes) {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

fn data(handle: &str) -> Target {
    Target::Data(handle.to_owned())
}

fn overwrite(text: &str) -> DocumentWrite {
    DocumentWrite::Overwrite(object(text))
}

fn merge(text: &str) -> DocumentWrite {
    DocumentWrite::Merge(object(text))
}

fn written(text: &str) -> WriteOutcome {
    WriteOutcome::Written(object(text))
}

async fn stored(store: &impl Store, handle: &str) -> String {
    let found = store.session(&key(handle), NOW).await.unwrap().unwrap();
    found.session_data.as_str().to_owned()
}

fn documents() -> impl Strategy<Value = JsonObject> {
    let members = proptest::collection::btree_map("[ab]", "[12]", 0..2);
    members.prop_map(|members| {
        let members = members
            .iter()
            .map(|(name, value)| format!(r#""{name}":{value}"#));
        object(&format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
    })
}

fn any_writes() -> impl Strategy<Value = Vec<(Target, DocumentWrite, UnixMillis)>> {
    let write = prop_oneof![
        documents().prop_map(DocumentWrite::Overwrite),
        documents().prop_map(DocumentWrite::Merge),
        (documents(), documents()).prop_map(|(expected, replacement)| {
            DocumentWrite::CompareAndSwap {
                expected,
                replacement,
            }
        }),
    ];
    // `c` is over before the others, and there is no `d`.
    let target = prop_oneof![
        "[abcd]".prop_map(Target::Data),
        "[abcd]".prop_map(Target::Payload),
        "[ab]".prop_map(Target::Metadata),
    ];
    let now = prop_oneof![Just(NOW), Just(UnixMillis::new(NOW.get() + 500))];
    proptest::collection::vec((target, write, now), 2..24)
}

async fn fill(store: &impl Store) {
    for handle in ["a", "b", "c"] {
        let mut session = session(handle);
        session.expires_at = UnixMillis::new(NOW.get() + if handle == "c" { 400 } else { 1_000 });
        store.insert_session(&session).await.unwrap();
    }
}

async fn empty(store: &impl Store) {
    let keys = ["a", "b", "c"].map(key);
    store.delete_sessions(&keys).await.unwrap();
    for user in ["a", "b"] {
        let user = UserId::from(user);
        let deleted = store.delete_user_metadata(&AppId::default(), &user).await;
        deleted.unwrap();
    }
}

/// What waits together is answered, and leaves what it would, if it came one after the other.
#[test]
fn a_batch_is_one_after_the_other() {
    let Some(server) = server() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let place = Place::new(server);
    let store = runtime.block_on(place.store());
    let mut runner = TestRunner::new(Config::with_cases(64));
    let outcome = runner.run(&any_writes(), |writes| {
        let (batch, reference) = (store.clone(), MemoryStore::new());
        runtime.block_on(async {
            empty(&batch).await;
            fill(&batch).await;
            fill(&reference).await;
            let mut tasks = Vec::new();
            for (target, write, now) in writes.clone() {
                let batch = batch.clone();
                tasks.push(tokio::spawn(async move {
                    target.write(&batch, &write, now).await.unwrap()
                }));
            }
            for ((target, write, now), task) in writes.iter().zip(tasks) {
                let expected = target.write(&reference, write, *now).await.unwrap();
                prop_assert_eq!(task.await.unwrap(), expected, "{:?}", target);
            }
            for handle in ["a", "b", "c"] {
                let found = batch.session(&key(handle), NOW).await.unwrap();
                let expected = reference.session(&key(handle), NOW).await.unwrap();
                prop_assert_eq!(found, expected);
            }
            for user in ["a", "b"] {
                let (app, user) = (AppId::default(), UserId::from(user));
                let found = batch.user_metadata(&app, &user).await.unwrap();
                let expected = reference.user_metadata(&app, &user).await.unwrap();
                prop_assert_eq!(found, expected);
            }
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_write_that_is_refused_fails_its_caller_alone() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let store = place.store().await;
    for number in 0..8 {
        insert(&store, &format!("h{number}")).await;
    }
    let other = place.connection().await;
    let check = "ALTER TABLE session_info ADD CHECK (session_data NOT LIKE '%poison%')";
    other.batch_execute(check).await.unwrap();
    let mut writes: Vec<_> = (0..8)
        .map(|number| (data(&format!("h{number}")), merge(r#"{"a":1}"#)))
        .collect();
    writes.insert(5, (data("h3"), merge(r#"{"b":"poison"}"#)));
    writes.insert(6, (data("h3"), merge(r#"{"c":1}"#)));
    let odd = Target::Data("a\0b".to_owned());
    writes.insert(7, (odd, overwrite("{}")));
    let mut outcomes = write_all(&store, writes).await;
    assert_eq!(outcomes.remove(7).unwrap(), WriteOutcome::Gone);
    assert_eq!(outcomes.remove(6).unwrap(), written(r#"{"a":1,"c":1}"#));
    let error = outcomes.remove(5).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Internal);
    assert!(chain(&error).contains("23514"), "{}", chain(&error));
    for outcome in outcomes {
        assert_eq!(outcome.unwrap(), written(r#"{"a":1}"#));
    }
    assert_eq!(stored(&store, "h3").await, r#"{"a":1,"c":1}"#);
    // A user id that PostgreSQL cannot hold.
    let writes = ["u0", "u\0", "u1"].map(|user| {
        let target = Target::Metadata(user.to_owned());
        (target, overwrite(r#"{"a":1}"#))
    });
    let mut outcomes = write_all(&store, writes.to_vec()).await;
    let error = outcomes.remove(1).unwrap_err();
    assert!(chain(&error).contains("22021"), "{}", chain(&error));
    for outcome in outcomes {
        assert_eq!(outcome.unwrap(), written(r#"{"a":1}"#));
    }
}

/// Somebody who keeps a row, in psql, say, keeps nobody else from writing.
#[tokio::test]
async fn a_row_that_somebody_holds_holds_up_its_own_writers_only() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let store = place.store().await;
    for handle in ["h0", "h1", "h2", "held0", "held1", "held2"] {
        insert(&store, handle).await;
    }
    let other = place.connection().await;
    let hold = "BEGIN; SELECT FROM session_info WHERE session_handle LIKE 'held_' FOR UPDATE";
    other.batch_execute(hold).await.unwrap();
    // In a batch, and one by one, as many as there are writers and more.
    let mut stuck = start_all(
        &store,
        vec![
            (data("held0"), merge(r#"{"a":1}"#)),
            (data("h0"), merge(r#"{"a":1}"#)),
            (data("h1"), overwrite(r#"{"a":1}"#)),
        ],
    );
    for free in stuck.drain(1..) {
        assert_eq!(free.await.unwrap().unwrap(), written(r#"{"a":1}"#));
    }
    for held in ["held1", "held2"] {
        let write = vec![(data(held), overwrite(r#"{"a":1}"#))];
        stuck.extend(start_all(&store, write));
        let watcher = place.connection().await;
        let waiting = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                AND query LIKE '%\"{}\".\"session_info\"%'",
            place.schema
        );
        while watcher
            .query_one(&waiting, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            < stuck.len() as i64
        {
            tokio::task::yield_now().await;
        }
    }
    let free = vec![(data("h2"), overwrite(r#"{"a":1}"#))];
    for outcome in write_all(&store, free).await {
        assert_eq!(outcome.unwrap(), written(r#"{"a":1}"#));
    }
    assert!(!stuck.iter().any(JoinHandle::is_finished));
    other.batch_execute("COMMIT").await.unwrap();
    for held in stuck {
        assert_eq!(held.await.unwrap().unwrap(), written(r#"{"a":1}"#));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_of_two_nodes_in_opposite_order_neither_deadlock_nor_lose() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    const SESSIONS: usize = 32;
    const ROUNDS: usize = 20;
    let nodes = [
        PostgresStore::open(server.url()).await.unwrap(),
        PostgresStore::open(server.url()).await.unwrap(),
    ];
    for number in 0..SESSIONS {
        insert(&nodes[0], &format!("h{number:02}")).await;
    }
    let mut tasks = JoinSet::new();
    for (node, store) in nodes.iter().enumerate() {
        for number in 0..SESSIONS {
            let number = if node == 0 {
                number
            } else {
                SESSIONS - 1 - number
            };
            for target in [
                Target::Data(format!("h{number:02}")),
                Target::Metadata(format!("u{number:02}")),
            ] {
                let store = store.clone();
                tasks.spawn(async move {
                    for round in 0..ROUNDS {
                        let patch = merge(&format!(r#"{{"n{node}-{round}":1}}"#));
                        let outcome = target.write(&store, &patch, NOW).await.unwrap();
                        assert!(matches!(outcome, WriteOutcome::Written(_)), "{outcome:?}");
                    }
                });
            }
        }
    }
    tasks.join_all().await;
    for number in 0..SESSIONS {
        for target in [
            Target::Data(format!("h{number:02}")),
            Target::Metadata(format!("u{number:02}")),
        ] {
            match target.write(&nodes[0], &merge("{}"), NOW).await.unwrap() {
                WriteOutcome::Written(all) => assert_eq!(all.keys().len(), 2 * ROUNDS),
                outcome => panic!("{outcome:?}"),
            }
        }
    }
    let log = server.log();
    assert!(!log.contains("deadlock"), "{log}");
}

#[tokio::test]
async fn a_caller_that_goes_away_hurts_nobody_and_its_write_takes_place() {
    let Some(server) = server() else { return };
    let store = Place::new(server).store().await;
    for handle in ["h0", "h1"] {
        insert(&store, handle).await;
    }
    let started = start_all(
        &store,
        vec![
            (data("h0"), merge(r#"{"a":1}"#)),
            (data("h1"), merge(r#"{"a":1}"#)),
            (data("h0"), merge(r#"{"b":1}"#)),
            (data("h1"), merge(r#"{"b":1}"#)),
        ],
    );
    // Each has begun to wait when it is dropped.
    tokio::task::yield_now().await;
    let mut outcomes = Vec::new();
    for (number, task) in started.into_iter().enumerate() {
        if number < 2 {
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        } else {
            outcomes.push(task.await.unwrap().unwrap());
        }
    }
    let both = written(r#"{"a":1,"b":1}"#);
    assert_eq!(outcomes, [both.clone(), both]);
}

#[tokio::test]
async fn a_batch_whose_answer_is_lost_is_not_done_again() {
    let Some(server) = server() else { return };
    let proxy = Proxy::before(server).await;
    let place = Place::new(server);
    let store = place.options().url(proxy.url(server)).pool_size(1);
    let store = store.open().await.unwrap();
    for number in 0..4 {
        insert(&store, &format!("h{number}")).await;
    }
    let writes = (0..4).map(|number| {
        let document = overwrite(&format!(r#"{{"marker":{number}}}"#));
        (data(&format!("h{number}")), document)
    });
    proxy.cut_after(r#"{"marker":2}"#);
    for outcome in write_all(&store, writes.collect()).await {
        assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
    }
    assert!(proxy.has_cut());
    // It was done, and the store works again.
    for number in 0..4 {
        let found = stored(&store, &format!("h{number}")).await;
        assert_eq!(found, format!(r#"{{"marker":{number}}}"#));
    }
}

#[tokio::test]
async fn writers_are_answered_in_bounded_time_and_forgotten_then() {
    let Some(server) = server() else { return };
    let proxy = Proxy::before(server).await;
    let place = Place::new(server);
    let limit = Duration::from_millis(500);
    let options = place.options().url(proxy.url(server)).pool_size(1);
    let store = options.verb_timeout(limit).connect_timeout(limit);
    let store = store.open().await.unwrap();
    for handle in ["h0", "h1"] {
        insert(&store, handle).await;
    }
    proxy.freeze();
    let start = Instant::now();
    let mut started = Vec::new();
    for _ in 0..3 {
        let writes = ["h0", "h1"].map(|handle| (data(handle), overwrite(r#"{"late":1}"#)));
        started.extend(start_all(&store, writes.to_vec()));
        tokio::task::yield_now().await;
    }
    for outcome in started {
        let outcome = outcome.await.unwrap();
        assert_eq!(kind_of(outcome), StoreErrorKind::Unavailable);
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    proxy.thaw();
    let writes = vec![
        (data("h0"), overwrite(r#"{"after":1}"#)),
        (data("h1"), overwrite(r#"{"after":1}"#)),
    ];
    for outcome in write_all(&store, writes).await {
        assert_eq!(outcome.unwrap(), written(r#"{"after":1}"#));
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_store_that_was_dropped() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let url = format!("{}?application_name={}", server.url(), place.schema);
    let store = place.options().url(url).open().await.unwrap();
    for handle in ["h0", "h1"] {
        insert(&store, handle).await;
    }
    let writes = ["h0", "h1", "h0", "h1"].map(|handle| (data(handle), merge(r#"{"a":1}"#)));
    for outcome in write_all(&store, writes.to_vec()).await {
        outcome.unwrap();
    }
    drop(store);
    let watcher = place.connection().await;
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let start = Instant::now();
    while watcher
        .query_one(connections, &[&place.schema])
        .await
        .unwrap()
        .get::<_, i64>(0)
        > 0
    {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "a connection is left"
        );
        tokio::task::yield_now().await;
    }
}
