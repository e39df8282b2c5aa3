//! Moves what was committed from the write-ahead log into the database file, off the writer's path.
//!
//! SQLite's automatic checkpoint runs inside the commit that finds the log too long, so that one
//! commit in a thousand takes many times as long. Here a thread of its own does this, on a
//! connection of its own, whenever the log has grown by [`WAKE_PAGES`]; it holds up neither readers
//! nor the writer. When all is moved and no reader needs the log, the next commit starts it over. A
//! writer that is always ahead never comes to that point; when the log reaches [`CAP_PAGES`], it
//! moves what is left by itself.
//!
//! The log's file keeps its size, because to write over blocks is cheaper than to ask for new ones.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::job::Threads;

/// The log grows by that many pages (4 MiB) between two checkpoints.
const WAKE_PAGES: u32 = 1_000;
/// The length of the log (64 MiB) at which the writer makes it start over.
const CAP_PAGES: u32 = 16_384;
/// The most that the log's file keeps, in bytes, when the log starts over.
pub(crate) const FILE_SIZE_KEPT: u32 = 64 * 1024 * 1024;
/// How long the writer waits for readers that stand in the way of starting over.
const PATIENCE: Duration = Duration::from_millis(50);

pub(crate) struct Checkpointer {
    /// The length of the log after the last commit, in pages.
    pages: Arc<AtomicU32>,
    woken_at: u32,
    restart_at: u32,
    busy_timeout: Duration,
    // Invariant: dropped before `_thread`, which it ends.
    wake: SyncSender<()>,
    _thread: Threads,
}

impl Checkpointer {
    /// Watches the commits of `writer` and checkpoints on `own`.
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

    /// To be called by the writer between its transactions.
    pub(crate) fn tend(&mut self, writer: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.woken_at {
            self.log_started_over();
        }
        if pages >= self.woken_at.saturating_add(WAKE_PAGES) {
            self.woken_at = pages;
            // A full channel means that the thread has yet to see the last call.
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

    /// Whether the log could be made to start over. It cannot while a reader, of whatever process,
    /// needs it, nor while another checkpoint is under way.
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

        /// Makes the log longer by at least that many pages.
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
        // Joins the thread, once it has done what it was called for.
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
