//! Notification of sessions that end.
//!
//! There are two consumers: code that waits for the end of a session, and guards that rely on the
//! store's revocation feed instead of querying the store.
//!
//! A revocation through this instance is known immediately. A revocation on another node arrives
//! through the store's revocation feed. Without a feed, because the store has none or the
//! connection is lost, a thread queries the store every few seconds for the sessions that are
//! waited for.

mod confirmed;

use std::collections::HashMap;
// For `confirmed`, which a test compiles a second time against `shuttle`'s primitives.
use std::sync;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;
use tokio::sync::watch;

pub(crate) use confirmed::Confirmed;

use crate::clock::UnixMillis;
use crate::ids::SessionHandle;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The session was not refreshed in time, or it reached its absolute lifetime.
    Expired,
    /// The session was revoked: by a sign-out, by the application, or because one of its refresh
    /// tokens was reused.
    Revoked,
}

/// The sessions whose end is waited for, and those that are confirmed live.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    waiting: Mutex<Waiting>,
    pub(crate) confirmed: Confirmed,
}

#[derive(Debug, Default)]
struct Waiting {
    sessions: HashMap<SessionHandle, Watched>,
    /// Set while the polling thread runs.
    kept: bool,
}

#[derive(Debug)]
struct Watched {
    end: watch::Sender<Option<SessionEnd>>,
    /// Expiry of the session according to the latest known state.
    expires_at: UnixMillis,
}

impl Watch {
    /// Subscribes to the end of a session that lives until `expires_at` at least.
    pub(crate) fn subscribe(
        &self,
        handle: &SessionHandle,
        expires_at: UnixMillis,
    ) -> watch::Receiver<Option<SessionEnd>> {
        let mut waiting = self.waiting();
        let watched = waiting
            .sessions
            .entry(handle.clone())
            .or_insert_with(|| Watched {
                end: watch::Sender::new(None),
                expires_at,
            });
        watched.expires_at = watched.expires_at.max(expires_at);
        watched.end.subscribe()
    }

    /// Records that a session was found live.
    pub(crate) fn lives_until(&self, handle: &SessionHandle, expires_at: UnixMillis) {
        if let Some(watched) = self.waiting().sessions.get_mut(handle) {
            watched.expires_at = expires_at;
        }
    }

    /// Records that sessions were revoked.
    pub(crate) fn revoked(&self, handles: &[SessionHandle]) {
        for handle in handles {
            self.confirmed.forget(handle);
            if let Some(watched) = self.waiting().sessions.remove(handle) {
                watched.end.send_replace(Some(SessionEnd::Revoked));
            }
        }
    }

    /// Records that the store no longer has the session as a live one.
    pub(crate) fn gone(&self, handle: &SessionHandle, now: UnixMillis) {
        self.confirmed.forget(handle);
        if let Some(watched) = self.waiting().sessions.remove(handle) {
            let end = if watched.expires_at <= now {
                SessionEnd::Expired
            } else {
                SessionEnd::Revoked
            };
            watched.end.send_replace(Some(end));
        }
    }

    /// Returns the sessions that still have a subscriber and removes the others.
    pub(crate) fn awaited(&self) -> Vec<(SessionHandle, UnixMillis)> {
        let mut waiting = self.waiting();
        waiting
            .sessions
            .retain(|_, watched| watched.end.receiver_count() > 0);
        let sessions = waiting.sessions.iter();
        sessions
            .map(|(handle, watched)| (handle.clone(), watched.expires_at))
            .collect()
    }

    /// Returns `true` if a caller waits and no polling thread runs. A thread is then recorded as
    /// running, and the caller must start it.
    pub(crate) fn needs_keeper(&self) -> bool {
        let mut waiting = self.waiting();
        let needed = !waiting.kept && !waiting.sessions.is_empty();
        waiting.kept |= needed;
        needed
    }

    /// Records that the polling thread does not run.
    pub(crate) fn keeper_failed(&self) {
        self.waiting().kept = false;
    }

    /// Returns `true` if no caller waits. The thread is then recorded as stopped, under the same
    /// lock, so that a new subscriber starts another one.
    pub(crate) fn is_done(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.kept = !waiting.sessions.is_empty();
        !waiting.kept
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every critical section leaves the map consistent, so a poisoned lock is usable.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod shuttled;
#[cfg(test)]
mod tests;
