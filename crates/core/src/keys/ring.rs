//! The keys of one app in this process: a snapshot that is read without waiting, and the only code
//! that loads, creates and retires keys.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::key::KeyError;
use super::{JwkSet, KeyPolicy, SigningAlgorithm, SigningKey, VerifyingKey};
use crate::clock::UnixMillis;
use crate::entropy::{Entropy, EntropyError, random_uuid};
use crate::ids::AppId;
use crate::store::{KeyKind, Store, StoreError, StoredKey};
use crate::workers::{WorkerLost, Workers};

/// The keys of an app.
pub(crate) struct KeyRing {
    app: AppId,
    policy: KeyPolicy,
    /// The algorithm of new rotating keys.
    algorithm: SigningAlgorithm,
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
    workers: Workers,
    snapshot: ArcSwap<KeySnapshot>,
    /// Number of snapshots that lack a key of their predecessor.
    generation: AtomicU64,
    loading: Mutex<()>,
    unknown_kid_reload_at: AtomicU64,
    unknown_kid_reload_failed: AtomicBool,
}

/// The parsed keys, as of the last load.
#[derive(Debug, Default)]
struct KeySnapshot {
    /// Newest first.
    dynamic: Vec<Arc<SigningKey>>,
    /// Newest first.
    statics: Vec<Arc<SigningKey>>,
    by_kid: HashMap<String, Arc<SigningKey>>,
    loaded_at: UnixMillis,
}

/// Keys are unavailable. A fault, never a verdict on a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFault {
    #[error("the signing keys cannot be loaded or stored")]
    Store(#[from] StoreError),
    #[error("a signing key is unusable")]
    Key(#[from] KeyError),
    #[error("a signing key cannot be made")]
    Entropy(#[from] EntropyError),
    #[error("a signing key cannot be made")]
    Worker(#[from] WorkerLost),
    #[error(
        "a signing key could not be looked for a moment ago, and will be looked for again shortly"
    )]
    LookUpFailed,
    #[error(
        "no signing key could be established, although the store answered; check that the clocks of all nodes agree"
    )]
    Missing,
}

/// Minimum time between two reads of the store that are caused by unknown key ids. Without it,
/// forged key ids would cause one read per request.
const UNKNOWN_KID_COOLDOWN: Duration = Duration::from_millis(500);
/// Maximum age of the snapshot when the key set is published or a token is signed. It is half of
/// the overlap, so a key that another node created is published here before that node uses it.
const SNAPSHOT_AGE: Duration = Duration::from_secs(30);

impl KeyRing {
    pub(crate) fn new(
        app: AppId,
        policy: KeyPolicy,
        algorithm: SigningAlgorithm,
        store: Arc<dyn Store>,
        entropy: Arc<dyn Entropy>,
        workers: Workers,
    ) -> Self {
        Self {
            app,
            policy,
            algorithm,
            store,
            entropy,
            workers,
            snapshot: ArcSwap::default(),
            generation: AtomicU64::new(0),
            loading: Mutex::new(()),
            unknown_kid_reload_at: AtomicU64::new(0),
            unknown_kid_reload_failed: AtomicBool::new(false),
        }
    }

    /// Returns the key with this id, if it is loaded and verifies now. Never waits.
    pub(crate) fn known_verifier(&self, kid: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        self.snapshot.load().verifier(kid, now)
    }

    /// Returns the key whose session tokens have this encoded header, if it is loaded and verifies
    /// now.
    pub(crate) fn known_by_header(
        &self,
        header: &str,
        now: UnixMillis,
    ) -> Option<Arc<VerifyingKey>> {
        self.snapshot.load().by_header(header, now)
    }

    /// Returns a number that changes whenever a loaded key is removed or replaced. Earlier
    /// verifications are then no longer valid.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Returns the key that signs new tokens of this kind, and creates one if none is suitable.
    pub(crate) async fn signer(
        &self,
        kind: KeyKind,
        now: UnixMillis,
    ) -> Result<Arc<SigningKey>, KeyFault> {
        let snapshot = self.current(now).await?;
        snapshot
            .signer(kind, &self.policy, now)
            .ok_or(KeyFault::Missing)
    }

    /// Returns the key set to publish.
    pub(crate) async fn jwks(&self, now: UnixMillis) -> Result<JwkSet, KeyFault> {
        let snapshot = self.current(now).await?;
        let newest = snapshot
            .dynamic
            .first()
            .ok_or(KeyFault::Missing)?
            .created_at;
        let verifies_since = self.policy.verifies_since(now);
        let dynamic = snapshot
            .dynamic
            .iter()
            .filter(|key| key.created_at >= verifies_since);
        Ok(JwkSet {
            keys: dynamic
                .chain(&snapshot.statics)
                .map(|key| key.jwk().clone())
                .collect(),
            max_age: self.policy.max_age(newest, now),
        })
    }

