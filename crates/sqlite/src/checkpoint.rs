//! Moves committed pages from the write-ahead log into the database file, off the writer's path.
//!
//! SQLite's automatic checkpoint runs inside the commit that finds the log too long, so that one
//! commit in a thousand takes many times as long. A separate thread with its own connection
//! checkpoints instead, whenever the log has grown by about [`WAKE_PAGES`]; it blocks neither
//! readers nor the writer. Once every page is moved and no reader needs the log, the next commit
//! starts the log over. A writer that is always ahead never reaches that point, so SQLite's
//! automatic checkpoint remains as a limit of [`CAP_PAGES`].
//!
//! SQLite reports the length of the log to a hook only, and the oldest `rusqlite` of the supported
//! range does not have it. The writer therefore counts changed rows, and each checkpoint reports
//! how many pages the rows before it took ([`Pace`]).
//!
//! Before version 3.51.3, SQLite can corrupt a database whose log starts over while another
//! connection checkpoints (<https://sqlite.org/wal.html#walresetbug>). With such a version the
//! writer checkpoints by itself, between two transactions.
//!
//! The file of the log keeps its size, because overwriting blocks is cheaper than allocating them.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use rusqlite::Connection;

use crate::job::Threads;

/// Intended growth of the log between two checkpoints, in pages (4 MiB).
const WAKE_PAGES: u64 = 1_000;
/// Length of the log (64 MiB) at which the writer's commits checkpoint.
const CAP_PAGES: u32 = 16_384;
/// Size that the file of the log keeps when the log starts over, in bytes.
pub(crate) const FILE_SIZE_KEPT: u32 = 64 * 1024 * 1024;
/// Rows between the first two checkpoints, while nothing is known of their size.
const FIRST_STRIDE: u64 = WAKE_PAGES / 4;
/// Maximum number of rows between two checkpoints: after documents of a kilobyte, the next rows may
/// be of a megabyte.
const LONGEST_STRIDE: u64 = 4 * WAKE_PAGES;

pub(crate) struct Checkpointer {
    /// Rows that the writer had changed when it last asked for a checkpoint.
    asked_at: u64,
    /// Rows between two checkpoints.
    stride: Arc<AtomicU64>,
    place: Place,
}

/// The connection that checkpoints.
enum Place {
    /// A connection on its own thread.
    Thread {
        // Invariant: dropped before `_thread`, which ends when the channel closes.
        wake: SyncSender<u64>,
        _thread: Threads,
    },
    /// The writer's connection.
    Writer(Pace),
}

impl Checkpointer {
    /// Prepares `writer`, whose commits are followed by [`Self::tend`], and starts the thread that
    /// checkpoints on `own`.
    pub(crate) fn start(
        writer: &Connection,
        own: Connection,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Self::start_for(writer, own, rusqlite::version_number())
    }

    fn start_for(
        writer: &Connection,
        own: Connection,
        sqlite: i32,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        set_cap(writer, CAP_PAGES)?;
        let stride = Arc::new(AtomicU64::new(FIRST_STRIDE));
        let place = if may_checkpoint_beside_writer(sqlite) {
            let (wake, woken) = sync_channel(1);
            let mut thread = Threads::default();
            let learned = Arc::clone(&stride);
            thread.spawn("sqlite-checkpoint", move || {
                let mut pace = Pace::default();
                while let Ok(rows) = woken.recv() {
                    learned.store(pace.checkpoint(&own, rows), Ordering::Relaxed);
                }
            })?;
            Place::Thread {
                wake,
                _thread: thread,
            }
        } else {
            drop(own);
            Place::Writer(Pace::default())
        };
        Ok(Self {
            asked_at: writer.total_changes(),
            stride,
            place,
        })
    }

    /// Called by the writer between its transactions.
    pub(crate) fn tend(&mut self, writer: &Connection) {
        let changed = writer.total_changes();
        let rows = changed.saturating_sub(self.asked_at);
        if rows < self.stride.load(Ordering::Relaxed) {
            return;
        }
        match &mut self.place {
            Place::Thread { wake, .. } => {
                // A full channel means that the thread has not seen the last request yet; the rows
                // are counted again with the next commit.
                if wake.try_send(rows).is_err() {
                    return;
                }
            }
            Place::Writer(pace) => {
                let stride = pace.checkpoint(writer, rows);
                self.stride.store(stride, Ordering::Relaxed);
            }
        }
        self.asked_at = changed;
    }
}

/// Sets the length of the log at which commits of `connection` checkpoint; 0 for never.
pub(crate) fn set_cap(connection: &Connection, pages: u32) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))
}

/// Returns `true` if this version of SQLite has the fix of 3.51.3, or a release that got it too.
fn may_checkpoint_beside_writer(version: i32) -> bool {
    matches!(version, 3_044_006..3_045_000 | 3_050_007..3_051_000 | 3_051_003..)
}

/// Estimates the number of log pages per changed row.
#[derive(Default)]
struct Pace {
    /// Length of the log at the last checkpoint; 0 if the next commit could start it over.
    length: u64,
}

