//! The Redis store: the suite of all stores, on a server and on a cluster, and what is particular to
//! Redis.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod conformance;
mod costs;
mod durability;
mod faults;
mod feed;
mod indexes;
mod load;
mod opening;
mod proxy;
mod ready;
mod runtimes;

use std::sync::atomic::{AtomicU32, Ordering};

use supersession::store::{InsertOutcome, Lineage, SessionKey, SessionRecord, UserSessions};
use supersession::{
    AppId, JsonObject, RefreshHash2, RefreshToken, SessionHandle, Store, UnixMillis, UserId,
};
use supersession_redis::{RedisOptions, RedisStore};
use supersession_testkit::servers::RedisServer;

const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);

/// A prefix that no other test has.
fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn options(server: &RedisServer) -> RedisOptions {
    RedisStore::options().url(server.url()).prefix(prefix())
}

/// Runs the rest of a test on a fresh store on the shared server; returns if there is none.
macro_rules! on_server {
    () => {
        match supersession_testkit::servers::RedisServer::shared() {
            Some(server) => server,
            None => return,
        }
    };
    ($($setting:literal),+) => {
        match supersession_testkit::servers::RedisServer::start(&[$($setting),+]) {
            Some(server) => server,
            None => return,
        }
    };
}
use on_server;

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

fn of_user() -> UserSessions {
    UserSessions::new(AppId::default(), UserId::from("user"))
}

fn object(text: &str) -> JsonObject {
    text.parse().unwrap()
}

async fn insert(store: &RedisStore, handle: &str) {
    assert_eq!(
        store.insert_session(&session(handle)).await.unwrap(),
        InsertOutcome::Inserted
    );
}
