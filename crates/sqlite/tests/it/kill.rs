//! A process that is killed in the middle of its writes loses none that it was told of.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use supersession::Store;
use supersession::store::{DocumentWrite, InsertOutcome, SessionDocument, WriteOutcome};
use supersession_sqlite::SqliteStore;

use crate::{NOW, Place, insert, key, object, session};

const VARIABLE: &str = "SUPERSESSION_TEST_KILLED_DATABASE";
const ROUNDS: usize = 4;
const ANSWERS: usize = 400;

#[tokio::test]
async fn answered_writes_survive_kill_9() {
    let place = Place::new();
    insert(&place.store().await, "counter").await;
    let mut answered = HashSet::new();
    let mut counted = 0;
    for round in 0..ROUNDS {
        for answer in answers_until_killed(&place.path()) {
            match answer.split_once(' ') {
                Some(("inserted", handle)) => assert!(answered.insert(handle.to_owned())),
                Some(("counted", n)) => counted = counted.max(n.parse().unwrap()),
                _ => panic!("what does {answer:?} mean?"),
            }
        }
        let check: String = place
            .connection()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        let store = place.store().await;
        for handle in &answered {
            let found = store.session(&key(handle), NOW).await.unwrap();
            assert_eq!(found, Some(session(handle)), "round {round} lost {handle}");
        }
        let counter = store.session(&key("counter"), NOW).await.unwrap().unwrap();
        let n: u64 = counter.session_data.get_as("n").unwrap().unwrap();
        assert!(
            n >= counted,
            "round {round}: {n} is stored, {counted} was answered"
        );
    }
}

/// What the child reported before it died. It may have written more than it could tell.
fn answers_until_killed(path: &Path) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kill::the_child_that_is_killed"])
        .arg("--nocapture")
        .env(VARIABLE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut lines = lines.filter_map(|line| line.strip_prefix("> ").map(str::to_owned));
    let mut answers: Vec<_> = lines.by_ref().take(ANSWERS).collect();
    assert_eq!(answers.len(), ANSWERS, "the child ended by itself");
    child.kill().unwrap();
    answers.extend(lines);
    child.wait().unwrap();
    answers
}

/// Writes for ever, and prints each answer.
#[test]
#[ignore = "not a test: another one runs it in another process"]
fn the_child_that_is_killed() {
    let Some(path) = std::env::var_os(VARIABLE) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&path).await.unwrap();
        let mut tasks: Vec<_> = (0..6)
            .map(|task| tokio::spawn(insert_for_ever(store.clone(), task)))
            .collect();
        tasks.extend((0..2).map(|_| tokio::spawn(count_for_ever(store.clone()))));
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn insert_for_ever(store: SqliteStore, task: usize) {
    for number in 0.. {
        let handle = format!("{}-{task}-{number}", std::process::id());
        let outcome = store.insert_session(&session(&handle)).await.unwrap();
        assert_eq!(outcome, InsertOutcome::Inserted);
        println!("> inserted {handle}");
    }
}

async fn count_for_ever(store: SqliteStore) {
    let mut seen = object("{}");
    loop {
        let n: u64 = seen.get_as("n").unwrap().unwrap_or(0);
        let replacement = seen.with("n", &(n + 1)).unwrap();
        let swap = DocumentWrite::CompareAndSwap {
            expected: seen,
            replacement,
        };
        let document = SessionDocument::SessionData;
        match store
            .write_document(&key("counter"), document, &swap, NOW)
            .await
            .unwrap()
        {
            WriteOutcome::Written(stored) => {
                println!("> counted {}", n + 1);
                seen = stored;
            }
            WriteOutcome::Conflict(stored) => seen = stored,
            WriteOutcome::Gone => panic!("the counter is gone"),
        }
    }
}
