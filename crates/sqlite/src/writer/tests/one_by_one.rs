//! A group has the same effect as the reference store that executes one operation after the other.

use pollster::block_on;
use proptest::prelude::*;
use proptest::sample::select;
use supersession::store::{
    DocumentWrite, KeyKind, Lineage, MemoryStore, Rotation, SessionDocument, SessionKey,
    SessionRecord, StoreError, WriteOutcome,
};
use supersession::{
    AppId, JsonObject, RefreshHash2, RefreshToken, SessionHandle, Store, UnixMillis, UserId,
};

use super::{Answer, queued};
use crate::SqliteStore;

const SESSIONS: [&str; 2] = ["g", "h"];
const USERS: [&str; 2] = ["somebody", "somebody-else"];
const DOCUMENTS: [&str; 4] = ["{}", r#"{"a":1}"#, r#"{"a":null,"b":2}"#, r#"{"b":2}"#];
/// The session expires at the last of these.
const INSTANTS: [UnixMillis; 2] = [UnixMillis::new(1_000), UnixMillis::new(2_000)];

#[derive(Clone, Debug)]
enum Act {
    Change(&'static str, SessionDocument, DocumentWrite, UnixMillis),
    ChangeMetadata(&'static str, DocumentWrite),
    Revoke(&'static str),
    Rotate(&'static str, JsonObject),
    ForgetUser(&'static str),
}

/// The answer of an operation, as text.
type Words = Result<String, StoreError>;

impl Act {
    async fn on(self, store: &impl Store) -> Words {
        let app = AppId::default();
        Ok(match self {
            Self::Change(handle, which, write, now) => {
                let key = key(handle);
                words(store.write_document(&key, which, &write, now).await?)
            }
            Self::ChangeMetadata(user, write) => {
                let user = UserId::from(user);
                words(store.write_user_metadata(&app, &user, &write).await?)
            }
            Self::Revoke(handle) => format!("{:?}", store.delete_sessions(&[key(handle)]).await?),
            Self::Rotate(handle, payload) => {
                let next = Rotation::new(lineage(), INSTANTS[1], KeyKind::Static);
                let (key, lineage) = (key(handle), lineage());
                let rotated = store.rotate(&key, &lineage, &payload, &next, INSTANTS[0]);
                format!("{:?}", rotated.await?)
            }
            Self::ForgetUser(user) => {
                let user = UserId::from(user);
                store.delete_user_metadata(&app, &user).await?.to_string()
            }
        })
    }
}

fn words(outcome: WriteOutcome) -> String {
    match outcome {
        WriteOutcome::Written(document) => format!("written {document}"),
        WriteOutcome::Conflict(document) => format!("conflict {document}"),
        WriteOutcome::Gone => "gone".to_owned(),
    }
}

fn key(handle: &str) -> SessionKey {
    SessionKey::new(&AppId::default(), SessionHandle::from(handle))
}

fn lineage() -> Lineage {
    Lineage::new(RefreshHash2::of(&RefreshToken::new("one")), None)
}

async fn insert_all(store: &impl Store) {
    for handle in SESSIONS {
        let session = SessionRecord::new(
            key(handle),
            UserId::from("user"),
            lineage(),
            INSTANTS[0],
            INSTANTS[1],
        );
        store.insert_session(&session).await.unwrap();
    }
}

/// Returns everything that is stored, as text.
async fn everything(store: &impl Store) -> String {
    let mut all = String::new();
    for handle in SESSIONS {
        let session = store.session(&key(handle), INSTANTS[0]).await.unwrap();
        let documents = session.map(|session| {
            let kind = session.key_kind;
            format!("{} {} {kind:?}", session.session_data, session.payload)
        });
        all += &format!("{handle}: {documents:?}\n");
    }
    for user in USERS {
        let user = UserId::from(user);
        let metadata = store.user_metadata(&AppId::default(), &user).await.unwrap();
        let metadata = metadata.map(|metadata| metadata.to_string());
        all += &format!("{user}: {metadata:?}\n");
    }
    all
}

fn documents() -> impl Strategy<Value = JsonObject> {
    select(&DOCUMENTS[..]).prop_map(|text| text.parse().unwrap())
}

fn writes() -> impl Strategy<Value = DocumentWrite> {
    prop_oneof![
        1 => documents().prop_map(DocumentWrite::Overwrite),
        3 => documents().prop_map(DocumentWrite::Merge),
        1 => (documents(), documents()).prop_map(|(expected, replacement)| {
            DocumentWrite::CompareAndSwap {
                expected,
                replacement,
            }
        }),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let which = select(&[SessionDocument::SessionData, SessionDocument::Payload][..]);
    let instants = prop_oneof![5 => Just(INSTANTS[0]), 1 => Just(INSTANTS[1])];
    let act = prop_oneof![
        8 => (select(&SESSIONS[..]), which, writes(), instants)
            .prop_map(|(handle, which, write, now)| Act::Change(handle, which, write, now)),
        4 => (select(&USERS[..]), writes()).prop_map(|(user, write)| Act::ChangeMetadata(user, write)),
        1 => select(&SESSIONS[..]).prop_map(Act::Revoke),
        1 => (select(&SESSIONS[..]), documents())
            .prop_map(|(handle, payload)| Act::Rotate(handle, payload)),
        1 => select(&USERS[..]).prop_map(Act::ForgetUser),
    ];
    proptest::collection::vec(act, 1..24)
}

proptest! {
    #[test]
    fn a_group_is_one_after_the_other(acts in acts()) {
        let expected = block_on(async {
            let store = MemoryStore::new();
            insert_all(&store).await;
            let mut told = Vec::new();
            for act in acts.clone() {
                told.push(act.on(&store).await.unwrap());
            }
            (told, everything(&store).await)
        });
        let store = SqliteStore::options().in_memory().open_blocking().unwrap();
        block_on(insert_all(&store));
        let (release, held) = super::hold(&store);
        let answers = acts.into_iter().map(|act| {
            let store = store.clone();
            queued(async move { act.on(&store).await })
        });
        let answers: Vec<Answer<String>> = answers.collect();
        drop(release);
        block_on(held).unwrap();
        let told = answers.into_iter().map(|answer| block_on(answer).unwrap());
        let told: Vec<_> = told.collect();
        prop_assert_eq!((told, block_on(everything(&store))), expected);
    }
}
