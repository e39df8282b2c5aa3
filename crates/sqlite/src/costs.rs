//! Costs of the verbs: their statements, as SQLite traces them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use pollster::block_on;
use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use supersession::store::{
    DocumentWrite, InsertOutcome, KeyKind, Lineage, PreviousRefresh, RotateOutcome, Rotation,
    SessionDocument, SessionKey, SessionRecord, SessionUse, StoredKey, UserSessions, WriteOutcome,
};
use supersession::{
    AppId, JsonObject, RefreshHash2, SecretText, SessionHandle, Store, UnixMillis, UserId,
};

use crate::SqliteStore;

const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);

/// Statements that the connections of each database have run.
static RUN: Mutex<Option<HashMap<PathBuf, Vec<String>>>> = Mutex::new(None);

/// Records the statements of this connection.
pub(crate) fn watched(mut connection: Connection, path: &Path) -> Connection {
    let path = path.to_owned();
    let note = move |event: TraceEvent<'_>| {
        // A statement that begins with a comment belongs to a trigger.
        if let TraceEvent::Stmt(_, sql) = event
            && !sql.starts_with("--")
        {
            let mut run = RUN.lock().unwrap();
            let of_database = run.get_or_insert_default().entry(path.clone());
            of_database.or_default().push(sql.to_owned());
        }
    };
    let statements = TraceEventCodes::SQLITE_TRACE_STMT;
    connection.trace_v2(statements, Some(note)).unwrap();
    connection
}

/// Returns the statements since the last call, without those of the checkpointer.
pub(crate) fn take(path: &Path) -> Vec<String> {
    let mut run = RUN.lock().unwrap();
    let all = run.get_or_insert_default().remove(path).unwrap_or_default();
    let is_of_verb = |sql: &String| !sql.starts_with("PRAGMA");
    all.into_iter().filter(is_of_verb).collect()
}

fn key(handle: &str) -> SessionKey {
    SessionKey::new(&AppId::default(), SessionHandle::from(handle))
}

fn object(text: &str) -> JsonObject {
    text.parse().unwrap()
}

fn lineage(n: u64) -> Lineage {
    let hash = |n: u64| RefreshHash2::from_hex(format!("{n:064x}"));
    Lineage::new(
        hash(n),
        (n > 1).then(|| PreviousRefresh::new(hash(n - 1), NOW)),
    )
}

