//! Options for opening a database.

use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::error::{OpenError, OpenErrorKind};
use crate::health;
use crate::location::Location;

/// Options for opening a database; see
/// [`SqliteStore::options`](crate::SqliteStore::options).
#[derive(Clone, Debug)]
#[must_use = "options do nothing until `open` is called"]
pub struct SqliteOptions {
    pub(crate) location: Option<Location>,
    pub(crate) busy_timeout: Duration,
    pub(crate) readers: usize,
    pub(crate) synchronous: Synchronous,
    /// Time between two checks of the files; see `health`.
    pub(crate) health_interval: Duration,
}

/// Events that an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Synchronous {
    /// The end of the process, a crash of the operating system, and loss of power: the disk is
    /// flushed before the answer. A revoked session stays revoked.
    #[default]
    Full,
    /// The end of the process, however sudden. After a crash of the operating system or a loss of
    /// power the last writes may be missing, including a revocation. The database itself is not
    /// damaged.
    Normal,
}

const MAX_BUSY_TIMEOUT: Duration = Duration::from_secs(86_400);
const MAX_READERS: usize = 1_024;

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            location: None,
            busy_timeout: Duration::from_secs(5),
            readers: available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8)),
            synchronous: Synchronous::default(),
            health_interval: health::INTERVAL,
        }
    }
}

impl SqliteOptions {
    /// Keeps the database in this file, which is created if it is missing. The directory must
    /// exist. Also accepts `sqlite:` and `file:` URLs and `:memory:`; see the rule in the [crate
    /// documentation](crate#names). If the name is invalid, [`open`](Self::open) returns an error.
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.location = Some(Location::of(path.as_ref()));
        self
    }

    /// Keeps the database in memory, for tests. Dropping the store deletes it. Reads and writes
    /// share one connection and therefore one thread, because a database in memory belongs to its
    /// connection.
    pub fn in_memory(mut self) -> Self {
        self.location = Some(Location::Memory);
        self
    }

    /// Sets the maximum time to wait while another process holds the lock, at most a day. Defaults
    /// to 5 seconds, because backups and administration hold the lock only briefly.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets the number of connections that read in the callers' threads, and also the number of
    /// reader threads with their own connections; 1 to 1,024 of each. Defaults to the number of
    /// cores, but 2 to 8, because a read is short and mostly served from memory.
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }

    /// Sets the durability of acknowledged writes. Defaults to [`Synchronous::Full`], because a
    /// revoked session must not come back after a loss of power, and because concurrent writes
    /// share a disk flush.
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    pub(crate) fn check_ranges(&self) -> Result<(), OpenError> {
        let out_of_range = |option: String| {
            Err(OpenError::new(self.file(), OpenErrorKind::OutOfRange).with_source(option))
        };
        if self.busy_timeout > MAX_BUSY_TIMEOUT {
            let timeout = self.busy_timeout;
            return out_of_range(format!(
                "`busy_timeout` is {timeout:?}; choose at most a day"
            ));
        }
        if !(1..=MAX_READERS).contains(&self.readers) {
            let readers = self.readers;
            return out_of_range(format!("`readers` is {readers}; choose 1 to {MAX_READERS}"));
        }
        Ok(())
    }

    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.location {
            Some(Location::Path(path)) => Some(path),
            Some(Location::Refused { name, .. }) => name.as_deref(),
            Some(Location::Memory) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        let refused = |options: SqliteOptions, name: &str| {
            let error = options.in_memory().open_blocking().unwrap_err();
            assert_eq!(error.kind(), OpenErrorKind::OutOfRange);
            assert!(error.to_string().contains(name), "{error}");
        };
        let options = SqliteOptions::default;
        refused(options().busy_timeout(Duration::MAX), "busy_timeout");
        refused(options().readers(0), "readers");
        refused(options().readers(usize::MAX), "readers");
        for timeout in [Duration::ZERO, Duration::from_nanos(1), MAX_BUSY_TIMEOUT] {
            let options = options().busy_timeout(timeout).in_memory();
            assert!(options.open_blocking().is_ok(), "{timeout:?}");
        }
    }
}
