//! The sessions that a guard may treat as live while the revocation feed is connected.

use std::fmt;

use super::Cache;
use super::sync::atomic::{AtomicBool, Ordering};
use super::sync::{Mutex, MutexGuard, PoisonError};
use crate::ids::SessionHandle;

/// Maximum number of sessions that are remembered as live. Beyond it, sessions that have not been
/// used for long are evicted and queried again.
const CAPACITY: usize = 100_000;

/// Sessions that the store has reported as live since the feed connected, and that the feed has not
/// reported as revoked since.
///
/// A guard that queries the store can receive an answer that is older than a revocation which the
/// feed delivers meanwhile. Inserting that answer would keep a revoked session confirmed. Every
/// guard therefore takes a [`Ticket`] before its query, and [`confirm`](Self::confirm) ignores the
/// answer if any session was revoked, or the feed reconnected, after the ticket was taken.
pub(crate) struct Confirmed {
    /// Set while the feed is connected.
    fed: AtomicBool,
    /// Counts the events that can make an answer in flight stale: revocations and connections of
    /// the feed.
    changes: Mutex<u64>,
    live: Cache<SessionHandle, ()>,
}

/// The state of [`Confirmed`] before the store is queried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl Confirmed {
    pub(crate) fn is_fed(&self) -> bool {
        self.fed.load(Ordering::Acquire)
    }

    /// Returns `true` if the session is live without a query of the store.
    pub(crate) fn holds(&self, handle: &SessionHandle) -> bool {
        self.is_fed() && self.live.get(handle).is_some()
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(*self.changes())
    }

    /// Records that the store reported the session as live, in answer to a query made after
    /// `ticket` was taken. The answer is ignored if anything has changed since then, because it may
    /// be older than the revocation.
    pub(crate) fn confirm(&self, handle: &SessionHandle, ticket: Ticket) {
        let changes = self.changes();
        if *changes == ticket.0 && self.is_fed() {
            self.live.insert(handle.clone(), ());
        }
    }

    pub(crate) fn forget(&self, handle: &SessionHandle) {
        *self.changes() += 1;
        self.live.remove(handle);
    }

    /// Records that the feed is connected. Answers to earlier queries become stale, because a
    /// session may have been revoked while no feed could report it.
    pub(crate) fn flows(&self) {
        let mut changes = self.changes();
        *changes += 1;
        self.fed.store(true, Ordering::Release);
    }

    pub(crate) fn lost(&self) {
        // The lock keeps a concurrent `confirm` from inserting between the two steps.
        let _changes = self.changes();
        self.fed.store(false, Ordering::Release);
        self.live.clear();
    }

    fn changes(&self) -> MutexGuard<'_, u64> {
        // The counter is always consistent, so a poisoned lock is usable.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Confirmed {
    pub(crate) fn with_capacity(sessions: usize) -> Self {
        Self {
            fed: AtomicBool::new(false),
            changes: Mutex::default(),
            live: Cache::new(sessions),
        }
    }
}

impl Default for Confirmed {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl fmt::Debug for Confirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmed")
            .field("fed", &self.is_fed())
            .field("sessions", &self.live.len())
            .finish_non_exhaustive()
    }
}
