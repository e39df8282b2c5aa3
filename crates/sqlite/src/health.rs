//! Detects that the database files were replaced or deleted since they were opened, or that they
//! are damaged.
//!
//! An open file stays readable and writable after its name is gone, so SQLite keeps answering from
//! a database that the next start does not find. The writer therefore compares the files at their
//! paths with the opened ones before it acknowledges a write. Readers compare them once per
//! [`INTERVAL`].
//!
//! The writer caches pages in memory, so it does not detect damage in the file on its own. Once per
//! [`INTERVAL`], it reads a few pages through another connection. After any connection has found
//! damage, it accepts no writes.
//!
//! This module never opens the files: closing any descriptor of a file drops all locks that the
//! process holds on it, including SQLite's.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::fault::{Fault, Trouble};

/// Maximum time for which an outcome is reused.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// Reads a page or more of each table. Begins with a comment, so that it does not count as a verb's
/// statement.
const EXAMINE: &str = "-- examination
    SELECT (SELECT count(*) FROM sqlite_schema),
        EXISTS (SELECT app_id FROM apps), EXISTS (SELECT app_id FROM tenants),
        EXISTS (SELECT value FROM key_value), EXISTS (SELECT user_id FROM session_info),
        EXISTS (SELECT value FROM session_access_token_signing_keys),
        EXISTS (SELECT key_string FROM jwt_signing_keys),
        EXISTS (SELECT user_metadata FROM user_metadata)";

#[derive(Default)]
pub(crate) struct Health {
    /// `None` for a database in memory.
    file: Option<File>,
    damaged: AtomicBool,
    lost: AtomicBool,
}

struct File {
    /// The given path, with symbolic links resolved, and the files next to it.
    parts: [Part; 3],
    interval: Duration,
    opened: Instant,
    /// Time of the last comparison since `opened`, in milliseconds.
    compared_at: AtomicU64,
    /// Time of the last examination since `opened`, in milliseconds.
    examined_at: AtomicU64,
}

struct Part {
    path: PathBuf,
    opened: Option<Identity>,
}

/// Device and inode number of a file. Absent on platforms where an open file keeps its name.
type Identity = (u64, u64);

/// Difference between the files at the paths and the opened ones.
enum Difference {
    /// The database file is gone, or another file has its name.
    Database(PathBuf),
    /// The database file is in place, but the log or its index is not.
    Log { path: PathBuf, is_gone: bool },
}

impl Health {
    /// Records the files of an open database.
    pub(crate) fn of_file(path: &Path, interval: Duration) -> Self {
        // SQLite names the log after the file itself, not after a link to it.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let beside = |suffix: &str| {
            let mut name = real.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let parts = [path.to_owned(), beside("-wal"), beside("-shm")].map(|path| Part {
            opened: identity(&path).ok().flatten(),
            path,
        });
        let file = File {
            parts,
            interval,
            opened: Instant::now(),
            compared_at: AtomicU64::new(0),
            examined_at: AtomicU64::new(0),
        };
        Self {
            file: Some(file),
            ..Self::default()
        }
    }

    /// Checks the files before a read. Fails if they are known to have been replaced.
    pub(crate) fn before_read(&self) -> Result<(), Trouble> {
        match &self.file {
            Some(file) if self.lost.load(Ordering::Relaxed) || file.is_due(&file.compared_at) => {
                self.compare(file, None)
            }
            _ => Ok(()),
        }
    }

    /// Checks the files before a group of writes.
    pub(crate) fn before_write(&self, writer: &Connection) -> Result<(), Trouble> {
        if self.damaged.load(Ordering::Relaxed) {
            return Err(Trouble::Damaged);
        }
        match &self.file {
            Some(file) if self.lost.load(Ordering::Relaxed) || file.is_due(&file.compared_at) => {
                self.compare(file, Some(writer))
            }
            _ => Ok(()),
        }
    }