    /// Returns the key with this id, if it verifies now. An unknown id is looked up in the store,
    /// at most once per [`UNKNOWN_KID_COOLDOWN`].
    pub(crate) async fn verifier(
        &self,
        kid: &str,
        now: UnixMillis,
    ) -> Result<Option<Arc<VerifyingKey>>, KeyFault> {
        if let Some(key) = self.known_verifier(kid, now) {
            return Ok(Some(key));
        }
        // Concurrent callers wait for the result of one lookup.
        let _one_at_a_time = self.loading.lock().await;
        if let Some(key) = self.known_verifier(kid, now) {
            return Ok(Some(key));
        }
        if !self.may_reload_for_unknown_kid(now) {
            // A failed lookup says nothing about the key.
            return if self.unknown_kid_reload_failed.load(Ordering::Relaxed) {
                Err(KeyFault::LookUpFailed)
            } else {
                Ok(None)
            };
        }
        // A lookup counts as failed until it has succeeded, because its request can be dropped at
        // any time.
        self.unknown_kid_reload_failed
            .store(true, Ordering::Relaxed);
        let snapshot = self.load(now).await?;
        self.unknown_kid_reload_failed
            .store(false, Ordering::Relaxed);
        Ok(snapshot.verifier(kid, now))
    }

    /// Returns the time of the last load.
    pub(crate) fn loaded_at(&self) -> UnixMillis {
        self.snapshot.load().loaded_at
    }

    /// Deletes keys without valid tokens.
    pub(crate) async fn retire(&self, now: UnixMillis) -> Result<u64, KeyFault> {
        Ok(self
            .store
            .delete_dynamic_keys(&self.app, self.policy.verifies_since(now))
            .await?)
    }

    /// Returns a recent snapshot with a suitable key of each kind.
    async fn current(&self, now: UnixMillis) -> Result<Arc<KeySnapshot>, KeyFault> {
        let snapshot = self.snapshot.load_full();
        if snapshot.is_current(&self.policy, now) {
            return Ok(snapshot);
        }
        match self.establish(now).await {
            Ok(snapshot) => Ok(snapshot),
            Err(fault) if snapshot.signs_in_need(&self.policy, now) => {
                tracing::warn!(error = %fault, "signing keys cannot be refreshed; going on with the known ones");
                Ok(snapshot)
            }
            Err(fault) => Err(fault),
        }
    }

    async fn establish(&self, now: UnixMillis) -> Result<Arc<KeySnapshot>, KeyFault> {
        let _one_at_a_time = self.loading.lock().await;
        let snapshot = self.snapshot.load_full();
        if snapshot.is_current(&self.policy, now) {
            return Ok(snapshot);
        }
        let mut snapshot = self.load(now).await?;
        if !snapshot.has_young_key(&self.policy, now) {
            let candidate = self.generate(KeyKind::Dynamic, now).await?;
            let added = self
                .store
                .add_dynamic_key(&self.app, &candidate, self.policy.young_since(now))
                .await?;
            tracing::info!(kid = candidate.kid, added, "rotating signing key generated");
            snapshot = self.load(now).await?;
        }
        if snapshot.statics.is_empty() {
            let candidate = self.generate(KeyKind::Static, now).await?;
            let added = self.store.add_static_key(&self.app, &candidate).await?;
            tracing::info!(kid = candidate.kid, added, "static signing key generated");
            snapshot = self.load(now).await?;
        }
        Ok(snapshot)
    }

