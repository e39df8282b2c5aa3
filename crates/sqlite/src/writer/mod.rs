//! The writer thread. It takes everything that is waiting, executes it in one transaction, and
//! answers after the commit.
//!
//! A commit costs one disk flush, however many writes it contains. Writes that arrive during a
//! flush share the next commit. Groups use no timer, so a single write never waits for others.
//!
//! Waiting changes of documents in the same row also share one read and one write of that row. They
//! are still applied one after the other, each by the rule that it would follow alone, and each
//! caller receives its own result.

mod step;

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::change::Change;
use crate::checkpoint::Checkpointer;
use crate::fault::{Fault, Trouble};
use crate::health::Health;
use crate::sql::documents;

pub(crate) use step::Entry;
use step::{Step, steps};

/// Maximum number of waiting entries. Further callers wait for space.
pub(crate) const QUEUE_CAPACITY: usize = 1_024;
/// Maximum number of entries in one transaction.
const GROUP_LIMIT: usize = 512;

pub(crate) struct Writer {
    connection: Connection,
    /// `None` for an in-memory database, which has no write-ahead log.
    checkpointer: Option<Checkpointer>,
    /// A connection that looks for damage; `None` for an in-memory database.
    examiner: Option<Connection>,
    health: Arc<Health>,
}

/// The reason why a group was not committed. None of its writes are applied.
enum Setback {
    /// The transaction itself could not begin or commit.
    Transaction {
        step: &'static str,
        error: rusqlite::Error,
    },
    /// A step failed after it had written, or it ended the transaction.
    Step,
}

impl Writer {
    pub(crate) fn in_memory(connection: Connection, health: Arc<Health>) -> Self {
        Self {
            connection,
            checkpointer: None,
            examiner: None,
            health,
        }
    }

    pub(crate) fn on_file(
        connection: Connection,
        checkpointer: Checkpointer,
        examiner: Connection,
        health: Arc<Health>,
    ) -> Self {
        Self {
            connection,
            checkpointer: Some(checkpointer),
            examiner: Some(examiner),
            health,
        }
    }

    /// Runs until all senders are dropped and the queue is empty, then closes the database.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Entry>) {
        let mut group = Vec::with_capacity(GROUP_LIMIT);
        while queue.blocking_recv_many(&mut group, GROUP_LIMIT) > 0 {
            let steps = steps(group.drain(..));
            match self.health.before_write(&self.connection) {
                Ok(()) => self.settle(steps),
                Err(trouble) => refuse(steps, || trouble.clone().into()),
            }
            if let Some(checkpointer) = &mut self.checkpointer {
                checkpointer.tend(&self.connection);
            }
        }
        self.close();
    }

    /// Executes the steps and answers all callers.
    fn settle(&self, mut group: Vec<Step>) {
        match self.attempt(&mut group) {
            Ok(()) => match self.confirm() {
                Ok(()) => group.into_iter().for_each(Step::answer),
                Err(trouble) => refuse(group, || trouble.clone().into()),
            },
            Err(Setback::Step) => {
                // Everything is rolled back and no caller has an answer yet. Each step now gets a
                // transaction of its own, so that only the failing one fails.
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

    /// Checks that what was committed is in the database that the next start opens.
    fn confirm(&self) -> Result<(), Trouble> {
        self.health
            .after_commit(&self.connection, self.examiner.as_ref())
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

    /// Applies changes of one row.
    fn change(&self, changes: &mut [Change]) -> Result<(), Setback> {
        let write = |changes: &mut [Change]| {
            self.watch(|connection| {
                step::write(changes, |changes| documents::write(connection, changes))
            })
        };
        if !write(changes)? && changes.len() > 1 {
            // Nothing is written yet. Each change is applied separately, so that only the failing
            // one fails.
            for alone in changes.chunks_mut(1) {
                write(alone)?;
            }
        }
        Ok(())
    }

    /// Runs `work`, which returns `true` on success, and returns that result. A failure must not
    /// leave partial writes: if `work` fails after it has written, or if the transaction has ended,
    /// the whole transaction is rolled back and [`Setback::Step`] is returned.
    fn watch(&self, work: impl FnOnce(&Connection) -> bool) -> Result<bool, Setback> {
        let before = self.connection.total_changes();
        let done = work(&self.connection);
        // SQLite rolls back the transaction itself on some errors, for example when the disk is
        // full.
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
        // The last connection to close checkpoints and deletes the log, so the others close before
        // the writer's.
        drop(self.checkpointer);
        drop(self.examiner);
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
