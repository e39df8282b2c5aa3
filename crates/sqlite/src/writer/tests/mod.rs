// Counts statements, as `costs` does.
#[cfg(not(other_rusqlite))]
mod folding;
mod one_by_one;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use pollster::block_on;
use rusqlite::Connection;
use supersession::store::{StoreError, StoreErrorKind};
use tempfile::TempDir;

use crate::SqliteStore;
use crate::fault::Fault;
use crate::job::Queue;
use crate::writer::Entry;

struct Scene {
    directory: TempDir,
    store: SqliteStore,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>>>>;

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sessions.db");
        let store = SqliteStore::options().path(path).open_blocking().unwrap();
        Self { directory, store }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("sessions.db")
    }

    /// Submits a job without waiting for its answer.
    fn queue<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<T> {
        queue(&self.store, work)
    }

    fn hold(&self) -> (Sender<()>, Answer<()>) {
        hold(&self.store)
    }

    /// Returns the committed apps, without `public`.
    fn apps(&self) -> Vec<String> {
        apps(&Connection::open(self.path()).unwrap())
    }
}

/// Submits a job without waiting for its answer.
fn queue<T: Send + 'static>(
    store: &SqliteStore,
    work: impl Fn(&Connection) -> Result<T, Fault> + Send + 'static,
) -> Answer<T> {
    let store = store.clone();
    queued(async move { store.write("test", work).await })
}

/// Keeps the writer busy until the sender is dropped, so that everything queued meanwhile becomes
/// one group.
fn hold(store: &SqliteStore) -> (Sender<()>, Answer<()>) {
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    let held = queue(store, move |_| {
        let _ = started.send(());
        let _ = released.recv();
        Ok(())
    });
    has_started.recv().unwrap();
    (release, held)
}

/// Submits the operation without waiting for its answer.
fn queued<T>(verb: impl Future<Output = Result<T, StoreError>> + 'static) -> Answer<T> {
    let mut answer: Answer<T> = Box::pin(verb);
    let polled = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    answer
}

fn apps(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare("SELECT app_id FROM apps ORDER BY app_id")
        .unwrap();
    let apps = statement.query_map([], |row| row.get(0)).unwrap();
    apps.map(Result::unwrap).collect()
}

fn add_app(connection: &Connection, app: &str) -> Result<(), Fault> {
    connection.execute("INSERT INTO apps (app_id) VALUES (?1)", [app])?;
    Ok(())
}

#[test]
fn what_waits_is_committed_together_and_answered_after_the_commit() {
    let scene = Scene::new();
    let (release, held) = scene.hold();
    let committed_meanwhile = Arc::new(Mutex::new(Vec::new()));
    let answers: Vec<_> = (0..10)
        .map(|number| {
            let (path, seen) = (scene.path(), Arc::clone(&committed_meanwhile));
            scene.queue(move |connection| {
                add_app(connection, &format!("a{number}"))?;
                seen.lock()
                    .unwrap()
                    .extend(apps(&Connection::open(&path).unwrap()));
                Ok(())
            })
        })
        .collect();
    drop(release);
    block_on(held).unwrap();
    for answer in answers {
        block_on(answer).unwrap();
        assert_eq!(scene.apps().len(), 10, "an answer came before its commit");
    }
    assert!(
        committed_meanwhile.lock().unwrap().is_empty(),
        "there was more than one commit"
    );
}

#[test]
fn a_job_that_fails_does_so_alone_and_leaves_nothing() {
    let scene = Scene::new();
    let (release, held) = scene.hold();
    let before = scene.queue(|connection| add_app(connection, "before"));
    let without_a_trace = scene.queue(|_| Err::<(), _>(Fault::Row("made up")));
    let between = scene.queue(|connection| add_app(connection, "between"));
    let after_a_write = scene.queue(|connection| {
        add_app(connection, "half-done")?;
        Err::<(), _>(Fault::Row("made up"))
    });
    let twice = scene.queue(|connection| add_app(connection, "before"));
    let after = scene.queue(|connection| add_app(connection, "zafter"));
    drop(release);
    block_on(held).unwrap();
    for answer in [before, between, after] {
        block_on(answer).unwrap();
    }
    assert_eq!(
        block_on(without_a_trace).unwrap_err().kind(),
        StoreErrorKind::Corrupt
    );
    assert_eq!(
        block_on(after_a_write).unwrap_err().kind(),
        StoreErrorKind::Corrupt
    );
    assert_eq!(
        block_on(twice).unwrap_err().kind(),
        StoreErrorKind::Internal
    );
    assert_eq!(scene.apps(), ["before", "between", "zafter"]);
}

