//! The sessions that a guard may take for live while the feed flows.

use std::fmt;

use super::Cache;
use super::sync::atomic::{AtomicBool, Ordering};
use super::sync::{Mutex, MutexGuard, PoisonError};
use crate::ids::SessionHandle;

/// How many sessions are remembered as live. Of further ones, those that were not used for long are
/// asked about again.
const CAPACITY: usize = 100_000;

/// Sessions that the store has called live since the feed began to flow, and that the feed has not
/// named since.
pub(crate) struct Confirmed {
    /// Whether the feed flows.
    fed: AtomicBool,
    /// Counts what may have outdated an answer of the store that is on its way.
    changes: Mutex<u64>,
    live: Cache<SessionHandle, ()>,
}

/// Taken before the store is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl Confirmed {
    pub(crate) fn is_fed(&self) -> bool {
        self.fed.load(Ordering::Acquire)
    }

    /// Whether the session need not be asked about.
    pub(crate) fn holds(&self, handle: &SessionHandle) -> bool {
        self.is_fed() && self.live.get(handle).is_some()
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(*self.changes())
    }

    /// The store has called the session live, after the ticket was taken. Counts only if nothing
    /// has ended since then: the answer may be older than the ending.
    pub(crate) fn confirm(&self, handle: &SessionHandle, ticket: Ticket) {
        let changes = self.changes();
        if *changes == ticket.0 && self.is_fed() {
            self.live.insert(handle.clone(), ());
        }
    }

    pub(in crate::watch) fn forget(&self, handle: &SessionHandle) {
        *self.changes() += 1;
        self.live.remove(handle);
    }

    /// An answer that was asked for before now may be older than an ending that no feed told.
    pub(super) fn flows(&self) {
        let mut changes = self.changes();
        *changes += 1;
        self.fed.store(true, Ordering::Release);
    }

    pub(super) fn lost(&self) {
        // So that nobody confirms in between.
        let _changes = self.changes();
        self.fed.store(false, Ordering::Release);
        self.live.clear();
    }

    fn changes(&self) -> MutexGuard<'_, u64> {
        // A counter is whole at every moment, so a poisoned lock is still sound.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Confirmed {
    pub(super) fn with_capacity(sessions: usize) -> Self {
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
