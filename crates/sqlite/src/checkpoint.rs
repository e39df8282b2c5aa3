//! Moves what was committed from the write-ahead log into the database file, off the writer's path.
//!
//! SQLite's automatic checkpoint runs inside the commit that finds the log too long, so that one commit in a thousand
//! takes many times as long. Here a thread of its own does this, on a connection of its own, whenever the log has
//! grown by [`WAKE_PAGES`]. It never holds up readers or the writer. If the writer is always faster, the log reaches
//! [`CAP_PAGES`]; then the writer moves the little that is left by itself and starts the log over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use rusqlite::Connection;

use crate::job::Threads;

/// The log grows by that many pages (4 MiB) between two checkpoints.
const WAKE_PAGES: u32 = 1_000;
/// The length of the log (64 MiB) at which it is started over, at the writer's expense.
const CAP_PAGES: u32 = 16_384;
/// The size that the log's file keeps, in bytes, when it starts over.
pub(crate) const FILE_SIZE_KEPT: u32 = 64 * 1024 * 1024;
/// How long the writer waits for readers that stand in the way of starting over.
const PATIENCE: Duration = Duration::from_millis(50);

pub(crate) struct Checkpointer {
    /// The length of the log after the last commit, in pages.
    pages: Arc<AtomicU32>,
    woken_at: u32,
    truncate_at: u32,
    busy_timeout: Duration,
    // Dropped before `_thread`, which it ends.
    wake: SyncSender<()>,
    _thread: Threads,
}

impl Checkpointer {
    /// Watches `writer`'s commits and checkpoints on `own`.
    pub(crate) fn start(
        writer: &mut Connection,
        own: Connection,
        busy_timeout: Duration,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let pages = Arc::new(AtomicU32::new(0));
        let watched = Arc::clone(&pages);
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, length| {
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
        let truncate_at = CAP_PAGES;
        Ok(Self {
            pages,
            woken_at: 0,
            truncate_at,
            busy_timeout,
            wake,
            _thread: thread,
        })
    }

    /// To be called by the writer after each commit.
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
        if pages >= self.truncate_at {
            if self.truncate(writer) {
                self.pages.store(0, Ordering::Relaxed);
                self.log_started_over();
            } else {
                self.truncate_at = pages.saturating_add(WAKE_PAGES);
            }
        }
    }

    fn log_started_over(&mut self) {
        self.woken_at = 0;
        self.truncate_at = CAP_PAGES;
    }

    /// Whether the log could be emptied. It cannot be while a reader, of whatever process, needs it.
    fn truncate(&self, writer: &Connection) -> bool {
        let emptied = writer.busy_timeout(PATIENCE).and_then(|()| {
            writer.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| {
                row.get::<_, i64>(0)
            })
        });
        if let Err(error) = writer.busy_timeout(self.busy_timeout) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot set the busy timeout"
            );
        }
        matches!(emptied, Ok(0))
    }
}

fn checkpoint(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the write-ahead log of the session database could not be checkpointed and goes on growing"
        );
    }
}
