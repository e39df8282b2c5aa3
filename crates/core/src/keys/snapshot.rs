//! The keys that a process has loaded. A snapshot never changes; a load replaces it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{KeyPolicy, SigningKey, VerifyingKey};
use crate::clock::UnixMillis;
use crate::store::{KeyKind, StoredKey};

/// The parsed keys, as of the last load.
#[derive(Debug, Default)]
pub(super) struct KeySnapshot {
    /// Newest first.
    pub(super) dynamic: Vec<Arc<SigningKey>>,
    /// Newest first.
    pub(super) statics: Vec<Arc<SigningKey>>,
    by_kid: HashMap<String, Arc<SigningKey>>,
    pub(super) loaded_at: UnixMillis,
}

/// Maximum age of the snapshot when the key set is published or a token is signed. It is half of
/// the overlap, so a key that another node created is published here before that node uses it.
const SNAPSHOT_AGE: Duration = Duration::from_secs(30);

impl KeySnapshot {
    /// Parses the stored keys, newest first. Known ones are kept, so that a key is parsed once. A
    /// damaged key does not affect the others.
    pub(super) fn of_stored(
        stored: &[StoredKey],
        known: &Self,
        policy: &KeyPolicy,
        loaded_at: UnixMillis,
    ) -> Self {
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
                .map_err(
                    |error| tracing::error!(%error, "a stored signing key is unusable and skipped"),
                )
                .ok()
        };
        Self::new(stored.iter().filter_map(parsed).collect(), loaded_at)
    }

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

    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<SigningKey>> {
        self.dynamic.iter().chain(&self.statics)
    }

    pub(super) fn holds(&self, key: &Arc<SigningKey>) -> bool {
        let own = self.by_kid.get(key.kid());
        own.is_some_and(|own| Arc::ptr_eq(own, key))
    }

    /// Returns the key with this id, if it verifies now.
    pub(super) fn verifier(&self, kid: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        let key = self.by_kid.get(kid)?.public();
        key.verifies_at(now).then(|| Arc::clone(key))
    }

    /// Returns the key that writes this header, if it verifies now. A linear search suffices,
    /// because there are few keys.
    pub(super) fn by_header(&self, header: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        self.keys()
            .map(|key| key.public())
            .find(|key| key.session_header() == header && key.verifies_at(now))
            .map(Arc::clone)
    }

    pub(super) fn signer(
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

    pub(super) fn is_current(&self, policy: &KeyPolicy, now: UnixMillis) -> bool {
        // `since` is zero if the clock was set back; the snapshot is then treated as recent.
        now.since(self.loaded_at) < SNAPSHOT_AGE
            && !self.statics.is_empty()
            && self.has_young_key(policy, now)
    }

    pub(super) fn has_young_key(&self, policy: &KeyPolicy, now: UnixMillis) -> bool {
        self.dynamic
            .first()
            .is_some_and(|newest| newest.created_at >= policy.young_since(now))
    }

    pub(super) fn signs_in_need(&self, policy: &KeyPolicy, now: UnixMillis) -> bool {
        !self.statics.is_empty()
            && self
                .dynamic
                .first()
                .is_some_and(|newest| policy.signs_in_need(newest.created_at, now))
    }
}
