//! Sessions that end, over several nodes: code that waits for it, and guards that rely on the store's
//! feed of revocations.

mod feed;
mod waiting;

use std::time::Duration;

use supersession::store::MemoryStore;
use supersession::{Sessions, SessionsBuilder};
use supersession_testkit::{FaultStore, ManualClock};

use crate::support::{START, capture, default_config, seed_keys};

const NEVER: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(30);

/// Several nodes over one store.
struct Nodes {
    store: FaultStore<MemoryStore>,
    clock: ManualClock,
}

impl Nodes {
    async fn over(store: MemoryStore) -> Self {
        capture::install();
        let store = FaultStore::new(store);
        seed_keys(&store, START).await;
        Self {
            store,
            clock: ManualClock::new(START),
        }
    }

    /// A store whose nodes hear of each other's revocations.
    async fn with_feed() -> Self {
        Self::over(MemoryStore::with_revocation_feed()).await
    }

    async fn without_feed() -> Self {
        Self::over(MemoryStore::new()).await
    }

    async fn start(&self, configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Sessions {
        let builder = default_config(Sessions::builder(self.store.clone()));
        configure(builder.clock(self.clock.clone()))
            .build()
            .await
            .unwrap()
    }
}

/// Waits for something that other threads bring about.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("nobody told that the session ended"))
}
