//! Filling of stores with many sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use supersession::store::{InsertOutcome, Lineage, SessionKey, SessionRecord};
use supersession::{
    AppId, JsonObject, RefreshHash2, RefreshToken, SessionHandle, Store, UnixMillis, UserId,
};
use tokio::task::JoinSet;

use crate::ours::now;

/// Number of sessions per user.
pub(crate) const SESSIONS_EACH: u64 = 10;
const WRITERS: usize = 256;
const LIFE: Duration = Duration::from_secs(100 * 86_400);

/// Returns the handle of the session with this number.
pub(crate) fn handle(number: u64) -> SessionHandle {
    SessionHandle::from(format!("{number:08x}-7a1c-4d7e-9b52-0d6f1c1e5a10"))
}

/// Returns the key of the session with this number.
pub(crate) fn key(number: u64) -> SessionKey {
    SessionKey::new(&AppId::default(), handle(number))
}

/// Returns the user with this number.
pub(crate) fn user(number: u64) -> UserId {
    UserId::from(format!("user-{number:08}"))
}

/// Returns a session that is created at `now`.
pub(crate) fn record(number: u64, user_id: UserId, now: UnixMillis) -> SessionRecord {
    let expires_at = now.after(LIFE);
    let mut record = SessionRecord::new(key(number), user_id, lineage(number), now, expires_at);
    record.session_data = data();
    record
}

/// Returns the lineage with the refresh token of this generation.
pub(crate) fn lineage(generation: u64) -> Lineage {
    Lineage::new(
        RefreshHash2::of(&RefreshToken::new(generation.to_string())),
        None,
    )
}

/// Returns the session data in every store.
pub(crate) fn data() -> JsonObject {
    let data: serde_json::Value =
        serde_json::from_str(bench_harness::SESSION_DATA).expect("it is JSON");
    JsonObject::from_serialize(&data).expect("it is an object")
}

/// Inserts sessions into the store with its own method, ten for each user.
pub(crate) async fn fill<S: Store>(store: &Arc<S>, sessions: u64) -> anyhow::Result<()> {
    let (next, now) = (Arc::new(AtomicU64::new(0)), now());
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (store, next) = (Arc::clone(store), Arc::clone(&next));
        writers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= sessions {
                    return anyhow::Ok(());
                }
                let session = record(number, user(number / SESSIONS_EACH), now);
                let outcome = store.insert_session(&session).await?;
                ensure!(outcome == InsertOutcome::Inserted, "{number} is there");
            }
        });
    }
    for written in writers.join_all().await {
        written?;
    }
    Ok(())
}
