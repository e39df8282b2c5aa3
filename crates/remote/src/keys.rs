//! The core's key set in this process: a snapshot that readers take without waiting, and the one
//! place that fetches it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use supersession::authority::VerifyingKey;
use supersession::{Fault, FaultKind, Jwk, JwkSet, UnixMillis, wire};
use tokio::sync::Mutex;

use crate::calls::{Call, Core};

/// How long a set without a word about it may be cached, and the longest that one is: a key that is
/// gone at the core must not verify much longer here.
const USUAL_AGE: Duration = Duration::from_secs(60);
const LEAST_AGE: Duration = Duration::from_secs(1);
/// A forged key id may cause one look at the core in this time, not one a request.
const UNKNOWN_KID_COOLDOWN: Duration = Duration::from_millis(500);

/// The keys that are known.
#[derive(Default)]
pub(crate) struct Keys {
    snapshot: ArcSwapOption<Snapshot>,
    /// Counts the snapshots that lack a key of the one before.
    generation: AtomicU64,
    loading: Mutex<()>,
    revalidating: AtomicBool,
    /// Not before this a set that could not be fetched is tried again.
    revalidate_at: AtomicU64,
    next_look: AtomicU64,
    last_look_failed: AtomicBool,
}

struct Snapshot {
    set: JwkSet,
    by_kid: HashMap<String, (Jwk, Arc<VerifyingKey>)>,
    loaded_at: UnixMillis,
}

impl Snapshot {
    fn key(&self, kid: &str) -> Option<Arc<VerifyingKey>> {
        self.by_kid.get(kid).map(|(_, key)| Arc::clone(key))
    }

    /// Whether it is to be fetched anew. A clock that stepped back makes it so too.
    fn is_stale(&self, now: UnixMillis) -> bool {
        let age = self.set.max_age.clamp(LEAST_AGE, USUAL_AGE);
        now.since(self.loaded_at) >= age || self.loaded_at.since(now) >= age
    }

    /// Whether all its keys are, as they are, in `other`.
    fn is_within(&self, other: &Self) -> bool {
        self.by_kid.iter().all(|(kid, (jwk, _))| {
            let found = other.by_kid.get(kid);
            found.is_some_and(|(other, _)| other == jwk)
        })
    }
}

impl Core {
    pub(crate) fn known_key(
        self: &Arc<Self>,
        kid: &str,
        now: UnixMillis,
    ) -> Option<Arc<VerifyingKey>> {
        self.known(now, |snapshot| snapshot.key(kid))
    }

    /// There are few keys.
    pub(crate) fn known_by_header(
        self: &Arc<Self>,
        header: &str,
        now: UnixMillis,
    ) -> Option<Arc<VerifyingKey>> {
        self.known(now, |snapshot| {
            let mut keys = snapshot.by_kid.values();
            let found = keys.find(|(_, key)| key.session_header() == header);
            found.map(|(_, key)| Arc::clone(key))
        })
    }

    /// What is known counts while it is fetched anew.
    fn known<T>(
        self: &Arc<Self>,
        now: UnixMillis,
        read: impl FnOnce(&Snapshot) -> Option<T>,
    ) -> Option<T> {
        let snapshot = self.keys.snapshot.load();
        let snapshot = snapshot.as_ref()?;
        self.revalidate(snapshot, now);
        read(snapshot)
    }

    /// Starts to fetch what is old anew, unless somebody does.
    fn revalidate(self: &Arc<Self>, snapshot: &Snapshot, now: UnixMillis) {
        let at = UnixMillis::new(self.keys.revalidate_at.load(Ordering::Relaxed));
        // A clock that stepped back must not lock the door for long.
        let due = now >= at || at.since(now) > LEAST_AGE;
        if due && snapshot.is_stale(now) && !self.keys.revalidating.swap(true, Ordering::AcqRel) {
            let next = now.after(LEAST_AGE).get();
            self.keys.revalidate_at.store(next, Ordering::Relaxed);
            self.start(move |core| async move {
                if let Err(fault) = core.current(now).await {
                    tracing::debug!(target: "supersession", error = fault.report(), "the key set of the core cannot be fetched");
                }
                core.keys.revalidating.store(false, Ordering::Release);
            });
        }
    }

    /// Where tokens come again and again, this is all that is asked.
    pub(crate) fn key_generation(self: &Arc<Self>, now: UnixMillis) -> u64 {
        if let Some(snapshot) = self.keys.snapshot.load().as_ref() {
            self.revalidate(snapshot, now);
        }
        self.keys.generation.load(Ordering::Relaxed)
    }

