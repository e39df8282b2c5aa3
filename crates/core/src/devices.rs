//! Tracking of devices: the use of a session is noted in memory at most once per interval and
//! written in batches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io, mem};

use quick_cache::sync::Cache;

use crate::authority::{Authority, DeviceUse};
use crate::background::Background;
use crate::client::Client;
use crate::clock::{Clock, UnixMillis};
use crate::error::Fault;
use crate::ids::SessionHandle;
use crate::telemetry;

/// Minimum interval between two notes of one session.
const ONCE_IN: Duration = Duration::from_secs(300);

/// Interval at which notes are written.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// Maximum number of notes in one write, which is small enough not to delay other writes.
const BATCH: usize = 500;

/// Maximum number of sessions whose last note is remembered. Further sessions are noted more often.
const CAPACITY: usize = 100_000;

/// Maximum number of notes that wait while the store is unavailable. Further notes are dropped; the
/// next use is noted again.
const MOST_WAITING: usize = 100_000;

/// The pending notes.
pub(crate) struct Devices {
    noted: Cache<SessionHandle, UnixMillis>,
    waiting: Mutex<Vec<DeviceUse>>,
}

impl Devices {
    pub(crate) fn new() -> Self {
        Self {
            noted: Cache::new(CAPACITY),
            waiting: Mutex::default(),
        }
    }

    /// Records a new session. Its device is stored with it.
    pub(crate) fn begun(&self, handle: &SessionHandle, now: UnixMillis) {
        self.noted.insert(handle.clone(), now);
    }

    pub(crate) fn seen(&self, handle: &SessionHandle, client: &Client, now: UnixMillis) {
        let is_fresh = |noted: UnixMillis| now < noted.after(ONCE_IN);
        if self.noted.get(handle).is_some_and(is_fresh) {
            return;
        }
        self.noted.insert(handle.clone(), now);
        let mut waiting = self.waiting();
        if waiting.len() < MOST_WAITING {
            waiting.push(DeviceUse {
                handle: handle.clone(),
                at: now,
                user_agent: client.user_agent.clone(),
                ip: client.ip,
            });
        }
    }

    /// Writes the pending notes. Notes that cannot be written stay pending.
    pub(crate) async fn write(
        &self,
        authority: &dyn Authority,
        clock: &dyn Clock,
    ) -> Result<(), Fault> {
        let uses = mem::take(&mut *self.waiting());
        let mut batches = uses.chunks(BATCH);
        for batch in batches.by_ref() {
            if let Err(fault) = authority.record_uses(batch, clock.now()).await {
                let mut waiting = self.waiting();
                waiting.extend_from_slice(batch);
                waiting.extend(batches.flatten().cloned());
                return Err(fault);
            }
        }
        Ok(())
    }

    /// Starts a thread that writes every few seconds.
    pub(crate) fn start(
        self: &Arc<Self>,
        authority: &Arc<dyn Authority>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Background> {
        let (devices, authority) = (Arc::clone(self), Arc::downgrade(authority));
        Background::start("supersession-devices", WRITE_EVERY, move || {
            let Some(authority) = authority.upgrade() else {
                return;
            };
            if let Err(fault) = pollster::block_on(devices.write(&*authority, &*clock)) {
                telemetry::fault_met(&fault);
            }
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<DeviceUse>> {
        // The list is complete at every moment, so a poisoned lock is still sound.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Devices")
            .field("waiting", &self.waiting().len())
            .finish_non_exhaustive()
    }
}