    /// Checks the files between the commit of a group and its answers. `examiner` is a read
    /// connection; the commit has invalidated its cached pages.
    pub(crate) fn after_commit(
        &self,
        writer: &Connection,
        examiner: Option<&Connection>,
    ) -> Result<(), Trouble> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        self.compare(file, Some(writer))?;
        if let Some(examiner) = examiner
            && file.is_due(&file.examined_at)
            && let Err(fault) = examine(examiner)
        {
            self.learn(&fault);
        }
        if self.damaged.load(Ordering::Relaxed) {
            return Err(Trouble::Damaged);
        }
        Ok(())
    }

    /// Records the fault of a verb. After damage no write is accepted.
    pub(crate) fn learn(&self, fault: &Fault) {
        if fault.is_damage() && !self.damaged.swap(true, Ordering::Relaxed) {
            let path = self.file.as_ref().map(|file| file.parts[0].path.display());
            tracing::error!(
                error = fault as &dyn Error,
                path = path.map(tracing::field::display),
                "the session database is damaged and is not written any more: restore it from a backup and restart"
            );
        }
    }

    fn compare(&self, file: &File, writer: Option<&Connection>) -> Result<(), Trouble> {
        let Some(difference) = file.difference() else {
            if self.lost.swap(false, Ordering::Relaxed) {
                tracing::info!("the files of the session database are back in place");
            }
            return Ok(());
        };
        let (path, trouble) = match &difference {
            Difference::Database(path) => (path, Trouble::DatabaseReplaced),
            Difference::Log { path, .. } => (path, Trouble::LogReplaced),
        };
        if !self.lost.swap(true, Ordering::Relaxed) {
            tracing::error!(
                path = %path.display(),
                "the session database is not used any more: {trouble}"
            );
        }
        if let (Difference::Log { is_gone: true, .. }, Some(writer)) = (&difference, writer) {
            rescue(writer);
        }
        Err(trouble)
    }
}

/// Moves the contents of the log into the database file, which is in place. The name of the log is
/// unused, so no other process has opened the database since.
fn rescue(writer: &Connection) {
    let moved = writer.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()));
    if let Err(error) = moved {
        tracing::error!(
            error = &error as &dyn Error,
            "acknowledged writes could not be moved from the deleted log into the session database"
        );
    }
}

fn examine(examiner: &Connection) -> Result<(), Fault> {
    let mut statement = examiner.prepare_cached(EXAMINE)?;
    Ok(statement.query_row([], |_| Ok(()))?)
}

impl File {
    /// Returns `true` once per interval, to one caller.
    fn is_due(&self, last: &AtomicU64) -> bool {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let before = last.load(Ordering::Relaxed);
        u128::from(now.saturating_sub(before)) >= self.interval.as_millis()
            && last
                .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    fn difference(&self) -> Option<Difference> {
        let [database, beside @ ..] = &self.parts;
        if database.is_other().is_some() {
            return Some(Difference::Database(database.path.clone()));
        }
        beside.iter().find_map(|part| {
            let is_gone = part.is_other()?;
            let path = part.path.clone();
            Some(Difference::Log { path, is_gone })
        })
    }
}

impl Part {
    /// Returns `None` if the file is the opened one. Otherwise returns `true` if the file does not
    /// exist, and `false` if it was replaced. A file that cannot be inspected counts as the opened
    /// one.
    fn is_other(&self) -> Option<bool> {
        let opened = self.opened?;
        match identity(&self.path) {
            Ok(Some(found)) if found != opened => Some(false),
            Ok(_) => None,
            Err(error) => {
                use std::io::ErrorKind::{NotADirectory, NotFound};
                matches!(error.kind(), NotFound | NotADirectory).then_some(true)
            }
        }
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<Option<Identity>> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|found| Some((found.dev(), found.ino())))
}

/// On other platforms an open file can be neither deleted nor replaced.
#[cfg(not(unix))]
fn identity(_: &Path) -> std::io::Result<Option<Identity>> {
    Ok(None)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::Path;
    use std::time::Duration;

    use pollster::block_on;
    use rusqlite::Connection;
    use supersession::store::StoreErrorKind;
    use supersession::{AppId, SecretText, Store, UnixMillis, UserId};

    use crate::SqliteStore;

    /// Opens a store that checks its files each time.
    fn watchful(path: &Path) -> SqliteStore {
        let mut options = SqliteStore::options().path(path);
        options.health_interval = Duration::ZERO;
        options.open_blocking().unwrap()
    }

    #[test]
    fn reads_alone_notice_that_the_database_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let store = watchful(&path);
        let read = || block_on(store.user_metadata(&AppId::default(), &UserId::from("u")));
        assert!(read().unwrap().is_none());
        fs::remove_file(path).unwrap();
        assert_eq!(read().unwrap_err().kind(), StoreErrorKind::Unavailable);
    }

    #[test]
    fn the_writer_notices_damage_that_its_own_pages_hide() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let store = watchful(&path);
        let write = |key: &str| {
            let (app, key) = (AppId::from_stored(key), SecretText::new("k"));
            block_on(store.refresh_token_key(&app, &key, UnixMillis::default()))
        };
        write("one").unwrap();
        let other = Connection::open(&path).unwrap();
        let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
        other.query_row(checkpoint, [], |_| Ok(())).unwrap();
        let length = fs::metadata(&path).unwrap().len();
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all(&vec![0xA5; usize::try_from(length).unwrap()])
            .unwrap();
        for app in ["two", "three"] {
            let error = write(app).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{error:?}");
        }
    }
}
