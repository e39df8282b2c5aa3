//! The state that all verbs of a store share: its connection, the names of its keys, its scripts and
//! its settings.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use crate::keys::{Keyspace, Marks};
use crate::link::Link;
use crate::scripts::Scripts;

/// The state that all verbs of a store share.
pub(crate) struct Context {
    pub(crate) link: Link,
    pub(crate) keys: Keyspace,
    pub(crate) scripts: Scripts,
    pub(crate) marks: Marks,
    /// Locks that put the merges of one document within this process in a queue. A document's name
    /// selects its lock, so two documents can share one.
    pub(crate) merges: Box<[Mutex<()>]>,
    pub(crate) server: String,
    pub(crate) expiry_margin: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

impl Context {
    /// Waits until this process has no other merge of this document in progress.
    pub(crate) async fn merge_turn(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        let queues = self.merges.len().max(1) as u64;
        let queue = usize::try_from(hasher().hash_one(name) % queues).unwrap_or(0);
        Some(self.merges.get(queue)?.lock().await)
    }

    /// Waits for a random time, longer with each attempt, so that competing writers can finish
    /// first.
    pub(crate) async fn back_off(&self, tried: u32) {
        let longest = 1_u64 << tried.min(5);
        let millis = RandomState::new().hash_one(tried) % longest;
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

fn hasher() -> &'static RandomState {
    static HASHER: OnceLock<RandomState> = OnceLock::new();
    HASHER.get_or_init(RandomState::new)
}