    async fn load(&self, now: UnixMillis) -> Result<Arc<KeySnapshot>, KeyFault> {
        let stored = self.store.signing_keys(&self.app).await?;
        let known = self.snapshot.load_full();
        let policy = self.policy;
        let parsing = Arc::clone(&known);
        let keys = self
            .workers
            .run(move || parse(&stored, &parsing, &policy))
            .await?;
        let snapshot = Arc::new(KeySnapshot::new(keys, now));
        let lacks_a_key = !known.keys().all(|key| snapshot.holds(key));
        // No program deletes static keys.
        if !known.statics.iter().all(|key| snapshot.holds(key)) {
            tracing::error!(
                app = %self.app,
                "a static signing key is gone from the store; tokens that it signed are refused from now on. Was the store emptied, restored or replaced while this process runs?"
            );
        }
        self.snapshot.store(Arc::clone(&snapshot));
        if lacks_a_key {
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
        Ok(snapshot)
    }

    async fn generate(&self, kind: KeyKind, now: UnixMillis) -> Result<StoredKey, KeyFault> {
        let id = random_uuid(&*self.entropy)?;
        // Static keys are used by third-party verifiers, and their table is shared with
        // SuperTokens.
        let algorithm = match kind {
            KeyKind::Dynamic => self.algorithm,
            KeyKind::Static => SigningAlgorithm::Rs256,
        };
        Ok(self
            .workers
            .run(move || SigningKey::generate(kind, algorithm, now, id))
            .await??)
    }

    fn may_reload_for_unknown_kid(&self, now: UnixMillis) -> bool {
        let due = self.unknown_kid_reload_at.load(Ordering::Relaxed);
        // If the clock was set back, lookups must not be blocked for long, hence the second
        // condition.
        let elapsed = now.get() >= due || UnixMillis::new(due).since(now) > UNKNOWN_KID_COOLDOWN;
        elapsed
            && self
                .unknown_kid_reload_at
                .compare_exchange(
                    due,
                    now.after(UNKNOWN_KID_COOLDOWN).get(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }
}

/// What only a core needs.
#[cfg(feature = "server")]
impl KeyRing {
    /// Returns all loaded keys that verify now, for tokens without a key id. Never waits.
    pub(crate) fn verifiers(&self, now: UnixMillis) -> Vec<Arc<VerifyingKey>> {
        let snapshot = self.snapshot.load();
        let keys = snapshot.keys().map(|key| key.public());
        keys.filter(|key| key.verifies_at(now)).cloned().collect()
    }

    /// Returns the same after reading the store, at most once per [`UNKNOWN_KID_COOLDOWN`].
    pub(crate) async fn verifiers_looked_for(
        &self,
        now: UnixMillis,
    ) -> Result<Vec<Arc<VerifyingKey>>, KeyFault> {
        // No key has this id.
        self.verifier("", now).await?;
        Ok(self.verifiers(now))
    }

    /// Returns the lifetimes of rotating keys.
    pub(crate) fn policy(&self) -> &KeyPolicy {
        &self.policy
    }
}

/// Parses new keys and keeps known ones. A damaged key does not affect the others.
fn parse(stored: &[StoredKey], known: &KeySnapshot, policy: &KeyPolicy) -> Vec<Arc<SigningKey>> {
    let parsed = |stored: &StoredKey| {
        let known = known.by_kid.get(&stored.kid);
        if let Some(key) = known.filter(|key| key.is(stored)) {
            return Some(Arc::clone(key));
        }
        let verifies_until = match stored.kind {
            KeyKind::Dynamic => policy.verifies_until(stored.created_at),
            KeyKind::Static => UnixMillis::new(u64::MAX),
        };
        SigningKey::parse(stored, verifies_until)
            .map(Arc::new)
            .map_err(|error| tracing::error!(%error, "a stored signing key is left out"))
            .ok()
    };
    stored.iter().filter_map(parsed).collect()
}

impl KeySnapshot {
    fn new(newest_first: Vec<Arc<SigningKey>>, loaded_at: UnixMillis) -> Self {
        let by_kid = newest_first
            .iter()
            .map(|key| (key.kid().to_owned(), Arc::clone(key)))
            .collect();
        let (dynamic, statics) = newest_first
            .into_iter()
            .partition(|key| key.kind() == KeyKind::Dynamic);
        Self {
            dynamic,
            statics,
            by_kid,
            loaded_at,
        }
    }

    fn keys(&self) -> impl Iterator<Item = &Arc<SigningKey>> {
        self.dynamic.iter().chain(&self.statics)
    }

    fn holds(&self, key: &Arc<SigningKey>) -> bool {
        let own = self.by_kid.get(key.kid());
        own.is_some_and(|own| Arc::ptr_eq(own, key))
    }

    /// Returns the key with this id, if it verifies now.
    fn verifier(&self, kid: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        let key = self.by_kid.get(kid)?.public();
        key.verifies_at(now).then(|| Arc::clone(key))
    }

    /// Returns the key that writes this header, if it verifies now. A linear search suffices,
    /// because there are few keys.
    fn by_header(&self, header: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        self.keys()
            .map(|key| key.public())
            .find(|key| key.session_header() == header && key.verifies_at(now))
            .map(Arc::clone)
    }

    fn signer(
        &self,
        kind: KeyKind,
        policy: &KeyPolicy,
        now: UnixMillis,
    ) -> Option<Arc<SigningKey>> {
        match kind {
            KeyKind::Static => self.statics.first().cloned(),
            KeyKind::Dynamic => {
                let created: Vec<_> = self.dynamic.iter().map(|key| key.created_at).collect();
                self.dynamic
                    .get(policy.index_of_signer(&created, now))
                    .cloned()
            }
        }
    }

    fn is_current(&self, policy: &KeyPolicy, now: UnixMillis) -> bool {
        // `since` is zero if the clock was set back; the snapshot is then treated as recent.
        now.since(self.loaded_at) < SNAPSHOT_AGE
            && !self.statics.is_empty()
            && self.has_young_key(policy, now)
    }

    fn has_young_key(&self, policy: &KeyPolicy, now: UnixMillis) -> bool {
        self.dynamic
            .first()
            .is_some_and(|newest| newest.created_at >= policy.young_since(now))
    }

    fn signs_in_need(&self, policy: &KeyPolicy, now: UnixMillis) -> bool {
        !self.statics.is_empty()
            && self
                .dynamic
                .first()
                .is_some_and(|newest| policy.signs_in_need(newest.created_at, now))
    }
}
