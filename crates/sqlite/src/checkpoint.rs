//! Checkpoints: moving committed pages from the write-ahead log into the database file, outside of
//! the commits.
//!
//! SQLite's automatic checkpoint runs inside the commit that finds the log too long, so about one
//! commit in a thousand takes many times as long as the others. Here a separate thread with its own
//! connection runs a passive checkpoint whenever the log has grown by [`WAKE_PAGES`]. It blocks
//! neither readers nor the writer.
//!
//! Once all pages are moved and no reader uses the log, the next commit restarts the log from its
//! beginning. A writer that is always ahead of the checkpoint never reaches that point. When the
//! log reaches [`CAP_PAGES`], the writer therefore moves the remaining pages and restarts the log
//! itself.
//!
//! The log's file keeps its size, because overwriting blocks is cheaper than allocating new ones.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::job::Threads;

/// Growth of the log between two checkpoints, in pages (4 MiB).
const WAKE_PAGES: u32 = 1_000;
/// Length of the log at which the writer restarts it, in pages (64 MiB).
const CAP_PAGES: u32 = 16_384;
/// Maximum size of the log's file after a restart of the log, in bytes.
pub(crate) const FILE_SIZE_KEPT: u32 = 64 * 1024 * 1024;
/// Maximum time that the writer waits for readers that prevent a restart.
const PATIENCE: Duration = Duration::from_millis(50);

pub(crate) struct Checkpointer {
    /// Length of the log after the last commit, in pages.
    pages: Arc<AtomicU32>,
    woken_at: u32,
    restart_at: u32,
    busy_timeout: Duration,
    // Invariant: dropped before `_thread`, which ends when the channel closes.
    wake: SyncSender<()>,
    _thread: Threads,
}

impl Checkpointer {
    /// Observes the commits of `writer` and checkpoints on the connection `own`.
    pub(crate) fn start(
        writer: &mut Connection,
        own: Connection,
        busy_timeout: Duration,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let pages = Arc::new(AtomicU32::new(0));
        let watched = Arc::clone(&pages);
        writer.wal_hook(Some(move |_: &mut Wal, length| {
            watched.store(u32::try_from(length).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let (wake, woken) = sync_channel(1);
        let mut thread = Threads::default();
        thread.spawn("sqlite-checkpoint", move || {
            while woken.recv().is_ok() {
                checkpoint(&own);
            }
        })?;
        let restart_at = CAP_PAGES;
        Ok(Self {
            pages,
            woken_at: 0,
            restart_at,
            busy_timeout,
            wake,
            _thread: thread,
        })
    }

    /// Wakes the thread or restarts the log if necessary. The writer calls this between its
    /// transactions.
    pub(crate) fn tend(&mut self, writer: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.woken_at {
            self.log_started_over();
        }
        if pages >= self.woken_at.saturating_add(WAKE_PAGES) {
            self.woken_at = pages;
            // The channel is full if the thread has not handled the previous wake-up yet.
            let _ = self.wake.try_send(());
        }
        if pages >= self.restart_at {
            if self.start_log_over(writer) {
                self.pages.store(0, Ordering::Relaxed);
                self.log_started_over();
            } else {
                self.restart_at = pages.saturating_add(WAKE_PAGES);
            }
        }
    }

    fn log_started_over(&mut self) {
        self.woken_at = 0;
        self.restart_at = CAP_PAGES;
    }

    /// Restarts the log. Returns `false` if a reader in any process still uses it, or if another
    /// checkpoint is running.
    fn start_log_over(&self, writer: &Connection) -> bool {
        let busy = writer.busy_timeout(PATIENCE).and_then(|()| {
            writer.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| {
                row.get::<_, bool>(0)
            })
        });
        if let Err(error) = writer.busy_timeout(self.busy_timeout) {
            tracing::warn!(error = &error as &dyn Error, "cannot set the busy timeout");
        }
        matches!(busy, Ok(false))
    }
}

fn checkpoint(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(
            error = &error as &dyn Error,
            "the write-ahead log of the session database could not be checkpointed and goes on growing"
        );
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    struct Scene {
        directory: TempDir,
        writer: Connection,
        checkpointer: Checkpointer,
    }

    impl Scene {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("sessions.db");
            let mut writer = Connection::open(&path).unwrap();
            writer
                .execute_batch(
                    "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0;
                     PRAGMA synchronous = off; CREATE TABLE filler (bytes)",
                )
                .unwrap();
            let own = Connection::open(&path).unwrap();
            let checkpointer =
                Checkpointer::start(&mut writer, own, Duration::from_secs(5)).unwrap();
            Self {
                directory,
                writer,
                checkpointer,
            }
        }

        /// Lengthens the log by at least `pages` pages.
        fn write(&self, pages: u32) {
            let sql = "INSERT INTO filler VALUES (zeroblob(4096 * ?1))";
            self.writer.execute(sql, [pages]).unwrap();
        }

        fn log_length(&self) -> u32 {
            self.checkpointer.pages.load(Ordering::Relaxed)
        }

        fn tend(&mut self) {
            self.checkpointer.tend(&self.writer);
        }
    }

    #[test]
    fn a_long_log_is_moved_by_the_thread() {
        let mut scene = Scene::new();
        scene.write(WAKE_PAGES);
        scene.tend();
        let Scene {
            directory: _directory,
            writer,
            checkpointer,
        } = scene;
        // Joins the thread after its pending checkpoint.
        drop(checkpointer);
        let (length, moved): (u32, u32) = writer
            .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
                Ok((row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(length, moved);
        assert!(length >= WAKE_PAGES);
    }

    #[test]
    fn the_writer_starts_the_log_over_at_the_cap() {
        let mut scene = Scene::new();
        scene.checkpointer.restart_at = 20;
        scene.write(10);
        scene.tend();
        scene.write(10);
        assert!(scene.log_length() >= 20);
        scene.tend();
        scene.write(1);
        assert!(scene.log_length() < 20);
        assert_eq!(scene.checkpointer.restart_at, CAP_PAGES);
    }

    #[test]
    fn a_reader_that_holds_on_to_the_log_does_not_stop_the_writer() {
        let mut scene = Scene::new();
        scene.checkpointer.restart_at = 20;
        scene.write(1);
        let reader = Connection::open(scene.directory.path().join("sessions.db")).unwrap();
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM filler")
            .unwrap();
        scene.write(20);
        scene.tend();
        let length = scene.log_length();
        scene.write(1);
        assert!(scene.log_length() > length);
        assert!(scene.checkpointer.restart_at > CAP_PAGES.min(length));
        reader.execute_batch("COMMIT").unwrap();
        scene.checkpointer.restart_at = 20;
        scene.tend();
        scene.write(1);
        assert!(scene.log_length() < length);
    }
}
