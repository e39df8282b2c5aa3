//! Fixtures that the cases share.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "for tests, which fail by panicking"
)]

use std::sync::Arc;

use supersession::store::{
    DocumentWrite, InsertOutcome, KeyKind, Lineage, PreviousRefresh, SessionKey, SessionRecord,
    StoredKey, UserSessions, WriteOutcome,
};
use supersession::{
    AppId, JsonObject, RefreshHash2, RefreshToken, SecretText, SessionHandle, Store, TenantId,
    UnixMillis, UserId,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// The store under test.
pub type SharedStore = Arc<dyn Store>;

/// The time at which the cases run. It is far from the real time, so that a store that reads a
/// clock fails. It is in the future, so that nothing has expired by the real clock.
pub const NOW: UnixMillis = UnixMillis::new(4_000_000_000_000);
/// Expiry of the sessions that [`session`] creates.
pub const END: UnixMillis = UnixMillis::new(NOW.get() + 3_600_000);

/// Returns the time `millis` milliseconds after [`NOW`].
pub fn at(millis: u64) -> UnixMillis {
    UnixMillis::new(NOW.get() + millis)
}

/// Returns the last millisecond in which a [`session`] is live.
pub fn last_moment() -> UnixMillis {
    UnixMillis::new(END.get() - 1)
}

pub fn app(id: &str) -> AppId {
    AppId::from_stored(id)
}

pub fn tenant(id: &str) -> TenantId {
    TenantId::from_stored(id)
}

pub fn user(id: &str) -> UserId {
    UserId::from(id)
}

/// Returns the key of a session in the default app. A handle such as `h_t1` belongs to the tenant
/// `t1`.
pub fn key(handle: &str) -> SessionKey {
    SessionKey::new(&AppId::default(), SessionHandle::from(handle))
}

/// Returns a session of the user `user` that lives from [`NOW`] to [`END`].
pub fn session(handle: &str) -> SessionRecord {
    let mut record = SessionRecord::new(
        key(handle),
        user("user"),
        Lineage::new(hash("first"), None),
        NOW,
        END,
    );
    record.session_data = object(r#"{"in":"data"}"#);
    record.payload = object(r#"{"in":"payload"}"#);
    record
}

/// Returns a [`session`] of another user.
pub fn session_of(user_id: &str, handle: &str) -> SessionRecord {
    let mut record = session(handle);
    record.user_id = user(user_id);
    record
}

/// Selects the live sessions of `user_id` in the default app.
pub fn sessions_of(user_id: &str) -> UserSessions {
    UserSessions::new(AppId::default(), user(user_id))
}

pub fn hash(token: &str) -> RefreshHash2 {
    RefreshHash2::of(&RefreshToken::new(token))
}

/// Returns the lineage after `previous` was exchanged for `current` at `rotated_at`.
pub fn rotated(previous: &str, current: &str, rotated_at: UnixMillis) -> Lineage {
    let previous = Some(PreviousRefresh::new(hash(previous), rotated_at));
    Lineage::new(hash(current), previous)
}

/// Parses a document.
///
/// # Panics
/// If the text is not a JSON object.
#[track_caller]
pub fn object(text: &str) -> JsonObject {
    text.parse().unwrap()
}

pub fn overwrite(text: &str) -> DocumentWrite {
    DocumentWrite::Overwrite(object(text))
}

pub fn merge(text: &str) -> DocumentWrite {
    DocumentWrite::Merge(object(text))
}

pub fn swap(expected: &str, replacement: &str) -> DocumentWrite {
    DocumentWrite::CompareAndSwap {
        expected: object(expected),
        replacement: object(replacement),
    }
}

pub fn written(text: &str) -> WriteOutcome {
    WriteOutcome::Written(object(text))
}

pub fn conflict(text: &str) -> WriteOutcome {
    WriteOutcome::Conflict(object(text))
}

/// Returns a dynamic key. `text` takes the place of the key pair.
pub fn dynamic_key(created_at: UnixMillis, text: &str) -> StoredKey {
    StoredKey::new(
        format!("d-{created_at}"),
        KeyKind::Dynamic,
        created_at,
        SecretText::new(format!("public{text}|private{text}")),
    )
}

/// Returns a static key. `id` takes the place of the UUID.
pub fn static_key(id: &str, created_at: UnixMillis) -> StoredKey {
    StoredKey::new(
        format!("s-{id}"),
        KeyKind::Static,
        created_at,
        SecretText::new(format!("public{id}|private{id}")),
    )
}

/// Returns the ids of the keys.
pub fn kids(keys: &[StoredKey]) -> Vec<&str> {
    keys.iter().map(|key| key.kid.as_str()).collect()
}

pub async fn insert(store: &SharedStore, session: &SessionRecord) {
    assert_eq!(
        store.insert_session(session).await.unwrap(),
        InsertOutcome::Inserted
    );
}

/// Returns the stored session data.
pub async fn session_data(store: &SharedStore, handle: &str) -> String {
    let found = store.session(&key(handle), NOW).await.unwrap();
    found.unwrap().session_data.as_str().to_owned()
}

/// Increments the member `n`, and retries each time a concurrent write was faster. `swap` performs
/// a compare-and-swap.
pub async fn increment<F: Future<Output = WriteOutcome>>(swap: impl Fn(DocumentWrite) -> F) {
    let mut seen = JsonObject::empty();
    loop {
        let n: u64 = seen.get_as("n").unwrap().unwrap_or(0);
        let replacement = seen.with("n", &(n + 1)).unwrap();
        let write = DocumentWrite::CompareAndSwap {
            expected: seen,
            replacement,
        };
        match swap(write).await {
            WriteOutcome::Written(_) => return,
            WriteOutcome::Conflict(stored) => seen = stored,
            WriteOutcome::Gone => panic!("the document is gone"),
        }
    }
}

/// Runs one task per racer. All start at once. Returns their results in the order of the racers.
pub async fn race<T, F>(racers: usize, mut racer: impl FnMut(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(racers));
    let mut tasks = JoinSet::new();
    for number in 0..racers {
        let (start, run) = (Arc::clone(&start), racer(number));
        tasks.spawn(async move {
            start.wait().await;
            (number, run.await)
        });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
