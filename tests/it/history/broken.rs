//! Stores that break a promise each. The judge must see it from outside.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use supersession::store::{
    DocumentWrite, InsertOutcome, Lineage, MemoryStore, RevocationFeed, RotateOutcome, Rotation,
    SessionDocument, SessionKey, SessionRecord, SessionStatus, StoreError, UserSessions,
    WriteOutcome,
};
use supersession::{AppId, JsonObject, SecretText, SessionHandle, Store, UnixMillis};
use supersession_testkit::history::Rule;

use super::let_expire;
use super::workload::Run;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flaw {
    /// None.
    Sound,
    /// Every 20th write is answered, and not written.
    LosesWrites,
    /// A merge reads, and overwrites with the result.
    MergesInTwoSteps,
    /// A compare-and-swap compares, and overwrites.
    SwapsInTwoSteps,
    /// Every 20th compare-and-swap is tried again, although it took place.
    CountsTwice,
    /// A write on a session that is gone brings it back.
    WriteRecreates,
    /// A rotation of a session that is gone brings it back.
    RotationRecreates,
    /// A rotation takes place whatever the lineage is.
    RotatesBlindly,
    /// After a rotation the previous token stays the one before.
    KeepsOldPrevious,
    /// A rotation forgets the previous token.
    ForgetsPrevious,
    /// Each node has its own key of refresh tokens.
    KeyOfItsOwn,
    /// Every third deletion is answered, and not done.
    KeepsDeleted,
    /// The deletion of all sessions of a user leaves the newest.
    LeavesOne,
    /// Two deletions of the same session both say that it was theirs.
    ClaimsDeletions,
    /// Every fifth list lacks the oldest session.
    ListForgets,
    /// Every other read comes from a cache that nobody tells of writes.
    ReadsStale,
    /// Every 50th read finds nothing.
    LosesSight,
    /// A session is read after its time.
    KeepsExpired,
    /// A write is answered, and carried out when the next one comes.
    WritesBehind,
    /// The revocation feed flows and tells nothing.
    DeafFeed,
}

pub(crate) struct Broken {
    flaw: Flaw,
    node: usize,
    inner: Arc<dyn Store>,
    calls: AtomicU64,
    last_known: Arc<Mutex<HashMap<SessionKey, SessionRecord>>>,
    behind: Mutex<Option<(SessionKey, SessionDocument, DocumentWrite)>>,
    /// Where nothing ends.
    elsewhere: MemoryStore,
}

impl Broken {
    /// A store for one of several nodes.
    pub(crate) fn new(flaw: Flaw, node: usize, inner: Arc<dyn Store>) -> Self {
        Self {
            flaw,
            node,
            inner,
            calls: AtomicU64::new(1),
            last_known: Arc::default(),
            behind: Mutex::default(),
            elsewhere: MemoryStore::with_revocation_feed(),
        }
    }

    /// Whether this call is the one in `times` that goes wrong.
    fn strikes(&self, flaw: Flaw, times: u64) -> bool {
        self.flaw == flaw
            && self
                .calls
                .fetch_add(1, Ordering::SeqCst)
                .is_multiple_of(times)
    }

    fn known(&self, key: &SessionKey) -> Option<SessionRecord> {
        self.last_known.lock().unwrap().get(key).cloned()
    }

    fn note(&self, record: &SessionRecord) {
        let mut known = self.last_known.lock().unwrap();
        known.insert(record.key.clone(), record.clone());
    }

    async fn bring_back(&self, key: &SessionKey) {
        let record = self.known(key).unwrap();
        self.inner.insert_session(&record).await.unwrap();
    }

    /// What a write would answer, and what it would store, worked out from what is there now.
    async fn look(
        &self,
        key: &SessionKey,
        document: SessionDocument,
        write: &DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError> {
        let Some(stored) = self.inner.session(key, now).await? else {
            return Ok(WriteOutcome::Gone);
        };
        // Whoever does two steps can be overtaken between them.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        let stored = match document {
            SessionDocument::SessionData => stored.session_data,
            SessionDocument::Payload => stored.payload,
        };
        Ok(match write.apply_to(&stored) {
            Ok(document) => WriteOutcome::Written(document),
            Err(_) => WriteOutcome::Conflict(stored),
        })
    }
}

#[async_trait]
impl supersession::store::StoreWrapper for Broken {
    type Inner = dyn Store;

    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn insert_session(&self, session: &SessionRecord) -> Result<InsertOutcome, StoreError> {
        self.note(session);
        self.inner.insert_session(session).await
    }

