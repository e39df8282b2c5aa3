//! Writes that land between a refresh's read and its rotation.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::json;
use supersession::store::{
    DocumentWrite, Lineage, MemoryStore, RotateOutcome, Rotation, SessionDocument, SessionKey,
    SessionRecord, SessionStatus, StoreError, WriteOutcome,
};
use supersession::{
    AntiCsrfInput, Fault, FaultKind, Hooks, JsonObject, RefreshToken, SessionError, Sessions,
    Store, UnixMillis,
};
use supersession_testkit::{FaultStore, ManualClock, Verb};
use tokio::sync::Barrier;

use super::assert_gone;
use crate::support::{START, default_config, seed_keys};

/// What happens to the session just before it is rotated.
#[derive(Clone, Debug)]
enum Meanwhile {
    /// Once: somebody merges into its payload.
    PayloadChanges(JsonObject),
    /// Whenever it is about to be rotated.
    PayloadKeepsChanging,
    /// Once: somebody ends it.
    Revoked,
    /// Once, but not before it has been rotated: somebody ends it.
    RevokedDuringReplay,
    /// All who read it wait for each other.
    AllRead(Arc<Barrier>),
}

/// A store in which somebody else is faster than a refresh.
struct RacingStore {
    inner: FaultStore<MemoryStore>,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl RacingStore {
    async fn act(&self, key: &SessionKey, now: UnixMillis) {
        let act = {
            let mut meanwhile = self.meanwhile.lock().unwrap();
            match &mut *meanwhile {
                Some(Meanwhile::PayloadKeepsChanging) => Some(Meanwhile::PayloadKeepsChanging),
                Some(Meanwhile::AllRead(_)) => None,
                Some(Meanwhile::RevokedDuringReplay) if self.inner.count(Verb::Rotate) == 0 => None,
                once => once.take(),
            }
        };
        let store = self.inner.inner();
        let merge = |patch: JsonObject| async move {
            let write = DocumentWrite::Merge(patch);
            let document = SessionDocument::Payload;
            let outcome = store.write_document(key, document, &write, now).await;
            assert!(matches!(outcome, Ok(WriteOutcome::Written(_))));
        };
        match act {
            None | Some(Meanwhile::AllRead(_)) => {}
            Some(Meanwhile::PayloadChanges(patch)) => merge(patch).await,
            Some(Meanwhile::PayloadKeepsChanging) => {
                let count = self.inner.count(Verb::Rotate);
                merge(object(&json!({ "count": count }))).await;
            }
            Some(Meanwhile::Revoked | Meanwhile::RevokedDuringReplay) => {
                let deleted = store.delete_sessions(std::slice::from_ref(key)).await;
                assert_eq!(deleted.unwrap().len(), 1);
            }
        }
    }
}

#[async_trait]
impl supersession::store::StoreWrapper for RacingStore {
    type Inner = FaultStore<MemoryStore>;

    fn inner(&self) -> &FaultStore<MemoryStore> {
        &self.inner
    }

    async fn rotate(
        &self,
        key: &SessionKey,
        expected: &Lineage,
        expected_payload: &JsonObject,
        next: &Rotation,
        now: UnixMillis,
    ) -> Result<RotateOutcome, StoreError> {
        self.act(key, now).await;
        Store::rotate(&self.inner, key, expected, expected_payload, next, now).await
    }

    async fn session(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let read = Store::session(&self.inner, key, now).await;
        let meet = match &*self.meanwhile.lock().unwrap() {
            Some(Meanwhile::AllRead(barrier)) => Some(Arc::clone(barrier)),
            _ => None,
        };
        if let Some(barrier) = meet {
            barrier.wait().await;
        }
        read
    }

