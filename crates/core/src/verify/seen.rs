//! Tokens that were verified before: a bounded cache, so that a token that comes again costs a
//! look-up in place of a signature.
//!
//! What makes it safe:
//! * Only what [`verify`](super::verify) has passed gets in, so nobody without a signature of ours
//!   can fill it or push others out.
//! * A token is found by a keyed hash of its last bytes and then compared byte by byte. Nobody
//!   reaches the comparison, and what its duration might tell, without the end of a valid signature.
//!   The hash is a quick one, not one that withstands chosen keys: what is kept under it is the end
//!   of a signature of ours, or the handle of a session of ours, which nobody chooses, and two that
//!   share a hash cost each other their place and nothing else.
//! * Whether the token has expired, and whether its key is still the one that verified it, is looked
//!   at each time. All else that may refuse a request (anti-CSRF, revocation, claims) is asked after
//!   it, as after a verification.
//! * Of a session there is one token at most, so that ending the session finds it.

use std::collections::HashMap;
use std::collections::hash_map;
use std::fmt;
use std::hash::{BuildHasher, Hasher};

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, Weighter};

use super::Verified;
use super::sync::{Mutex, MutexGuard, PoisonError};
use crate::ids::SessionHandle;

/// Longer tokens are verified each time.
const LONGEST_TOKEN: usize = 4_096;
/// How many bytes of a token are hashed: the end of its signature.
const HASHED: usize = 32;
/// What an entry takes beside its token: counters, slots, claims, a stored payload.
const OVERHEAD: usize = 900;
/// What an entry takes with a token of a common length.
const COMMON_SIZE: usize = 2_300;

/// The cache.
pub(crate) struct SeenTokens {
    tokens: Cache<Tag, Verified, BySize, PassedOn, TellEvicted>,
    /// The token of each session. Changes go with changes of `tokens`, under this lock.
    by_session: Mutex<HashMap<Tag, Tag, PassedOn>>,
    hasher: SeedableRandomState,
}

/// A hash under a random key of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tag(u64);

impl SeenTokens {
    /// A cache of so many bytes, roughly.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            tokens: Cache::with(
                bytes / COMMON_SIZE,
                bytes as u64,
                BySize,
                PassedOn::default(),
                TellEvicted,
            ),
            by_session: Mutex::default(),
            hasher: keyed(),
        }
    }

    /// The token, if it was verified before. Whether it would be again is the caller's to ask, by
    /// [`Verified::still_holds`]. Does not allocate.
    pub(crate) fn get(&self, token: &[u8]) -> Option<Verified> {
        let verified = self.tokens.get(&self.tag_of(token))?;
        verified.is_of(token).then_some(verified)
    }

    /// Keeps a token. It replaces the one of the same session.
    pub(crate) fn keep(&self, verified: &Verified) {
        let token = verified.token();
        if token.len() > LONGEST_TOKEN {
            return;
        }
        let tag = self.tag_of(token.as_bytes());
        let mut evicted = Vec::new();
        let mut by_session = self.by_session();
        let older = by_session.insert(self.tag_of_session(verified.handle_text()), tag);
        if let Some(older) = older.filter(|older| *older != tag) {
            self.tokens.remove(&older);
        }
        self.tokens
            .insert_with_lifecycle(tag, verified.clone(), &mut evicted);
        // What an equal token replaces is among them too, and is still there.
        let gone = evicted
            .iter()
            .filter(|(tag, _)| !self.tokens.contains_key(tag));
        for (tag, verified) in gone {
            let session = self.tag_of_session(verified.handle_text());
            if by_session.get(&session) == Some(tag) {
                by_session.remove(&session);
            }
        }
        drop(by_session);
    }

    /// Drops the token of a session.
    pub(crate) fn forget(&self, handle: &SessionHandle) {
        let mut by_session = self.by_session();
        if let Some(tag) = by_session.remove(&self.tag_of_session(handle)) {
            self.tokens.remove(&tag);
        }
    }

    /// How many tokens there are, and of how many sessions it is known which is theirs.
    #[cfg(test)]
    pub(super) fn lengths(&self) -> (usize, usize) {
        (self.tokens.len(), self.by_session().len())
    }

    fn tag_of(&self, token: &[u8]) -> Tag {
        let end = token.len().saturating_sub(HASHED);
        let mut hasher = self.hasher.build_hasher();
        hasher.write(token.get(end..).unwrap_or_default());
        Tag(hasher.finish())
    }

    fn tag_of_session(&self, handle: &str) -> Tag {
        Tag(self.hasher.hash_one(handle))
    }

    fn by_session(&self) -> MutexGuard<'_, HashMap<Tag, Tag, PassedOn>> {
        // A map that lacks an entry is still a map, so a poisoned lock is still sound.
        self.by_session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hash under a key that has 64 bits of the operating system's randomness.
fn keyed() -> SeedableRandomState {
    let random = || hash_map::RandomState::new().hash_one(());
    SeedableRandomState::with_seed(random(), SharedSeed::global_random())
}

/// Tokens are secrets; only their number shows.
impl fmt::Debug for SeenTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenTokens")
            .field("tokens", &self.tokens.len())
            .field("bytes", &self.tokens.weight())
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct BySize;

impl Weighter<Tag, Verified> for BySize {
    fn weight(&self, _: &Tag, verified: &Verified) -> u64 {
        (verified.size() + OVERHEAD) as u64
    }
}

#[derive(Clone)]
struct TellEvicted;

impl Lifecycle<Tag, Verified> for TellEvicted {
    type RequestState = Vec<(Tag, Verified)>;

    fn on_evict(&self, evicted: &mut Self::RequestState, tag: Tag, verified: Verified) {
        evicted.push((tag, verified));
    }
}

/// A tag is a hash already.
#[derive(Clone, Copy, Debug, Default)]
struct PassedOn(u64);

impl BuildHasher for PassedOn {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for PassedOn {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, tag: u64) {
        self.0 = tag;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}