    async fn session(
        &self,
        key: &SessionKey,
        now: UnixMillis,
    ) -> Result<Option<SessionRecord>, StoreError> {
        if self.strikes(Flaw::LosesSight, 50) {
            return Ok(None);
        }
        if self.strikes(Flaw::ReadsStale, 2) {
            return Ok(self.known(key));
        }
        let now = match self.flaw {
            Flaw::KeepsExpired => UnixMillis::default(),
            _ => now,
        };
        let found = self.inner.session(key, now).await?;
        if let Some(record) = &found {
            self.note(record);
        }
        Ok(found)
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

    async fn rotate(
        &self,
        key: &SessionKey,
        expected: &Lineage,
        expected_payload: &JsonObject,
        next: &Rotation,
        now: UnixMillis,
    ) -> Result<RotateOutcome, StoreError> {
        let mut next = next.clone();
        let mut expected = expected.clone();
        match self.flaw {
            Flaw::KeepsOldPrevious => {
                next.lineage.previous = expected.previous.clone().or(next.lineage.previous);
            }
            Flaw::ForgetsPrevious => next.lineage.previous = None,
            Flaw::RotatesBlindly => {
                tokio::task::yield_now().await;
                if let Some(stored) = self.inner.session(key, now).await? {
                    expected = stored.lineage;
                }
            }
            _ => {}
        }
        let rotate = || {
            self.inner
                .rotate(key, &expected, expected_payload, &next, now)
        };
        let outcome = rotate().await?;
        if outcome == RotateOutcome::Gone && self.flaw == Flaw::RotationRecreates {
            self.bring_back(key).await;
            return rotate().await;
        }
        Ok(outcome)
    }

    async fn write_document(
        &self,
        key: &SessionKey,
        document: SessionDocument,
        write: &DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError> {
        if self.flaw == Flaw::WritesBehind {
            let next = (key.clone(), document, write.clone());
            let before = self.behind.lock().unwrap().replace(next);
            if let Some((key, document, write)) = before {
                self.inner
                    .write_document(&key, document, &write, now)
                    .await?;
            }
            return self.look(key, document, write, now).await;
        }
        let is_merge = matches!(
            write,
            DocumentWrite::Merge(_) | DocumentWrite::MergeWithin { .. }
        );
        let in_two_steps = match self.flaw {
            Flaw::MergesInTwoSteps => is_merge,
            Flaw::SwapsInTwoSteps => !is_merge,
            _ => false,
        };
        let looks = in_two_steps || self.strikes(Flaw::LosesWrites, 20);
        if looks {
            let outcome = self.look(key, document, write, now).await?;
            if let (true, WriteOutcome::Written(result)) = (in_two_steps, &outcome) {
                let overwrite = DocumentWrite::Overwrite(result.clone());
                return self
                    .inner
                    .write_document(key, document, &overwrite, now)
                    .await;
            }
            return Ok(outcome);
        }
        let outcome = self.inner.write_document(key, document, write, now).await?;
        match &outcome {
            WriteOutcome::Gone if self.flaw == Flaw::WriteRecreates => {
                self.bring_back(key).await;
                self.inner.write_document(key, document, write, now).await
            }
            WriteOutcome::Written(result) if !is_merge && self.strikes(Flaw::CountsTwice, 20) => {
                Ok(WriteOutcome::Conflict(result.clone()))
            }
            _ => Ok(outcome),
        }
    }

    async fn delete_sessions(&self, keys: &[SessionKey]) -> Result<Vec<SessionKey>, StoreError> {
        if self.strikes(Flaw::KeepsDeleted, 3) {
            return Ok(keys.to_vec());
        }
        let deleted = self.inner.delete_sessions(keys).await?;
        if self.flaw == Flaw::ClaimsDeletions {
            return Ok(keys.to_vec());
        }
        Ok(deleted)
    }

    async fn delete_user_sessions(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let mut selection = selection.clone();
        if self.flaw == Flaw::LeavesOne {
            let handles = self.inner.user_session_handles(&selection, now).await?;
            selection.except = handles.last().cloned();
        }
        self.inner.delete_user_sessions(&selection, now).await
    }

    async fn user_session_handles(
        &self,
        selection: &UserSessions,
        now: UnixMillis,
    ) -> Result<Vec<SessionHandle>, StoreError> {
        let mut handles = self.inner.user_session_handles(selection, now).await?;
        if self.strikes(Flaw::ListForgets, 5) && !handles.is_empty() {
            handles.remove(0);
        }
        Ok(handles)
    }

    async fn revocation_feed(&self) -> Result<Option<RevocationFeed>, StoreError> {
        if self.flaw == Flaw::DeafFeed {
            return self.elsewhere.revocation_feed().await;
        }
        self.inner.revocation_feed().await
    }

    async fn refresh_token_key(
        &self,
        app: &AppId,
        candidate: &SecretText,
        now: UnixMillis,
    ) -> Result<SecretText, StoreError> {
        if self.flaw == Flaw::KeyOfItsOwn && self.node > 0 {
            return Ok(candidate.clone());
        }
        self.inner.refresh_token_key(app, candidate, now).await
    }
}

const OPERATIONS: usize = 2_000;

/// The rules that a run with three nodes on such a store breaks.
#[expect(clippy::print_stdout, reason = "for the reader of the run")]
async fn broken_by(flaw: Flaw) -> BTreeSet<Rule> {
    let inner: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let last_known = Arc::default();
    let stores = (0..3)
        .map(|node| {
            Arc::new(Broken {
                last_known: Arc::clone(&last_known),
                ..Broken::new(flaw, node, Arc::clone(&inner))
            }) as Arc<dyn Store>
        })
        .collect();
    let mut run = Run::on(stores).await;
    run.all_are_told = false;
    if flaw == Flaw::KeepsOldPrevious {
        // A second tab would log the session out before the old token is tried.
        run.most_tabs = 1;
    }
    let report = run.until(OPERATIONS, 1, async {}).await;
    assert!(
        report.judged >= OPERATIONS && report.unknown == 0,
        "{report}"
    );
    println!("{flaw:?}: {:?}", report.broken());
    report.broken()
}

macro_rules! caught {
    ($($name:ident: $flaw:ident => $rule:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let broken = broken_by(Flaw::$flaw).await;
                assert!(broken.contains(&Rule::$rule), "{broken:?}");
            }
        )*
    };
}

caught! {
    a_store_that_loses_counts_is_caught: LosesWrites => LostUpdate;
    a_store_that_loses_merges_is_caught: LosesWrites => LostWrite;
    a_merge_in_two_steps_is_caught: MergesInTwoSteps => LostWrite;
    a_swap_in_two_steps_is_caught: SwapsInTwoSteps => LostUpdate;
    a_swap_that_is_tried_again_is_caught: CountsTwice => PhantomWrite;
    a_write_that_brings_a_session_back_is_caught: WriteRecreates => Resurrected;
    a_rotation_that_brings_a_session_back_is_caught: RotationRecreates => Resurrected;
    a_rotation_without_condition_is_caught: RotatesBlindly => TwoSuccessors;
    a_rotation_that_keeps_an_old_token_is_caught: KeepsOldPrevious => StaleTokenAccepted;
    a_rotation_that_forgets_the_previous_token_is_caught: ForgetsPrevious => LoggedOut;
    a_node_with_a_key_of_its_own_is_caught: KeyOfItsOwn => LoggedOut;
    a_deletion_that_is_not_done_is_caught: KeepsDeleted => Resurrected;
    a_deletion_of_all_that_leaves_one_is_caught: LeavesOne => Resurrected;
    two_that_claim_the_same_deletion_are_caught: ClaimsDeletions => EndedTwice;
    a_list_that_forgets_is_caught: ListForgets => ForgottenInList;
    a_read_from_a_stale_cache_is_caught: ReadsStale => StaleRead;
    a_cache_that_keeps_the_dead_is_caught: ReadsStale => Resurrected;
    a_session_that_vanishes_is_caught: LosesSight => EndedForNoReason;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_keeps_expired_sessions_is_caught() {
    let inner: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let store = Arc::new(Broken::new(Flaw::KeepsExpired, 0, inner)) as Arc<dyn Store>;
    let (mut run, clock) = Run::where_sessions_expire(vec![store; 2]).await;
    run.all_are_told = false;
    let report = run.until(OPERATIONS, 1, let_expire(&run, &clock)).await;
    let broken = report.broken();
    assert!(broken.contains(&Rule::OutlivedItsExpiry), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_correct_store_passes() {
    assert_eq!(broken_by(Flaw::Sound).await, BTreeSet::new());
}
