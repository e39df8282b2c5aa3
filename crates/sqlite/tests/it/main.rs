//! The SQLite store: the suite of all stores, and what is particular to a file.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests fail by panicking, and a child process tells its parent on standard output"
)]

mod closing;
mod conformance;
mod damage;
mod kill;
mod load;
mod locking;
mod lost;
mod opening;
mod schema;

use std::path::PathBuf;

use rusqlite::Connection;
use supersession::store::{InsertOutcome, Lineage, SessionKey, SessionRecord};
use supersession::{
    AppId, JsonObject, RefreshHash2, RefreshToken, SessionHandle, Store, UnixMillis, UserId,
};
use supersession_sqlite::SqliteStore;
use tempfile::TempDir;

const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);

/// A directory for one database, removed in the end.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("sessions.db")
    }

    async fn store(&self) -> SqliteStore {
        SqliteStore::open(self.path()).await.unwrap()
    }

    /// A connection of some other program.
    fn connection(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

fn key(handle: &str) -> SessionKey {
    SessionKey::new(&AppId::default(), SessionHandle::from(handle))
}

fn session(handle: &str) -> SessionRecord {
    SessionRecord::new(
        key(handle),
        UserId::from("user"),
        Lineage::new(RefreshHash2::of(&RefreshToken::new(handle)), None),
        NOW,
        UnixMillis::new(NOW.get() + 1_000),
    )
}

fn object(text: &str) -> JsonObject {
    text.parse().unwrap()
}

async fn insert(store: &SqliteStore, handle: &str) {
    assert_eq!(
        store.insert_session(&session(handle)).await.unwrap(),
        InsertOutcome::Inserted
    );
}
