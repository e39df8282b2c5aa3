//! The core's key set in this process: a snapshot that readers access without waiting, and the only
//! code that fetches it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use supersession::authority::VerifyingKey;
use supersession::{Fault, FaultKind, Jwk, JwkSet, UnixMillis, wire};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::call::Call;
use crate::client::Client;
use crate::http_client::Response;

/// Maximum age of a key set, also used if the core specifies none. It is limited because a key that
/// was removed from the core must not verify tokens here for much longer.
const MAX_AGE: Duration = Duration::from_secs(60);
const MIN_AGE: Duration = Duration::from_secs(1);
/// Minimum interval between fetches because of unknown key ids. Without it, forged key ids would
/// cause one request to the core each.
const UNKNOWN_KID_COOLDOWN: Duration = Duration::from_millis(500);

/// The cached keys of a core.
pub(crate) struct KeyCache {
    client: Arc<Client>,
    runtime: Handle,
    snapshot: ArcSwapOption<Snapshot>,
    /// Incremented when a new snapshot lacks a key of the previous one.
    generation: AtomicU64,
    loading: Mutex<()>,
    revalidating: AtomicBool,
    /// Earliest time of the next attempt to fetch a stale key set.
    revalidate_at: AtomicU64,
    /// Earliest time of the next fetch because of an unknown key id.
    next_lookup: AtomicU64,
    last_lookup_failed: AtomicBool,
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

    /// Returns `true` if the snapshot must be fetched again. It also counts as stale if the clock
    /// has gone back.
    fn is_stale(&self, now: UnixMillis) -> bool {
        let age = self.set.max_age.clamp(MIN_AGE, MAX_AGE);
        now.since(self.loaded_at) >= age || self.loaded_at.since(now) >= age
    }

    /// Returns `true` if `other` contains all keys of this snapshot, unchanged.
    fn is_within(&self, other: &Self) -> bool {
        self.by_kid.iter().all(|(kid, (jwk, _))| {
            let found = other.by_kid.get(kid);
            found.is_some_and(|(other, _)| other == jwk)
        })
    }
}

impl KeyCache {
    pub(crate) fn new(client: Arc<Client>, runtime: Handle) -> Self {
        Self {
            client,
            runtime,
            snapshot: ArcSwapOption::default(),
            generation: AtomicU64::default(),
            loading: Mutex::default(),
            revalidating: AtomicBool::default(),
            revalidate_at: AtomicU64::default(),
            next_lookup: AtomicU64::default(),
            last_lookup_failed: AtomicBool::default(),
        }
    }

    /// Returns the key with this id, if it is cached.
    pub(crate) fn cached(
        self: &Arc<Self>,
        kid: &str,
        now: UnixMillis,
    ) -> Option<Arc<VerifyingKey>> {
        self.read(now, |snapshot| snapshot.key(kid))
    }

    /// Returns the key of tokens with this header, if it is cached. Searches linearly, because there
    /// are few keys.
    pub(crate) fn cached_by_header(
        self: &Arc<Self>,
        header: &str,
        now: UnixMillis,
    ) -> Option<Arc<VerifyingKey>> {
        self.read(now, |snapshot| {
            let mut keys = snapshot.by_kid.values();
            let found = keys.find(|(_, key)| key.session_header() == header);
            found.map(|(_, key)| Arc::clone(key))
        })
    }

    /// Reads the cached snapshot. A stale snapshot stays in use while it is fetched again.
    fn read<T>(
        self: &Arc<Self>,
        now: UnixMillis,
        read: impl FnOnce(&Snapshot) -> Option<T>,
    ) -> Option<T> {
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_ref()?;
        self.revalidate(snapshot, now);
        read(snapshot)
    }

    /// Starts to fetch a stale snapshot again, unless a fetch is already running.
    fn revalidate(self: &Arc<Self>, snapshot: &Snapshot, now: UnixMillis) {
        let at = UnixMillis::new(self.revalidate_at.load(Ordering::Relaxed));
        // A clock that has gone back must not prevent the fetch for long.
        let due = now >= at || at.since(now) > MIN_AGE;
        if due && snapshot.is_stale(now) && !self.revalidating.swap(true, Ordering::AcqRel) {
            let next = now.after(MIN_AGE).get();
            self.revalidate_at.store(next, Ordering::Relaxed);
            let cache = Arc::clone(self);
            self.runtime.spawn(async move {
                if let Err(fault) = cache.current(now).await {
                    tracing::debug!(target: "supersession", error = fault.report(), "the key set of the core cannot be fetched");
                }
                cache.revalidating.store(false, Ordering::Release);
            });
        }
    }

    /// Returns the generation of the keys. For a token that is already cached, this is the only
    /// call.
    pub(crate) fn generation(self: &Arc<Self>, now: UnixMillis) -> u64 {
        if let Some(snapshot) = self.snapshot.load().as_ref() {
            self.revalidate(snapshot, now);
        }
        self.generation.load(Ordering::Relaxed)
    }