impl Pace {
    /// Checkpoints, and returns the number of rows after which the next one is due, given the rows
    /// since the last one.
    fn checkpoint(&mut self, connection: &Connection, rows: u64) -> u64 {
        let lengths = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        match lengths {
            Ok((length, moved)) => match u64::try_from(length) {
                Ok(pages) => self.learn(rows, pages, length == moved),
                // Another connection checkpoints at this moment.
                Err(_) => FIRST_STRIDE,
            },
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "the write-ahead log of the session database could not be checkpointed and keeps growing"
                );
                FIRST_STRIDE
            }
        }
    }

    fn learn(&mut self, rows: u64, length: u64, is_whole: bool) -> u64 {
        let grown = length.saturating_sub(self.length).max(1);
        self.length = if is_whole { 0 } else { length };
        (rows.saturating_mul(WAKE_PAGES) / grown).clamp(1, LONGEST_STRIDE)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A version whose log may start over while another connection checkpoints.
    const FIXED: i32 = 3_051_003;
    const BROKEN: i32 = 3_046_000;
    const PAGE: u64 = 4_096;

    struct Scene {
        directory: TempDir,
        writer: Connection,
        checkpointer: Checkpointer,
    }

    impl Scene {
        fn new(sqlite: i32) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("sessions.db");
            let writer = Connection::open(&path).unwrap();
            writer
                .execute_batch(
                    "PRAGMA journal_mode = wal; PRAGMA synchronous = off;
                     CREATE TABLE filler (bytes)",
                )
                .unwrap();
            let own = Connection::open(&path).unwrap();
            let checkpointer = Checkpointer::start_for(&writer, own, sqlite).unwrap();
            Self {
                directory,
                writer,
                checkpointer,
            }
        }

        /// Adds a row that takes at least that many pages of the log.
        fn write(&self, pages: u64) {
            let sql = "INSERT INTO filler VALUES (zeroblob(4096 * ?1))";
            self.writer.execute(sql, [pages.cast_signed()]).unwrap();
        }

        fn tend(&mut self) {
            self.checkpointer.tend(&self.writer);
        }

        /// Length of the database file or, with a suffix, of one beside it, in pages.
        fn pages(&self, suffix: &str) -> u64 {
            let name = format!("sessions.db{suffix}");
            let file = std::fs::metadata(self.directory.path().join(name));
            file.unwrap().len() / PAGE
        }
    }

    #[test]
    fn the_thread_moves_a_log_that_has_grown() {
        let mut scene = Scene::new(FIXED);
        let empty = scene.pages("");
        for _ in 1..FIRST_STRIDE {
            scene.write(4);
            scene.tend();
        }
        assert_eq!(scene.pages(""), empty);
        scene.write(4);
        scene.tend();
        let Scene {
            directory,
            writer,
            checkpointer,
        } = scene;
        // Joins the thread, once it has done what it was asked for.
        drop(checkpointer);
        let file = std::fs::metadata(directory.path().join("sessions.db"));
        assert!(file.unwrap().len() >= 4 * FIRST_STRIDE * PAGE);
        drop(writer);
    }

    #[test]
    fn the_writer_checkpoints_by_itself_where_sqlite_could_corrupt_the_database_otherwise() {
        let mut scene = Scene::new(BROKEN);
        for _ in 0..FIRST_STRIDE {
            scene.write(4);
            scene.tend();
        }
        assert!(matches!(scene.checkpointer.place, Place::Writer(_)));
        assert!(scene.pages("") >= 4 * FIRST_STRIDE);
    }

    #[test]
    fn versions_of_sqlite_with_the_fix_are_known() {
        for fixed in [
            3_044_006, 3_044_999, 3_050_007, 3_051_003, 3_053_000, 4_000_000,
        ] {
            assert!(may_checkpoint_beside_writer(fixed), "{fixed}");
        }
        for broken in [
            3_043_002, 3_044_005, 3_045_000, 3_046_000, 3_050_006, 3_051_000, 3_051_002,
        ] {
            assert!(!may_checkpoint_beside_writer(broken), "{broken}");
        }
    }

    #[test]
    fn checkpoints_are_as_far_apart_as_the_rows_are_large() {
        let mut pace = Pace::default();
        // Four pages for each row: 250 rows make 1,000 pages.
        assert_eq!(pace.learn(250, 1_000, true), 250);
        // The log started over.
        assert_eq!(pace.learn(250, 500, false), 500);
        // It did not, so the growth counts: one page for each row.
        assert_eq!(pace.learn(500, 1_000, true), 1_000);
        assert_eq!(pace.learn(1_000, 100_000, true), 10);
        assert_eq!(pace.learn(10, 1_000_000, true), 1);
        // Many rows of a page, or nothing known of the growth.
        assert_eq!(pace.learn(1_000, 10, true), LONGEST_STRIDE);
        assert_eq!(pace.learn(1_000, 0, true), LONGEST_STRIDE);
    }

    #[test]
    fn commits_checkpoint_a_log_that_has_reached_the_cap() {
        let scene = Scene::new(FIXED);
        let cap = "PRAGMA wal_autocheckpoint";
        let cap: u32 = scene.writer.query_row(cap, [], |row| row.get(0)).unwrap();
        assert_eq!(cap, CAP_PAGES);
        set_cap(&scene.writer, 20).unwrap();
        for _ in 0..10 {
            scene.write(25);
        }
        assert!(scene.pages("-wal") < 60);
    }

    #[test]
    fn a_reader_that_holds_on_to_the_log_does_not_stop_the_writer() {
        let mut scene = Scene::new(BROKEN);
        set_cap(&scene.writer, 20).unwrap();
        scene.write(1);
        let reader = Connection::open(scene.directory.path().join("sessions.db")).unwrap();
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM filler")
            .unwrap();
        for _ in 0..FIRST_STRIDE {
            scene.write(1);
            scene.tend();
        }
        let kept = scene.pages("-wal");
        assert!(kept >= FIRST_STRIDE);
        reader.execute_batch("COMMIT").unwrap();
        // The first commit moves everything, the second one starts the log over.
        for _ in 0..FIRST_STRIDE {
            scene.write(1);
        }
        assert!(scene.pages("-wal") < kept + 20);
    }
}