fn insert(store: &SqliteStore, handle: &str) {
    let mut record = SessionRecord::new(
        key(handle),
        UserId::from("user"),
        lineage(1),
        NOW,
        UnixMillis::new(NOW.get() + 1_000),
    );
    record.session_data = object(r#"{"n":1}"#);
    let outcome = block_on(store.insert_session(&record)).unwrap();
    assert_eq!(outcome, InsertOutcome::Inserted);
}

fn write(store: &SqliteStore, write: &DocumentWrite) {
    let document = SessionDocument::SessionData;
    let outcome = block_on(store.write_document(&key("h"), document, write, NOW));
    assert!(matches!(outcome.unwrap(), WriteOutcome::Written(_)));
}

fn write_metadata(store: &SqliteStore, write: &DocumentWrite) {
    let (app, user) = (AppId::default(), UserId::from("user"));
    let outcome = block_on(store.write_user_metadata(&app, &user, write));
    assert!(matches!(outcome.unwrap(), WriteOutcome::Written(_)));
}

fn rotate(store: &SqliteStore, n: u64) {
    let next = Rotation::new(
        lineage(n + 1),
        UnixMillis::new(NOW.get() + 1_000),
        KeyKind::Dynamic,
    );
    let outcome = block_on(store.rotate(&key("r"), &lineage(n), &object("{}"), &next, NOW));
    assert_eq!(outcome.unwrap(), RotateOutcome::Rotated);
}

fn stored_key(n: u64, kind: KeyKind) -> StoredKey {
    StoredKey::new(
        format!("s-{n}"),
        kind,
        UnixMillis::new(NOW.get() + n),
        SecretText::new("public|private"),
    )
}

/// Runs each verb twice, and counts the statements of the second run and the transactions around
/// them.
struct Counter {
    store: SqliteStore,
    path: PathBuf,
    costs: String,
}

impl Counter {
    fn count(&mut self, name: &str, verb: impl Fn(&SqliteStore, u64)) {
        verb(&self.store, 1);
        take(&self.path);
        verb(&self.store, 2);
        let run = take(&self.path);
        let begun = run.iter().filter(|sql| *sql == "BEGIN IMMEDIATE").count();
        let committed = run.iter().filter(|sql| *sql == "COMMIT").count();
        assert_eq!(begun, committed, "{run:?}");
        assert!(begun < 2, "{run:?}");
        let place = if begun == 1 { "write" } else { "read" };
        let statements = run.len() - begun - committed;
        self.costs += &format!("{name}: {statements} {place}\n");
    }
}

#[test]
fn every_verb_costs_what_the_documentation_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = SqliteStore::options().path(&path).open_blocking().unwrap();
    for handle in ["h", "r", "d1", "d2", "d3", "d4"] {
        insert(&store, handle);
    }
    write_metadata(&store, &DocumentWrite::Overwrite(object(r#"{"n":1}"#)));
    let mut counter = Counter {
        store,
        path: std::path::absolute(path).unwrap(),
        costs: String::new(),
    };
    sessions(&mut counter);
    users(&mut counter);
    keys(&mut counter);
    assert_eq!(counter.costs, EXPECTED);
}

fn patch(n: u64) -> DocumentWrite {
    DocumentWrite::Merge(object(&format!(r#"{{"k":{n}}}"#)))
}

fn whole(n: u64) -> DocumentWrite {
    DocumentWrite::Overwrite(object(&format!(r#"{{"n":{n}}}"#)))
}

fn swap(n: u64) -> DocumentWrite {
    DocumentWrite::CompareAndSwap {
        expected: object(&format!(r#"{{"n":{n}}}"#)),
        replacement: object(&format!(r#"{{"n":{}}}"#, n + 1)),
    }
}

fn sessions(counter: &mut Counter) {
    counter.count("insert_session", |store, n| insert(store, &format!("i{n}")));
    counter.count("session", |store, _| {
        assert!(block_on(store.session(&key("h"), NOW)).unwrap().is_some());
    });
    counter.count("session_status", |store, _| {
        let standing = block_on(store.session_status(&key("h"), NOW));
        assert!(standing.unwrap().is_some());
    });
    counter.count("rotate", rotate);
    counter.count("write_document, swap", |store, n| write(store, &swap(n)));
    counter.count("write_document, merge", |store, n| write(store, &patch(n)));
    counter.count("write_document, overwrite", |store, n| {
        write(store, &whole(n));
    });
    counter.count("write_document, no change", |store, _| {
        write(store, &whole(2));
    });
    counter.count("delete_sessions, two", |store, n| {
        let keys = [key(&format!("d{n}")), key(&format!("d{}", n + 2))];
        assert_eq!(block_on(store.delete_sessions(&keys)).unwrap(), keys);
    });
    counter.count("record_uses, two sessions", |store, n| {
        let uses =
            ["h", "r"].map(|handle| SessionUse::new(key(handle), UnixMillis::new(NOW.get() + n)));
        block_on(store.record_uses(&uses, NOW)).unwrap();
    });
    counter.count("set_device_label", |store, _| {
        assert!(block_on(store.set_device_label(&key("h"), Some("x"), NOW)).unwrap());
    });
    counter.count("delete_expired_sessions", |store, _| {
        assert_eq!(
            block_on(store.delete_expired_sessions(NOW, 100)).unwrap(),
            0
        );
    });
}

fn users(counter: &mut Counter) {
    let of_user = |except: Option<&str>| {
        let mut selection = UserSessions::new(AppId::default(), UserId::from("user"));
        selection.except = except.map(SessionHandle::from);
        selection
    };
    counter.count("user_sessions", |store, _| {
        assert!(
            !block_on(store.user_sessions(&of_user(None), NOW))
                .unwrap()
                .is_empty()
        );
    });
    counter.count("user_session_handles", |store, _| {
        let handles = block_on(store.user_session_handles(&of_user(None), NOW));
        assert!(!handles.unwrap().is_empty());
    });
    counter.count("delete_user_sessions", |store, n| {
        let spared = (n == 1).then_some("h");
        let deleted = block_on(store.delete_user_sessions(&of_user(spared), NOW));
        assert!(!deleted.unwrap().is_empty());
    });
    counter.count("write_user_metadata, swap", |store, n| {
        write_metadata(store, &swap(n));
    });
    counter.count("write_user_metadata, merge", |store, n| {
        write_metadata(store, &patch(n));
    });
    counter.count("write_user_metadata, overwrite", |store, n| {
        write_metadata(store, &whole(n));
    });
    counter.count("write_user_metadata, no change", |store, _| {
        write_metadata(store, &whole(2));
    });
    let (app, user) = (AppId::default(), UserId::from("user"));
    counter.count("user_metadata", |store, _| {
        assert!(
            block_on(store.user_metadata(&app, &user))
                .unwrap()
                .is_some()
        );
    });
    counter.count("delete_user_metadata", |store, n| {
        let was_there = block_on(store.delete_user_metadata(&app, &user)).unwrap();
        assert_eq!(was_there, n == 1);
    });
}

fn keys(counter: &mut Counter) {
    let app = AppId::default();
    counter.count("check_ready", |store, _| {
        block_on(store.check_ready()).unwrap();
    });
    counter.count("signing_keys", |store, _| {
        block_on(store.signing_keys(&app)).unwrap();
    });
    counter.count("add_dynamic_key", |store, n| {
        let key = stored_key(n, KeyKind::Dynamic);
        assert!(block_on(store.add_dynamic_key(&app, &key, key.created_at)).unwrap());
    });
    counter.count("add_static_key", |store, n| {
        let key = stored_key(n, KeyKind::Static);
        assert_eq!(block_on(store.add_static_key(&app, &key)).unwrap(), n == 1);
    });
    counter.count("delete_dynamic_keys", |store, _| {
        block_on(store.delete_dynamic_keys(&app, NOW)).unwrap();
    });
    counter.count("refresh_token_key", |store, _| {
        let candidate = SecretText::new("candidate");
        block_on(store.refresh_token_key(&app, &candidate, NOW)).unwrap();
    });
}

const EXPECTED: &str = "\
insert_session: 1 write
session: 1 read
session_status: 1 read
rotate: 2 write
write_document, swap: 2 write
write_document, merge: 2 write
write_document, overwrite: 2 write
write_document, no change: 1 write
delete_sessions, two: 2 write
record_uses, two sessions: 2 write
set_device_label: 1 write
delete_expired_sessions: 1 write
user_sessions: 1 read
user_session_handles: 1 read
delete_user_sessions: 1 write
write_user_metadata, swap: 2 write
write_user_metadata, merge: 2 write
write_user_metadata, overwrite: 2 write
write_user_metadata, no change: 1 write
user_metadata: 1 read
delete_user_metadata: 1 write
check_ready: 1 write
signing_keys: 1 read
add_dynamic_key: 1 write
add_static_key: 1 write
delete_dynamic_keys: 1 write
refresh_token_key: 1 write
";