    /// The key of this id. An unknown id is looked for at the core, at most once in
    /// [`UNKNOWN_KID_COOLDOWN`].
    pub(crate) async fn find_key(
        self: &Arc<Self>,
        kid: &str,
        now: UnixMillis,
    ) -> Result<Option<Arc<VerifyingKey>>, Fault> {
        if let Some(key) = self.known_key(kid, now) {
            return Ok(Some(key));
        }
        // Whoever asks while somebody else looks waits for what that brings.
        let _one_at_a_time = self.keys.loading.lock().await;
        let found = self
            .keys
            .snapshot
            .load()
            .as_ref()
            .and_then(|known| known.key(kid));
        if found.is_some() {
            return Ok(found);
        }
        if !self.keys.may_look(now) {
            // A look that failed says nothing about the key.
            return if self.keys.last_look_failed.load(Ordering::Relaxed) {
                Err(Fault::new(
                    FaultKind::Unavailable,
                    "the key set of the core could not be fetched a moment ago, and will be tried again shortly",
                ))
            } else {
                Ok(None)
            };
        }
        self.keys.last_look_failed.store(true, Ordering::Relaxed);
        let snapshot = self.load(now).await?;
        self.keys.last_look_failed.store(false, Ordering::Relaxed);
        Ok(snapshot.key(kid))
    }

    /// The set to publish. The time that it may be cached is what is left of the core's own.
    pub(crate) async fn key_set(&self, now: UnixMillis) -> Result<JwkSet, Fault> {
        let snapshot = self.current(now).await?;
        let mut set = snapshot.set.clone();
        let left = set.max_age.saturating_sub(now.since(snapshot.loaded_at));
        set.max_age = left.max(LEAST_AGE);
        Ok(set)
    }

    /// When the newest rotating key was made, as its id says. Asks the core.
    pub(crate) async fn newest_key_made_at(&self) -> Result<Option<UnixMillis>, Fault> {
        let _one_at_a_time = self.keys.loading.lock().await;
        // Without the time of its arrival the snapshot counts as old, and is soon fetched again.
        let snapshot = self.load(UnixMillis::default()).await?;
        let made_at = |kid: &String| kid.strip_prefix(wire::DYNAMIC_KID_PREFIX)?.parse().ok();
        Ok(snapshot
            .by_kid
            .keys()
            .filter_map(made_at)
            .max()
            .map(UnixMillis::new))
    }

    /// A snapshot that is fresh, or the known one if there is no fresh one to be had.
    async fn current(&self, now: UnixMillis) -> Result<Arc<Snapshot>, Fault> {
        let fresh = || {
            let known = self.keys.snapshot.load_full();
            known.filter(|snapshot| !snapshot.is_stale(now))
        };
        if let Some(snapshot) = fresh() {
            return Ok(snapshot);
        }
        let _one_at_a_time = self.keys.loading.lock().await;
        if let Some(snapshot) = fresh() {
            return Ok(snapshot);
        }
        match (self.load(now).await, self.keys.snapshot.load_full()) {
            (Err(fault), Some(known)) => {
                tracing::warn!(target: "supersession", error = fault.report(), "the key set of the core cannot be fetched; going on with the known one");
                Ok(known)
            }
            (loaded, _) => loaded,
        }
    }

    async fn load(&self, now: UnixMillis) -> Result<Arc<Snapshot>, Fault> {
        let call = Call::public("/.well-known/jwks.json");
        let known = self.keys.snapshot.load_full();
        let read = |answer: &crate::http_client::Answer| {
            let max_age = answer.max_age().unwrap_or(USUAL_AGE);
            let set = JwkSet::read(&answer.body, max_age).ok()?;
            let by_kid: HashMap<_, _> = set
                .keys
                .iter()
                .filter_map(|jwk| {
                    let known = known.as_ref().and_then(|known| known.by_kid.get(&jwk.kid));
                    let key = match known {
                        Some((same, key)) if same == jwk => Arc::clone(key),
                        _ => Arc::new(VerifyingKey::of_jwk(jwk)?),
                    };
                    Some((jwk.kid.clone(), (jwk.clone(), key)))
                })
                .collect();
            // A core always has keys.
            let snapshot = Snapshot {
                set,
                by_kid,
                loaded_at: now,
            };
            (!snapshot.by_kid.is_empty()).then(|| Arc::new(snapshot))
        };
        let loaded = self.ask(&call, read).await.map_err(Fault::from)?;
        let lacks_a_key = known.is_some_and(|known| !known.is_within(&loaded));
        self.keys.snapshot.store(Some(Arc::clone(&loaded)));
        if lacks_a_key {
            self.keys.generation.fetch_add(1, Ordering::Relaxed);
        }
        Ok(loaded)
    }
}

impl Keys {
    fn may_look(&self, now: UnixMillis) -> bool {
        let due = self.next_look.load(Ordering::Relaxed);
        // A clock that stepped back must not lock the door for long.
        let may = now.get() >= due || UnixMillis::new(due).since(now) > UNKNOWN_KID_COOLDOWN;
        if may {
            let next = now.after(UNKNOWN_KID_COOLDOWN).get();
            self.next_look.store(next, Ordering::Relaxed);
        }
        may
    }
}
