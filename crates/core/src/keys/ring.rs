//! The keys of one app in this process: the only code that loads, creates and retires keys. The
//! loaded keys are read without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::key::KeyError;
use super::snapshot::KeySnapshot;
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
        "the signing keys could not be read from the store; the next attempt follows within a second"
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
                tracing::warn!(error = %fault, "the signing keys cannot be reloaded; the loaded ones stay in use");
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
        let snapshot = self
            .workers
            .run(move || KeySnapshot::of_stored(&stored, &parsing, &policy, now))
            .await?;
        let snapshot = Arc::new(snapshot);
        let lacks_a_key = !known.keys().all(|key| snapshot.holds(key));
        // No program deletes static keys.
        if !known.statics.iter().all(|key| snapshot.holds(key)) {
            tracing::error!(
                app = %self.app,
                "a static signing key is missing from the store; tokens that it signed are now rejected. Check whether the store was emptied, restored or replaced while this process was running"
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

/// Functions that only a core needs.
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
