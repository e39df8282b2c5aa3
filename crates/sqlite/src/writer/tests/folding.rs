//! Tests of changes of one row that wait together.

use pollster::block_on;
use supersession::store::{
    DocumentWrite, InsertOutcome, Lineage, SessionDocument, SessionKey, SessionRecord,
    StoreErrorKind, WriteOutcome,
};
use supersession::{
    AppId, JsonObject, RefreshHash2, RefreshToken, SessionHandle, Store, UnixMillis, UserId,
};

use super::{Answer, Scene, queued};
use crate::costs::take;

const DATA: SessionDocument = SessionDocument::SessionData;
const PAYLOAD: SessionDocument = SessionDocument::Payload;
const NOW: UnixMillis = UnixMillis::new(1_000);
const EXPIRY: UnixMillis = UnixMillis::new(2_000);

type Told = Answer<WriteOutcome>;

fn key(handle: &str) -> SessionKey {
    SessionKey::new(&AppId::default(), SessionHandle::from(handle))
}

fn object(text: &str) -> JsonObject {
    text.parse().unwrap()
}

fn merge(patch: &str) -> DocumentWrite {
    DocumentWrite::Merge(object(patch))
}

fn overwrite(document: &str) -> DocumentWrite {
    DocumentWrite::Overwrite(object(document))
}

fn swap(expected: &str, replacement: &str) -> DocumentWrite {
    DocumentWrite::CompareAndSwap {
        expected: object(expected),
        replacement: object(replacement),
    }
}

fn written(document: &str) -> WriteOutcome {
    WriteOutcome::Written(object(document))
}

fn conflict(document: &str) -> WriteOutcome {
    WriteOutcome::Conflict(object(document))
}

impl Scene {
    /// Creates sessions whose documents are empty.
    fn with_sessions(handles: &[&str]) -> Self {
        let scene = Self::new();
        for handle in handles {
            let session = SessionRecord::new(
                key(handle),
                UserId::from("user"),
                Lineage::new(RefreshHash2::of(&RefreshToken::new(*handle)), None),
                NOW,
                EXPIRY,
            );
            let outcome = block_on(scene.store.insert_session(&session)).unwrap();
            assert_eq!(outcome, InsertOutcome::Inserted);
        }
        scene
    }

