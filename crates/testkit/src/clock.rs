//! A clock that is moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use supersession::{Clock, UnixMillis};

/// A clock that stands still until it is moved. Clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: UnixMillis) -> Self {
        Self(Arc::new(AtomicU64::new(now.get())))
    }

    /// Moves the clock forward, by whole milliseconds, and tells what it shows then.
    pub fn advance(&self, span: Duration) -> UnixMillis {
        let moved = |now| Some(UnixMillis::new(now).after(span).get());
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
        self.now()
    }

    /// Sets the clock, backwards too: clocks of servers do that.
    pub fn set(&self, now: UnixMillis) {
        self.0.store(now.get(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis::new(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_show_the_same_time_and_it_may_go_backwards() {
        let clock = ManualClock::new(UnixMillis::new(10));
        let other = clock.clone();
        assert_eq!(clock.advance(Duration::from_millis(5)), UnixMillis::new(15));
        assert_eq!(other.now(), UnixMillis::new(15));
        other.set(UnixMillis::new(3));
        assert_eq!(clock.now(), UnixMillis::new(3));
        assert_eq!(clock.advance(Duration::MAX), UnixMillis::new(u64::MAX));
    }
}
