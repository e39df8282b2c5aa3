//! Clocks that tests move by hand.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use supersession::{Clock, UnixMillis};

/// A stopped clock that only [`advance`](Self::advance) and [`set`](Self::set) move. Clones share
/// the time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Creates a clock that shows `now`.
    #[must_use]
    pub fn new(now: UnixMillis) -> Self {
        Self(Arc::new(AtomicU64::new(now.get())))
    }

    /// Moves the clock forward by whole milliseconds and returns the new time.
    pub fn advance(&self, span: Duration) -> UnixMillis {
        let moved = |now| Some(UnixMillis::new(now).after(span).get());
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
        self.now()
    }

    /// Sets the clock. It can also go back, as clocks of servers do.
    pub fn set(&self, now: UnixMillis) {
        self.0.store(now.get(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis::new(self.0.load(Ordering::SeqCst))
    }
}

/// A stopped clock in a file that several processes share. Only [`advance`](Self::advance) moves
/// it. A process that was suspended meanwhile sees the new time when it resumes.
#[derive(Clone, Debug)]
pub struct FileClock(Arc<File>);

impl FileClock {
    /// Creates a clock in a new file that shows `now`.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(path: &Path, now: UnixMillis) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        file.write_all_at(&now.get().to_ne_bytes(), 0)?;
        Ok(Self(Arc::new(file)))
    }

    /// Opens the clock in this file.
    ///
    /// # Errors
    /// If the file does not exist or is not a clock.
    pub fn open(path: &Path) -> io::Result<Self> {
        let clock = Self(Arc::new(
            OpenOptions::new().read(true).write(true).open(path)?,
        ));
        clock.read()?;
        Ok(clock)
    }

    /// Moves the clock forward.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn advance(&self, span: Duration) -> io::Result<()> {
        let moved = self.read()?.after(span);
        self.0.write_all_at(&moved.get().to_ne_bytes(), 0)
    }

    fn read(&self) -> io::Result<UnixMillis> {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, 0)?;
        Ok(UnixMillis::new(u64::from_ne_bytes(bytes)))
    }
}

impl Clock for FileClock {
    #[expect(clippy::panic, reason = "for tests, which fail by panicking")]
    fn now(&self) -> UnixMillis {
        self.read()
            .unwrap_or_else(|error| panic!("the clock's file cannot be read: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_a_file_is_the_same_for_all_who_open_it() {
        let path = std::env::temp_dir().join(format!("supersession-clock-{}", std::process::id()));
        let clock = FileClock::create(&path, UnixMillis::new(7)).unwrap();
        let other = FileClock::open(&path).unwrap();
        clock.advance(Duration::from_millis(5)).unwrap();
        assert_eq!(other.now(), UnixMillis::new(12));
        assert!(FileClock::create(&path, UnixMillis::new(1)).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(FileClock::open(&path).is_err());
    }

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