    /// Changes the database behind the store's back.
    fn tamper(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.path()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn change_at(
        &self,
        now: UnixMillis,
        handle: &str,
        which: SessionDocument,
        write: DocumentWrite,
    ) -> Told {
        let (store, key) = (self.store.clone(), key(handle));
        queued(async move { store.write_document(&key, which, &write, now).await })
    }

    fn change(&self, handle: &str, which: SessionDocument, write: DocumentWrite) -> Told {
        self.change_at(NOW, handle, which, write)
    }

    fn change_metadata(&self, app: &AppId, write: DocumentWrite) -> Told {
        let (store, app) = (self.store.clone(), app.clone());
        queued(async move {
            let user = UserId::from("user");
            store.write_user_metadata(&app, &user, &write).await
        })
    }

    /// Makes everything that `act` submits one group. Returns the answers, and the statements that
    /// the connections executed for them.
    fn group<T>(
        &self,
        act: impl FnOnce() -> Vec<Answer<T>>,
    ) -> (Vec<Result<T, StoreErrorKind>>, String) {
        let (release, held) = self.hold();
        let path = std::path::absolute(self.path()).unwrap();
        take(&path);
        let answers = act();
        drop(release);
        block_on(held).unwrap();
        let answers = answers.into_iter().map(block_on);
        let answers = answers.map(|answer| answer.map_err(|error| error.kind()));
        let answers = answers.collect();
        let run = take(&path);
        let run = run.iter().map(|sql| sql.split(' ').next().unwrap());
        // The first commit belongs to the job that held the writer.
        (answers, run.skip(1).collect::<Vec<_>>().join(" "))
    }

    /// Returns the session data and the payload of a session.
    fn documents(&self, handle: &str) -> [String; 2] {
        let session = block_on(self.store.session(&key(handle), NOW)).unwrap();
        let session = session.unwrap();
        [session.session_data, session.payload].map(|document| document.to_string())
    }
}

#[test]
fn changes_of_one_document_are_written_once_and_each_caller_gets_its_own_answer() {
    let scene = Scene::with_sessions(&["h"]);
    let (told, run) = scene.group(|| {
        vec![
            scene.change("h", DATA, merge(r#"{"a":1}"#)),
            scene.change("h", DATA, swap(r#"{}"#, r#"{"lost":1}"#)),
            scene.change("h", DATA, swap(r#"{"a":1}"#, r#"{"won":1}"#)),
            scene.change("h", DATA, overwrite(r#"{"b":1,"c":1}"#)),
            scene.change("h", DATA, merge(r#"{"b":null,"c":2}"#)),
        ]
    });
    let expected = [
        written(r#"{"a":1}"#),
        conflict(r#"{"a":1}"#),
        written(r#"{"won":1}"#),
        written(r#"{"b":1,"c":1}"#),
        written(r#"{"c":2}"#),
    ];
    assert_eq!(told, expected.map(Ok));
    assert_eq!(run, "BEGIN SELECT UPDATE COMMIT");
    assert_eq!(scene.documents("h"), [r#"{"c":2}"#, "{}"]);
}

#[test]
fn a_change_whose_caller_gave_up_counts_for_the_others() {
    let scene = Scene::with_sessions(&["h"]);
    let (told, _) = scene.group(|| {
        let left = scene.change("h", DATA, merge(r#"{"left":1}"#));
        let stayed = scene.change("h", DATA, merge(r#"{"stayed":1}"#));
        drop(left);
        vec![stayed]
    });
    assert_eq!(told, [Ok(written(r#"{"left":1,"stayed":1}"#))]);
}

#[test]
fn both_documents_of_a_session_are_read_and_written_together() {
    let scene = Scene::with_sessions(&["h"]);
    let (told, run) = scene.group(|| {
        vec![
            scene.change("h", DATA, merge(r#"{"a":1}"#)),
            scene.change("h", PAYLOAD, merge(r#"{"b":1}"#)),
            scene.change("h", DATA, merge(r#"{"c":1}"#)),
            scene.change("h", PAYLOAD, swap("{}", r#"{"lost":1}"#)),
        ]
    });
    let expected = [
        written(r#"{"a":1}"#),
        written(r#"{"b":1}"#),
        written(r#"{"a":1,"c":1}"#),
        conflict(r#"{"b":1}"#),
    ];
    assert_eq!(told, expected.map(Ok));
    assert_eq!(run, "BEGIN SELECT UPDATE COMMIT");
    assert_eq!(scene.documents("h"), [r#"{"a":1,"c":1}"#, r#"{"b":1}"#]);

    // The document that is not written stays unchanged.
    for (which, left) in [
        (DATA, [r#"{"d":1}"#, r#"{"b":1}"#]),
        (PAYLOAD, [r#"{"d":1}"#, r#"{"d":1}"#]),
    ] {
        let stored = scene.documents("h");
        let (told, _) = scene.group(|| {
            vec![
                scene.change("h", DATA, swap("{}", "{}")),
                scene.change("h", PAYLOAD, swap("{}", "{}")),
                scene.change("h", which, overwrite(r#"{"d":1}"#)),
            ]
        });
        let refused = stored.map(|document| Ok(conflict(&document)));
        assert_eq!(told[..2], refused);
        assert_eq!(scene.documents("h"), left);
    }
}

#[test]
fn changes_of_several_rows_are_folded_row_by_row() {
    let scene = Scene::with_sessions(&["g", "h"]);
    let public = AppId::default();
    let (told, run) = scene.group(|| {
        vec![
            scene.change("g", DATA, merge(r#"{"a":1}"#)),
            scene.change("h", DATA, merge(r#"{"a":2}"#)),
            scene.change_metadata(&public, merge(r#"{"a":3}"#)),
            scene.change("g", DATA, merge(r#"{"b":1}"#)),
            scene.change_metadata(&public, merge(r#"{"b":3}"#)),
            scene.change("h", DATA, merge(r#"{"b":2}"#)),
        ]
    });
    let expected = [
        written(r#"{"a":1}"#),
        written(r#"{"a":2}"#),
        written(r#"{"a":3}"#),
        written(r#"{"a":1,"b":1}"#),
        written(r#"{"a":3,"b":3}"#),
        written(r#"{"a":2,"b":2}"#),
    ];
    assert_eq!(told, expected.map(Ok));
    assert_eq!(
        run,
        "BEGIN SELECT UPDATE SELECT UPDATE SELECT INSERT COMMIT"
    );
    assert_eq!(scene.documents("g"), [r#"{"a":1,"b":1}"#, "{}"]);
    assert_eq!(scene.documents("h"), [r#"{"a":2,"b":2}"#, "{}"]);
}

#[test]
fn what_changes_nothing_is_not_written() {
    let scene = Scene::with_sessions(&["h"]);
    let public = AppId::default();
    let (told, run) = scene.group(|| {
        vec![
            scene.change("h", DATA, merge(r#"{"a":null}"#)),
            scene.change("h", PAYLOAD, overwrite(r#"{"for":"moments"}"#)),
            scene.change("h", PAYLOAD, overwrite("{}")),
            scene.change_metadata(&public, swap(r#"{"a":1}"#, "{}")),
        ]
    });
    let expected = [
        written("{}"),
        written(r#"{"for":"moments"}"#),
        written("{}"),
        conflict("{}"),
    ];
    assert_eq!(told, expected.map(Ok));
    assert_eq!(run, "BEGIN SELECT SELECT COMMIT");
}

#[test]
fn each_change_is_judged_by_its_own_instant() {
    let scene = Scene::with_sessions(&["h"]);
    let at = |now, patch: &str| scene.change_at(UnixMillis::new(now), "h", DATA, merge(patch));
    let (told, run) = scene.group(|| {
        vec![
            at(1_999, r#"{"a":1}"#),
            at(2_000, r#"{"late":1}"#),
            at(1_999, r#"{"b":1}"#),
            at(2_001, r#"{"late":2}"#),
        ]
    });
    let expected = [
        written(r#"{"a":1}"#),
        WriteOutcome::Gone,
        written(r#"{"a":1,"b":1}"#),
        WriteOutcome::Gone,
    ];
    assert_eq!(told, expected.map(Ok));
    assert_eq!(run, "BEGIN SELECT UPDATE COMMIT");
    assert_eq!(scene.documents("h"), [r#"{"a":1,"b":1}"#, "{}"]);
}

#[test]
fn what_is_gone_is_gone_for_all() {
    let scene = Scene::with_sessions(&[]);
    let change = || scene.change("h", DATA, merge(r#"{"a":1}"#));
    let (told, run) = scene.group(|| vec![change(), change()]);
    assert_eq!(told, [Ok(WriteOutcome::Gone), Ok(WriteOutcome::Gone)]);
    assert_eq!(run, "BEGIN SELECT COMMIT");
}

#[test]
fn no_change_gets_past_a_job() {
    let scene = Scene::with_sessions(&["h"]);
    let seen = |name: &'static str| {
        scene.queue(move |connection| {
            let sql = "SELECT session_data FROM session_info";
            let data: String = connection.query_row(sql, [], |row| row.get(0))?;
            Ok(written(&format!(r#"{{"{name}":{data}}}"#)))
        })
    };
    let revoked = |handle| {
        let store = scene.store.clone();
        queued(async move {
            let deleted = store.delete_sessions(&[key(handle)]).await?;
            assert_eq!(deleted, [key(handle)]);
            Ok(WriteOutcome::Gone)
        })
    };
    let (told, run) = scene.group(|| {
        vec![
            scene.change("h", DATA, merge(r#"{"a":1}"#)),
            seen("first"),
            scene.change("h", DATA, merge(r#"{"b":1}"#)),
            scene.change("h", DATA, merge(r#"{"c":1}"#)),
            seen("then"),
            scene.change("h", DATA, merge(r#"{"d":1}"#)),
            revoked("h"),
            scene.change("h", DATA, merge(r#"{"e":1}"#)),
        ]
    });
    let expected = [
        written(r#"{"a":1}"#),
        written(r#"{"first":{"a":1}}"#),
        written(r#"{"a":1,"b":1}"#),
        written(r#"{"a":1,"b":1,"c":1}"#),
        written(r#"{"then":{"a":1,"b":1,"c":1}}"#),
        written(r#"{"a":1,"b":1,"c":1,"d":1}"#),
        WriteOutcome::Gone,
        WriteOutcome::Gone,
    ];
    assert_eq!(told, expected.map(Ok));
    assert_eq!(
        run,
        "BEGIN SELECT UPDATE SELECT SELECT UPDATE SELECT SELECT UPDATE DELETE SELECT COMMIT"
    );
}

#[test]
fn metadata_get_a_row_when_somebody_writes_them() {
    let scene = Scene::with_sessions(&[]);
    // An app that the database does not know yet.
    let app = AppId::new("other").unwrap();
    let there = || block_on(scene.store.user_metadata(&app, &UserId::from("user"))).unwrap();

    let (told, run) = scene.group(|| {
        let refused = || scene.change_metadata(&app, swap(r#"{"a":1}"#, "{}"));
        vec![refused(), refused()]
    });
    assert_eq!(told, [Ok(conflict("{}")), Ok(conflict("{}"))]);
    assert_eq!(run, "BEGIN SELECT COMMIT");
    assert_eq!(there(), None);

    let (told, _) = scene.group(|| {
        vec![
            scene.change_metadata(&app, merge(r#"{"a":1}"#)),
            scene.change_metadata(&app, merge(r#"{"a":null}"#)),
        ]
    });
    assert_eq!(told, [Ok(written(r#"{"a":1}"#)), Ok(written("{}"))]);
    assert_eq!(there(), Some(object("{}")));

    let (told, run) = scene.group(|| {
        vec![
            scene.change_metadata(&app, merge(r#"{"b":1}"#)),
            scene.change_metadata(&app, swap(r#"{"b":1}"#, r#"{"b":2}"#)),
        ]
    });
    assert_eq!(told, [Ok(written(r#"{"b":1}"#)), Ok(written(r#"{"b":2}"#))]);
    assert_eq!(run, "BEGIN SELECT INSERT COMMIT");
    assert_eq!(there(), Some(object(r#"{"b":2}"#)));
}

/// SQL that makes SQLite reject a change in the given way.
fn refuses(what: &str) -> String {
    format!(
        "CREATE TRIGGER refuses BEFORE UPDATE OF session_data ON session_info
         WHEN new.session_data LIKE '%bad%' BEGIN SELECT RAISE({what}, 'on purpose'); END"
    )
}

/// Submits four changes of one document, the second of which is rejected, and one change of another
/// document.
fn one_is_bad(scene: &Scene) -> Vec<Told> {
    vec![
        scene.change("h", DATA, merge(r#"{"a":1}"#)),
        scene.change("h", DATA, merge(r#"{"bad":1}"#)),
        scene.change("g", DATA, merge(r#"{"a":1}"#)),
        scene.change("h", DATA, swap(r#"{"a":1}"#, r#"{"b":1}"#)),
        scene.change("h", DATA, merge(r#"{"c":1}"#)),
    ]
}

fn all_but_the_bad_one() -> [Result<WriteOutcome, StoreErrorKind>; 5] {
    [
        Ok(written(r#"{"a":1}"#)),
        Err(StoreErrorKind::Internal),
        Ok(written(r#"{"a":1}"#)),
        Ok(written(r#"{"b":1}"#)),
        Ok(written(r#"{"b":1,"c":1}"#)),
    ]
}

#[test]
fn a_change_that_is_refused_fails_alone() {
    let scene = Scene::with_sessions(&["g", "h"]);
    scene.tamper(&refuses("ABORT"));
    let (told, run) = scene.group(|| {
        let mut changes = one_is_bad(&scene);
        // Makes the folded result of the group be rejected, too.
        changes.push(scene.change("h", DATA, merge(r#"{"worse":"bad"}"#)));
        changes
    });
    assert_eq!(told[..5], all_but_the_bad_one());
    assert_eq!(told[5], Err(StoreErrorKind::Internal));
    assert_eq!(scene.documents("h")[0], r#"{"b":1,"c":1}"#);
    assert_eq!(scene.documents("g")[0], r#"{"a":1}"#);
    assert_eq!(
        run.matches("COMMIT").count(),
        1,
        "they still share a commit: {run}"
    );
}

#[test]
fn a_change_that_takes_the_transaction_down_fails_alone() {
    let scene = Scene::with_sessions(&["g", "h"]);
    scene.tamper(&refuses("ROLLBACK"));
    let (told, run) = scene.group(|| {
        let mut changes = one_is_bad(&scene);
        changes.push(scene.change("h", DATA, merge(r#"{"worse":"bad"}"#)));
        changes
    });
    assert_eq!(told[..5], all_but_the_bad_one());
    assert_eq!(told[5], Err(StoreErrorKind::Internal));
    assert_eq!(scene.documents("h")[0], r#"{"b":1,"c":1}"#);
    assert_eq!(scene.documents("g")[0], r#"{"a":1}"#);
    assert_eq!(run.matches("COMMIT").count(), 4, "{run}");
}

#[test]
fn a_job_that_fails_takes_no_folded_change_with_it() {
    let scene = Scene::with_sessions(&["h"]);
    let (told, _) = scene.group(|| {
        let fails = scene.queue(|connection| {
            super::add_app(connection, "half-done")?;
            Err(crate::fault::Fault::Row("made up"))
        });
        vec![
            scene.change("h", DATA, merge(r#"{"a":1}"#)),
            scene.change("h", DATA, merge(r#"{"b":1}"#)),
            fails,
            scene.change("h", DATA, swap(r#"{"a":1,"b":1}"#, "{}")),
            scene.change("h", DATA, merge(r#"{"c":1}"#)),
        ]
    });
    let expected = [
        Ok(written(r#"{"a":1}"#)),
        Ok(written(r#"{"a":1,"b":1}"#)),
        Err(StoreErrorKind::Corrupt),
        Ok(written("{}")),
        Ok(written(r#"{"c":1}"#)),
    ];
    assert_eq!(told, expected);
    assert_eq!(scene.documents("h")[0], r#"{"c":1}"#);
    assert_eq!(scene.apps(), ["public"]);
}

#[test]
fn a_damaged_document_is_the_trouble_of_those_who_change_it_and_are_in_time() {
    let scene = Scene::with_sessions(&["h"]);
    scene.tamper("UPDATE session_info SET session_data = '['");
    let (told, run) = scene.group(|| {
        vec![
            scene.change("h", DATA, merge(r#"{"a":1}"#)),
            scene.change("h", PAYLOAD, merge(r#"{"b":1}"#)),
            scene.change_at(EXPIRY, "h", DATA, merge(r#"{"c":1}"#)),
            scene.change("h", DATA, overwrite("{}")),
        ]
    });
    let expected = [
        Err(StoreErrorKind::Corrupt),
        Ok(written(r#"{"b":1}"#)),
        Ok(WriteOutcome::Gone),
        Err(StoreErrorKind::Corrupt),
    ];
    assert_eq!(told, expected);
    assert_eq!(run.matches("COMMIT").count(), 1, "{run}");
}

#[test]
fn a_panic_is_its_callers_alone() {
    use super::super::step;
    use crate::change::{Change, Document};
    use crate::fault::Fault;

    let change = || {
        let document = Document::OfSession(DATA, key("h"));
        Change::new(document, merge("{}"), NOW)
    };
    let (one, answer_of_one) = change();
    let (two, answer_of_two) = change();
    let mut changes = vec![one, two];
    assert!(!step::write(&mut changes, |_| panic!("on purpose")));
    let mut two = changes.split_off(1);
    assert!(!step::write(&mut changes, |_| panic!("on purpose")));
    assert!(step::write(&mut two, |_| Ok(vec![WriteOutcome::Gone])));
    for change in changes.into_iter().chain(two) {
        step::Step::Changes(vec![change]).answer();
    }
    let told = block_on(answer_of_one.told());
    assert!(matches!(told, Err(Fault::Panicked)));
    let told = block_on(answer_of_two.told());
    assert!(matches!(told, Ok(WriteOutcome::Gone)));
}