    /// Returns the key with this id. An unknown id is looked up on the core at most once per
    /// [`UNKNOWN_KID_COOLDOWN`].
    pub(crate) async fn find(
        self: &Arc<Self>,
        kid: &str,
        now: UnixMillis,
    ) -> Result<Option<Arc<VerifyingKey>>, Fault> {
        if let Some(key) = self.cached(kid, now) {
            return Ok(Some(key));
        }
        // Concurrent callers wait for the running fetch and use its result.
        let _one_at_a_time = self.loading.lock().await;
        let found = self
            .snapshot
            .load()
            .as_ref()
            .and_then(|known| known.key(kid));
        if found.is_some() {
            return Ok(found);
        }
        if !self.may_look_up(now) {
            // A failed fetch proves nothing about the key.
            return if self.last_lookup_failed.load(Ordering::Relaxed) {
                Err(Fault::new(
                    FaultKind::Unavailable,
                    "the last attempt to fetch the key set of the core failed; the next attempt follows shortly",
                ))
            } else {
                Ok(None)
            };
        }
        self.last_lookup_failed.store(true, Ordering::Relaxed);
        let snapshot = self.load(now).await?;
        self.last_lookup_failed.store(false, Ordering::Relaxed);
        Ok(snapshot.key(kid))
    }

    /// Returns the key set to publish. Its maximum age is what remains of the core's own.
    pub(crate) async fn jwks(&self, now: UnixMillis) -> Result<JwkSet, Fault> {
        let snapshot = self.current(now).await?;
        let mut set = snapshot.set.clone();
        let left = set.max_age.saturating_sub(now.since(snapshot.loaded_at));
        set.max_age = left.max(MIN_AGE);
        Ok(set)
    }

    /// Returns the creation time of the newest dynamic key, which its id contains. Always fetches
    /// from the core.
    pub(crate) async fn newest_key_made_at(&self) -> Result<Option<UnixMillis>, Fault> {
        let _one_at_a_time = self.loading.lock().await;
        // Without its time of arrival, the snapshot counts as stale and is soon fetched again.
        let snapshot = self.load(UnixMillis::default()).await?;
        let made_at = |kid: &String| kid.strip_prefix(wire::DYNAMIC_KID_PREFIX)?.parse().ok();
        Ok(snapshot
            .by_kid
            .keys()
            .filter_map(made_at)
            .max()
            .map(UnixMillis::new))
    }

    /// Returns a fresh snapshot, or the known one if no fresh one can be fetched.
    async fn current(&self, now: UnixMillis) -> Result<Arc<Snapshot>, Fault> {
        let fresh = || {
            let known = self.snapshot.load_full();
            known.filter(|snapshot| !snapshot.is_stale(now))
        };
        if let Some(snapshot) = fresh() {
            return Ok(snapshot);
        }
        let _one_at_a_time = self.loading.lock().await;
        if let Some(snapshot) = fresh() {
            return Ok(snapshot);
        }
        match (self.load(now).await, self.snapshot.load_full()) {
            (Err(fault), Some(known)) => {
                tracing::warn!(target: "supersession", error = fault.report(), "the key set of the core cannot be fetched; the cached one is used");
                Ok(known)
            }
            (loaded, _) => loaded,
        }
    }

    async fn load(&self, now: UnixMillis) -> Result<Arc<Snapshot>, Fault> {
        let call = Call::public("/.well-known/jwks.json");
        let known = self.snapshot.load_full();
        let read = |response: &Response| {
            let max_age = response.max_age().unwrap_or(MAX_AGE);
            let set = JwkSet::read(&response.body, max_age).ok()?;
            let by_kid: HashMap<_, _> = set
                .keys
                .iter()
                .filter_map(|jwk| {
                    let known = known.as_ref().and_then(|known| known.by_kid.get(jwk.kid()));
                    let key = match known {
                        Some((same, key)) if same == jwk => Arc::clone(key),
                        _ => Arc::new(VerifyingKey::of_jwk(jwk)?),
                    };
                    Some((jwk.kid().to_owned(), (jwk.clone(), key)))
                })
                .collect();
            // A core always has keys, so an empty set is not accepted.
            let snapshot = Snapshot {
                set,
                by_kid,
                loaded_at: now,
            };
            (!snapshot.by_kid.is_empty()).then(|| Arc::new(snapshot))
        };
        let loaded = self.client.call(&call, read).await.map_err(Fault::from)?;
        let lacks_a_key = known.is_some_and(|known| !known.is_within(&loaded));
        self.snapshot.store(Some(Arc::clone(&loaded)));
        if lacks_a_key {
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
        Ok(loaded)
    }

    fn may_look_up(&self, now: UnixMillis) -> bool {
        let due = self.next_lookup.load(Ordering::Relaxed);
        // A clock that has gone back must not prevent the fetch for long.
        let may = now.get() >= due || UnixMillis::new(due).since(now) > UNKNOWN_KID_COOLDOWN;
        if may {
            let next = now.after(UNKNOWN_KID_COOLDOWN).get();
            self.next_lookup.store(next, Ordering::Relaxed);
        }
        may
    }
}