    async fn session_status(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionStatus>, StoreError> {
        Ok(Store::session(self, key, now)
            .await?
            .map(SessionStatus::from))
    }
}

fn object(value: &serde_json::Value) -> JsonObject {
    JsonObject::from_serialize(value).unwrap()
}

/// A session of alice's, an admin, and the store in which its refreshes meet somebody faster.
async fn racing(meanwhile: Meanwhile) -> (Sessions, FaultStore<MemoryStore>, RefreshToken) {
    let inner = FaultStore::new(MemoryStore::new());
    seed_keys(&inner, START).await;
    let store = RacingStore {
        inner: inner.clone(),
        meanwhile: Mutex::new(Some(meanwhile)),
    };
    let sessions = default_config(Sessions::builder(store))
        .clock(ManualClock::new(START))
        .build()
        .await
        .unwrap();
    let session = sessions
        .create("alice")
        .payload(json!({"role": "admin", "plan": "pro"}))
        .await
        .unwrap();
    let tokens = session.all_session_tokens_dangerously();
    inner.clear_calls();
    (sessions, inner, tokens.refresh_token.unwrap())
}

/// What was taken away before a refresh was stored is not in the token that it mints.
#[tokio::test]
async fn a_payload_change_during_a_refresh_is_in_the_new_token() {
    let patch = object(&json!({"role": null, "note": "demoted"}));
    let (sessions, store, refresh_token) = racing(Meanwhile::PayloadChanges(patch)).await;
    let session = sessions
        .refresh_session(&refresh_token, AntiCsrfInput::Disabled)
        .await
        .unwrap();
    assert_eq!(store.count(Verb::Rotate), 2);
    let payload = session.access_token_payload();
    assert_eq!(payload.get("role"), None);
    assert_eq!(payload.get("note"), Some(json!("demoted")));
    assert_eq!(payload.get("plan"), Some(json!("pro")));
    // The token itself says so, not only the handle.
    let access_token = session.access_token();
    let verified = sessions
        .verify_access_token(&access_token, None, &supersession::VerifyOptions::new())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(verified.access_token_payload().as_str(), payload.as_str());
    let stored = sessions
        .information(session.handle())
        .await
        .unwrap()
        .unwrap();
    let stored = stored.access_token_payload;
    assert_eq!(stored.get("role"), None);
}

/// A session that is ended while it is refreshed stays ended, and the client hears that it is.
#[tokio::test]
async fn a_revocation_during_a_refresh_wins() {
    let (sessions, store, refresh_token) = racing(Meanwhile::Revoked).await;
    let refresh = || sessions.refresh_session(&refresh_token, AntiCsrfInput::Disabled);
    assert_gone(refresh().await);
    assert_eq!(store.count(Verb::InsertSession), 0);
    assert!(sessions.handles_for_user("alice").await.unwrap().is_empty());
    assert_gone(refresh().await);
}

/// The second refresh with the same token changes nothing in the store, but it, too, hands out
/// nothing of a session that ended while it was under way.
#[tokio::test]
async fn a_revocation_during_a_replay_wins() {
    let (sessions, _, refresh_token) = racing(Meanwhile::RevokedDuringReplay).await;
    let refresh = || sessions.refresh_session(&refresh_token, AntiCsrfInput::Disabled);
    assert!(refresh().await.is_ok());
    assert_gone(refresh().await);
    assert!(sessions.handles_for_user("alice").await.unwrap().is_empty());
}

/// A refresh that never gets through gives up as trouble, not as a verdict, and the token stays
/// good.
#[tokio::test]
async fn a_refresh_that_keeps_losing_races_is_a_fault() {
    let (sessions, store, refresh_token) = racing(Meanwhile::PayloadKeepsChanging).await;
    let error = sessions
        .refresh_session(&refresh_token, AntiCsrfInput::Disabled)
        .await
        .unwrap_err();
    let SessionError::Fault(fault) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(Fault::kind(fault), FaultKind::Unavailable);
    assert!(!error.clears_tokens());
    assert_eq!(sessions.handles_for_user("alice").await.unwrap().len(), 1);
    // Without the race, the same token is exchanged.
    let calm = default_config(Sessions::builder(store))
        .clock(ManualClock::new(START))
        .build()
        .await
        .unwrap();
    let session = calm
        .refresh_session(&refresh_token, AntiCsrfInput::Disabled)
        .await;
    assert!(session.is_ok());
}

/// However many requests replay a stolen token at once, on whichever nodes: the one that ends the
/// session reports the theft, and the others find no session.
#[tokio::test]
async fn a_theft_is_reported_once_for_any_number_of_replays() {
    const REPLAYS: usize = 35;
    let inner = FaultStore::new(MemoryStore::new());
    seed_keys(&inner, START).await;
    let store = Arc::new(RacingStore {
        inner,
        meanwhile: Mutex::new(None),
    });
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let heard = Arc::clone(&heard);
        let hooks = Hooks::new().on_theft(move |theft| {
            heard.lock().unwrap().push(theft.handle);
            async {}
        });
        let builder = default_config(Sessions::builder(Arc::clone(&store)));
        let builder = builder.clock(ManualClock::new(START)).hooks(hooks);
        nodes.push(builder.build().await.unwrap());
    }
    let session = nodes[0].create("alice").await.unwrap();
    let stolen = session.all_session_tokens_dangerously().refresh_token;
    let stolen = stolen.unwrap();
    let mut next = stolen.clone();
    for _ in 0..2 {
        let refreshed = nodes[0].refresh_session(&next, AntiCsrfInput::Disabled);
        let tokens = refreshed.await.unwrap().all_session_tokens_dangerously();
        next = tokens.refresh_token.unwrap();
    }

    let barrier = Arc::new(Barrier::new(REPLAYS));
    *store.meanwhile.lock().unwrap() = Some(Meanwhile::AllRead(barrier));
    let mut replays = tokio::task::JoinSet::new();
    for replay in 0..REPLAYS {
        let (node, stolen) = (nodes[replay % 2].clone(), stolen.clone());
        replays.spawn(async move { node.refresh_session(&stolen, AntiCsrfInput::Disabled).await });
    }
    let (mut thefts, mut gone) = (0, 0);
    for answer in replays.join_all().await {
        match answer {
            Err(SessionError::TokenTheftDetected(_)) => thefts += 1,
            Err(error @ SessionError::Unauthorised(_)) if error.clears_tokens() => gone += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((thefts, gone), (1, REPLAYS - 1));
    assert_eq!(*heard.lock().unwrap(), [session.handle().clone()]);
}
