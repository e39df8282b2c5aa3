//! The store's feed of endings, and the sessions that a guard may take for live while it flows.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::oneshot;

use crate::ids::{AppId, SessionHandle};
use crate::sessions::WeakSessions;
use crate::store::Endings;
use crate::telemetry;

/// How many sessions are remembered as live. Of further ones, those that were not used for long are
/// asked about again.
const CAPACITY: usize = 100_000;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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

    pub(super) fn forget(&self, handle: &SessionHandle) {
        *self.changes() += 1;
        self.live.remove(handle);
    }

    /// An answer that was asked for before now may be older than an ending that no feed told.
    fn flows(&self) {
        let mut changes = self.changes();
        *changes += 1;
        self.fed.store(true, Ordering::Release);
    }

    fn lost(&self) {
        let mut changes = self.changes();
        self.fed.store(false, Ordering::Release);
        *changes += 1;
        self.live.clear();
    }

    fn changes(&self) -> MutexGuard<'_, u64> {
        // A counter is whole at every moment, so a poisoned lock is still sound.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Confirmed {
    fn with_capacity(sessions: usize) -> Self {
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

/// The thread that reads the feed. Stops it when dropped.
#[derive(Debug)]
pub(crate) struct FeedReader {
    _stop: oneshot::Sender<()>,
}

impl FeedReader {
    pub(crate) fn start(sessions: WeakSessions, app: AppId, feed: Endings) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("supersession-feed".to_owned())
            .spawn(move || read(&sessions, &app, feed, stopped))?;
        Ok(Self { _stop: stop })
    }
}

fn read(
    sessions: &WeakSessions,
    app: &AppId,
    mut feed: Endings,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        {
            let Some(sessions) = sessions.upgrade() else {
                return;
            };
            sessions.watch().confirmed.flows();
            // Whoever waits may have missed an ending while there was no feed.
            pollster::block_on(sessions.look_after_all(false));
        }
        while let Some(key) = pollster::block_on(next(&mut feed, &mut stopped)) {
            let Some(sessions) = sessions.upgrade() else {
                return;
            };
            if key.app == *app {
                sessions.tell_revoked(&[key.handle]);
            }
        }
        if let Some(sessions) = sessions.upgrade() {
            sessions.watch().confirmed.lost();
            telemetry::feed_lost();
        }
        match reconnect(sessions, &mut stopped) {
            Some(again) => feed = again,
            None => return,
        }
    }
}

/// The next ending; none when the feed is lost, or the reader is to stop.
async fn next(
    feed: &mut Endings,
    stopped: &mut oneshot::Receiver<()>,
) -> Option<crate::store::SessionKey> {
    let mut key = pin!(feed.next());
    poll_fn(|context| {
        if Future::poll(pin!(&mut *stopped), context).is_ready() {
            return Poll::Ready(None);
        }
        key.as_mut().poll(context)
    })
    .await
}

/// A new feed, as soon as the store gives one; none when the reader is to stop.
fn reconnect(sessions: &WeakSessions, stopped: &mut oneshot::Receiver<()>) -> Option<Endings> {
    let mut pause = FIRST_PAUSE;
    loop {
        {
            let sessions = sessions.upgrade()?;
            match pollster::block_on(sessions.authority().endings()) {
                Ok(Some(feed)) => {
                    telemetry::feed_restored();
                    return Some(feed);
                }
                // A store that had a feed has one again when it is reachable.
                Ok(None) => {}
                Err(fault) => telemetry::fault_met(&fault),
            }
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        if !matches!(stopped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests;
