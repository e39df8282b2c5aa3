//! The suite that every store must pass, on a file and in memory.

use supersession_sqlite::SqliteStore;
use tempfile::TempDir;

async fn in_a_file() -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("sessions.db"))
        .await
        .unwrap();
    (store, directory)
}

supersession_testkit::store_conformance!(in_a_file);
supersession_testkit::tenant_conformance!(in_a_file);

mod memory {
    use supersession_sqlite::SqliteStore;

    async fn in_memory() -> (SqliteStore, ()) {
        (SqliteStore::options().in_memory().open().await.unwrap(), ())
    }

    supersession_testkit::store_conformance!(in_memory);
    supersession_testkit::tenant_conformance!(in_memory);
}

/// The contract as a state machine, where a step costs least.
mod model {
    use supersession_sqlite::SqliteStore;

    async fn in_memory() -> (SqliteStore, ()) {
        (SqliteStore::options().in_memory().open().await.unwrap(), ())
    }

    supersession_testkit::store_model!(in_memory, 256);
}
