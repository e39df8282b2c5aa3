//! The PostgreSQL store: the suite of all stores, and what is particular to a server.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod adopting;
mod anywhere;
mod batches;
mod conformance;
mod costs;
mod faults;
mod feed;
mod load;
mod nodes;
mod opening;
mod proxy;
mod ready;
mod schema;
mod settings;
mod tls;

use std::sync::atomic::{AtomicU32, Ordering};

use supersession::store::{InsertOutcome, Lineage, SessionKey, SessionRecord, StoreError};
use supersession::{
    AppId, JsonObject, RefreshHash2, RefreshToken, SessionHandle, Store, UnixMillis, UserId,
};
use supersession_postgres::deadpool_postgres::tokio_postgres::{self, NoTls};
use supersession_postgres::{PostgresOptions, PostgresStore};
use supersession_testkit::servers::PostgresServer;

const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);

/// The server that the tests share; `None` if PostgreSQL is not installed, which was said.
fn server() -> Option<&'static PostgresServer> {
    PostgresServer::shared()
}

/// A schema of one test.
struct Place<'a> {
    server: &'a PostgresServer,
    schema: String,
}

impl<'a> Place<'a> {
    fn new(server: &'a PostgresServer) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let schema = format!("place_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { server, schema }
    }

    fn options(&self) -> PostgresOptions {
        PostgresStore::options()
            .url(self.server.url())
            .schema(&self.schema)
    }

    async fn store(&self) -> PostgresStore {
        self.options().open().await.unwrap()
    }

    /// A connection of some other program, which finds the tables by their bare names.
    async fn connection(&self) -> tokio_postgres::Client {
        let client = connect(&self.server.url()).await;
        let path = format!("SET search_path = \"{}\"", self.schema);
        client.batch_execute(&path).await.unwrap();
        client
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
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

async fn insert(store: &PostgresStore, handle: &str) {
    assert_eq!(
        store.insert_session(&session(handle)).await.unwrap(),
        InsertOutcome::Inserted
    );
}

/// An error and its causes, as a log shows them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[track_caller]
fn kind_of<T: std::fmt::Debug>(
    outcome: Result<T, StoreError>,
) -> supersession::store::StoreErrorKind {
    outcome.unwrap_err().kind()
}
