//! Where sessions are used: noted in memory, at most once in a while for each session, and written
//! in batches.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io, mem};

use quick_cache::sync::Cache;

use crate::authority::Authority;
use crate::background::Background;
use crate::clock::{Clock, UnixMillis};
use crate::error::Fault;
use crate::http::RequestView;
use crate::ids::SessionHandle;
use crate::store::Device;
use crate::telemetry;

/// How often a session's use is noted.
const ONCE_IN: Duration = Duration::from_secs(300);

/// How often notes are written.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// Notes in one write: small enough not to hold up other writes.
const BATCH: usize = 500;

/// Of how many sessions it is remembered when their use was noted. Of further ones it is noted more
/// often.
const CAPACITY: usize = 100_000;

/// Notes that wait while the store is down. What does not fit is dropped; the next use is noted.
const MOST_WAITING: usize = 100_000;

/// Characters of a user agent that are kept. Real ones are shorter.
const LONGEST_USER_AGENT: usize = 512;

/// What a request tells of its client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    user_agent: Option<String>,
    ip: Option<IpAddr>,
}

/// That a session was used.
#[derive(Clone, Debug)]
pub struct Use {
    /// The session.
    pub handle: SessionHandle,
    /// When.
    pub at: UnixMillis,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The address of the client.
    pub ip: Option<IpAddr>,
}

/// The part of a user agent that is kept, in a form that every store can hold.
fn kept(user_agent: &str) -> String {
    let characters = user_agent.chars().take(LONGEST_USER_AGENT);
    characters
        .map(|character| match character {
            '\0' => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect()
}

impl Client {
    pub(crate) fn of(view: &dyn RequestView, ip: Option<IpAddr>) -> Self {
        let user_agent = view.header("user-agent");
        Self {
            user_agent: user_agent.as_deref().map(kept),
            ip,
        }
    }

    pub(crate) fn device(&self, now: UnixMillis) -> Device {
        Device {
            user_agent: self.user_agent.clone(),
            ip: self.ip,
            label: None,
            last_seen_at: Some(now),
        }
    }
}

/// The notes.
pub(crate) struct Devices {
    noted: Cache<SessionHandle, UnixMillis>,
    waiting: Mutex<Vec<Use>>,
}

impl Devices {
    pub(crate) fn new() -> Self {
        Self {
            noted: Cache::new(CAPACITY),
            waiting: Mutex::default(),
        }
    }

    /// A session has begun; its device is stored with it.
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
            waiting.push(Use {
                handle: handle.clone(),
                at: now,
                user_agent: client.user_agent.clone(),
                ip: client.ip,
            });
        }
    }

    /// Writes what waits. What could not be written waits on.
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

    fn waiting(&self) -> MutexGuard<'_, Vec<Use>> {
        // The list is whole at every moment, so a poisoned lock is still sound.
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
