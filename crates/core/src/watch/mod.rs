//! Sessions that end, told to whom it concerns: code that waits for the end of one, and guards that
//! rely on the store's feed instead of asking the store.
//!
//! What ends a session through this value is known at once. What ends one elsewhere comes by the
//! store's feed, if it has one; where it has none, or has lost it, those who wait are looked after
//! by asking the store every few seconds.

mod feed;
mod keeper;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub(crate) use feed::{Confirmed, FeedReader};

use crate::clock::UnixMillis;
use crate::ids::SessionHandle;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionEnd {
    /// Nobody refreshed it in time, or it reached its absolute lifetime.
    Expired,
    /// It was revoked: by a sign-out, by the application, or because one of its refresh tokens was
    /// used twice.
    Revoked,
}

/// Who waits for the end of which session.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    waiting: Mutex<Waiting>,
    pub(crate) confirmed: Confirmed,
}

#[derive(Debug, Default)]
struct Waiting {
    sessions: HashMap<SessionHandle, Watched>,
    /// Whether a thread looks after them.
    kept: bool,
}

#[derive(Debug)]
struct Watched {
    end: watch::Sender<Option<SessionEnd>>,
    /// When the session ends unless it is refreshed, as far as is known.
    expires_at: UnixMillis,
}

impl Watch {
    /// Starts to wait for the end of a session that lives until `expires_at` at least.
    fn subscribe(
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

    /// A session has been seen alive.
    fn lives_until(&self, handle: &SessionHandle, expires_at: UnixMillis) {
        if let Some(watched) = self.waiting().sessions.get_mut(handle) {
            watched.expires_at = expires_at;
        }
    }

    /// Sessions have been revoked.
    pub(crate) fn revoked(&self, handles: &[SessionHandle]) {
        for handle in handles {
            self.confirmed.forget(handle);
            if let Some(watched) = self.waiting().sessions.remove(handle) {
                watched.end.send_replace(Some(SessionEnd::Revoked));
            }
        }
    }

    /// The store has no such live session any more.
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

    /// The sessions that somebody still waits for. Forgets the others.
    fn awaited(&self) -> Vec<(SessionHandle, UnixMillis)> {
        let mut waiting = self.waiting();
        waiting
            .sessions
            .retain(|_, watched| watched.end.receiver_count() > 0);
        let sessions = waiting.sessions.iter();
        sessions
            .map(|(handle, watched)| (handle.clone(), watched.expires_at))
            .collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every critical section here leaves the map whole, so a poisoned lock is still sound.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
