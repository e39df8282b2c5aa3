//! The one thread that writes: it takes whatever waits, does it in one transaction, and answers
//! after the commit.
//!
//! A commit costs a flush of the disk, whatever the number of writes in it, so writers that come
//! while a flush is under way share the next one. No timer: a single writer waits for nobody.
//!
//! Changes of documents that wait together and are of one row share a read and a write of it, too.
//! They are done one after the other all the same, each by the rule that it would follow alone, and
//! each caller gets its own answer.

mod change;
mod step;

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::checkpoint::Checkpointer;
use crate::fault::Fault;
use crate::sql::documents;

pub(crate) use change::{Change, Document};
pub(crate) use step::Entry;
use step::{Step, steps};

/// The most entries that wait; callers beyond that wait for room.
pub(crate) const QUEUE_CAPACITY: usize = 1_024;
/// The most entries in one transaction.
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
    /// A step failed after it had written, or took the transaction down with it.
    Step,
}

impl Writer {
    pub(crate) fn new(connection: Connection, checkpointer: Option<Checkpointer>) -> Self {
        Self {
            connection,
            checkpointer,
        }
    }

    /// Works until every sender is gone and nothing waits, then closes the database.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Entry>) {
        let mut group = Vec::with_capacity(GROUP_LIMIT);
        while queue.blocking_recv_many(&mut group, GROUP_LIMIT) > 0 {
            self.settle(steps(group.drain(..)));
            if let Some(checkpointer) = &mut self.checkpointer {
                checkpointer.tend(&self.connection);
            }
        }
        self.close();
    }

    /// Does the steps and answers all callers.
    fn settle(&self, mut group: Vec<Step>) {
        match self.attempt(&mut group) {
            Ok(()) => group.into_iter().for_each(Step::answer),
            Err(Setback::Step) => {
                // All is rolled back and nobody has an answer yet. Each now gets a transaction of
                // its own, so that the one that fails fails alone.
                let apart: Vec<_> = group.into_iter().flat_map(Step::apart).collect();
                if apart.len() == 1 {
                    refuse(apart, || Fault::RolledBack);
                } else {
                    apart.into_iter().for_each(|step| self.settle(vec![step]));
                }
            }
            Err(Setback::Transaction { step, error }) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    writes = group.iter().map(Step::callers).sum::<usize>(),
                    "the session database could not {step} a transaction; nothing of it was written"
                );
                let source = Arc::new(error);
                refuse(group, || Fault::Transaction {
                    step,
                    source: Arc::clone(&source),
                });
            }
        }
    }

    fn attempt(&self, group: &mut [Step]) -> Result<(), Setback> {
        self.control("BEGIN IMMEDIATE")
            .map_err(|error| Setback::Transaction {
                step: "begin",
                error,
            })?;
        for step in group {
            match step {
                Step::Job(job) => {
                    self.watch(|connection| job.run(connection))?;
                }
                Step::Changes(changes) => self.change(changes)?,
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

    /// Does changes of one row.
    fn change(&self, changes: &mut [Change]) -> Result<(), Setback> {
        let write = |changes: &mut [Change]| {
            self.watch(|connection| {
                step::write(changes, |changes| documents::write(connection, changes))
            })
        };
        if !write(changes)? && changes.len() > 1 {
            // Nothing is written. Each by itself, so that the one that fails fails alone.
            for alone in changes.chunks_mut(1) {
                write(alone)?;
            }
        }
        Ok(())
    }

    /// Does `work`, which tells whether it succeeded. If it did not, it has not written anything
    /// either, or else all of the transaction is rolled back.
    fn watch(&self, work: impl FnOnce(&Connection) -> bool) -> Result<bool, Setback> {
        let before = self.connection.total_changes();
        let done = work(&self.connection);
        // A full disk, for one, makes SQLite roll back the transaction by itself.
        let lost = self.connection.is_autocommit();
        if lost || (!done && self.connection.total_changes() != before) {
            self.roll_back();
            return Err(Setback::Step);
        }
        Ok(done)
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

fn refuse(group: Vec<Step>, fault: impl Fn() -> Fault) {
    for step in group {
        step.refuse(&fault);
    }
}

#[cfg(test)]
mod tests;
