//! The one thread that writes: it takes whatever waits, does it in one transaction, and answers
//! after the commit.
//!
//! A commit costs a flush of the disk, whatever the number of writes in it, so writers that come
//! while a flush is under way share the next one. No timer: a single writer waits for nobody.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::checkpoint::Checkpointer;
use crate::fault::Fault;
use crate::job::Job;

/// The most jobs that wait; callers beyond that wait for room.
pub(crate) const QUEUE_CAPACITY: usize = 1_024;
/// The most jobs in one transaction.
const GROUP_LIMIT: usize = 512;

pub(crate) struct Writer {
    connection: Connection,
    /// Absent for a database in memory, which has no log.
    checkpointer: Option<Checkpointer>,
}

/// Why a group was not committed. Nothing of it is applied.
enum Setback {
    /// The transaction itself could not be begun or committed.
    Transaction {
        step: &'static str,
        error: rusqlite::Error,
    },
    /// A job failed after it had written, or took the transaction down with it.
    Job,
}

impl Writer {
    pub(crate) fn new(connection: Connection, checkpointer: Option<Checkpointer>) -> Self {
        Self {
            connection,
            checkpointer,
        }
    }

    /// Works until every sender is gone and nothing waits, then closes the database.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut group = Vec::with_capacity(GROUP_LIMIT);
        while queue.blocking_recv_many(&mut group, GROUP_LIMIT) > 0 {
            self.settle(&mut group);
            if let Some(checkpointer) = &mut self.checkpointer {
                checkpointer.tend(&self.connection);
            }
        }
        self.close();
    }

    /// Does the jobs and answers all of them.
    fn settle(&self, group: &mut Vec<Box<dyn Job>>) {
        match self.attempt(group) {
            Ok(()) => group.drain(..).for_each(Job::answer),
            Err(Setback::Job) if group.len() == 1 => {
                group
                    .drain(..)
                    .for_each(|job| job.refuse(Fault::RolledBack));
            }
            Err(Setback::Job) => {
                // All is rolled back and nobody has an answer yet. Each now gets a transaction of
                // its own, so that the one that fails fails alone.
                for job in group.drain(..) {
                    self.settle(&mut vec![job]);
                }
            }
            Err(Setback::Transaction { step, error }) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    writes = group.len(),
                    "the session database could not {step} a transaction; nothing of it was written"
                );
                let source = Arc::new(error);
                for job in group.drain(..) {
                    job.refuse(Fault::Transaction {
                        step,
                        source: Arc::clone(&source),
                    });
                }
            }
        }
    }

    fn attempt(&self, group: &mut [Box<dyn Job>]) -> Result<(), Setback> {
        self.control("BEGIN IMMEDIATE")
            .map_err(|error| Setback::Transaction {
                step: "begin",
                error,
            })?;
        for job in group {
            let before = self.connection.total_changes();
            let done = job.run(&self.connection);
            // A full disk, for one, makes SQLite roll back the transaction by itself.
            let lost = self.connection.is_autocommit();
            if lost || (!done && self.connection.total_changes() != before) {
                self.roll_back();
                return Err(Setback::Job);
            }
        }
        self.control("COMMIT").map_err(|error| {
            self.roll_back();
            Setback::Transaction {
                step: "commit",
                error,
            }
        })
    }

    fn roll_back(&self) {
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(error) = self.control("ROLLBACK") {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the session database could not roll back a transaction"
            );
        }
    }

    fn control(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn close(self) {
        // The connection that closes last empties the log and removes it, so the checkpointer's
        // goes first.
        drop(self.checkpointer);
        if let Err((_, error)) = self.connection.close() {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the session database could not be closed"
            );
        }
    }
}

#[cfg(test)]
mod tests;