#[test]
fn a_job_that_panics_is_answered_and_the_store_goes_on() {
    let scene = Scene::new();
    let (release, held) = scene.hold();
    let before = scene.queue(|connection| add_app(connection, "before"));
    let panicking = scene.queue(|connection| -> Result<(), Fault> {
        add_app(connection, "half-done")?;
        panic!("on purpose");
    });
    drop(release);
    block_on(held).unwrap();
    block_on(before).unwrap();
    assert_eq!(
        block_on(panicking).unwrap_err().kind(),
        StoreErrorKind::Internal
    );
    block_on(
        scene
            .store
            .write("test", |connection| add_app(connection, "later")),
    )
    .unwrap();
    assert_eq!(scene.apps(), ["before", "later"]);

    let error = block_on(
        scene
            .store
            .read("test", |_| -> Result<(), Fault> { panic!("on purpose") }),
    );
    assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Internal);
    block_on(scene.store.read("test", |_| Ok(()))).unwrap();
}

#[test]
fn a_full_disk_fails_the_writes_that_need_room_and_no_others() {
    let scene = Scene::new();
    let limit = |pages: &'static str| {
        block_on(scene.store.write("test", move |connection| {
            connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        }))
        .unwrap();
    };
    limit("1"); // SQLite uses the current size if that is larger.
    let (release, held) = scene.hold();
    let small = scene.queue(|connection| add_app(connection, "small"));
    let large = scene.queue(|connection| add_app(connection, &"x".repeat(100_000)));
    let also_small = scene.queue(|connection| add_app(connection, "also-small"));
    drop(release);
    block_on(held).unwrap();
    block_on(small).unwrap();
    assert_eq!(
        block_on(large).unwrap_err().kind(),
        StoreErrorKind::NotWritable
    );
    block_on(also_small).unwrap();
    assert_eq!(scene.apps(), ["also-small", "small"]);

    limit("1000000");
    let large = scene.store.write("test", |connection| {
        add_app(connection, &"x".repeat(100_000))
    });
    block_on(large).unwrap();
    assert_eq!(scene.apps().len(), 3);
}

#[test]
fn a_commit_that_fails_fails_its_whole_group() {
    let scene = Scene::new();
    let (release, held) = scene.hold();
    let innocent = scene.queue(|connection| add_app(connection, "innocent"));
    let orphan = scene.queue(|connection| {
        // The missing parent is detected only at commit.
        connection.execute_batch(
            "PRAGMA defer_foreign_keys = ON;
             INSERT INTO tenants (app_id, tenant_id) VALUES ('missing', 'public')",
        )?;
        Ok(())
    });
    drop(release);
    block_on(held).unwrap();
    assert_eq!(
        block_on(innocent).unwrap_err().kind(),
        StoreErrorKind::Internal
    );
    assert_eq!(
        block_on(orphan).unwrap_err().kind(),
        StoreErrorKind::Internal
    );
    assert!(scene.apps().is_empty());
    block_on(
        scene
            .store
            .write("test", |connection| add_app(connection, "later")),
    )
    .unwrap();
    assert_eq!(scene.apps(), ["later"]);
}

#[test]
fn a_job_that_lost_its_transaction_is_not_told_that_it_succeeded() {
    let scene = Scene::new();
    let lost = scene.store.write("test", |connection| {
        add_app(connection, "lost")?;
        connection.execute_batch("ROLLBACK")?;
        Ok(())
    });
    assert_eq!(block_on(lost).unwrap_err().kind(), StoreErrorKind::Internal);
    assert!(scene.apps().is_empty());
}

#[test]
fn without_its_thread_a_queue_answers_all_the_same() {
    let (queue, waiting) = Queue::<Entry>::bounded(1);
    let mut answer = Box::pin(queue.run(|_| Ok(())));
    assert!(
        answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    drop(waiting);
    assert!(matches!(block_on(answer), Err(Fault::Stopped)));
    assert!(matches!(
        block_on(queue.run(|_| Ok(()))),
        Err(Fault::Stopped)
    ));
}
