//! Batching of document changes, so that they share a commit.
//!
//! A commit costs one disk flush and one round trip, however many rows it contains. Changes that
//! arrive while others are being written share the next statement. Batches use no timer: a writer
//! takes everything that is waiting, and a change that finds an idle writer is sent immediately, in
//! the same statement as without batching.
//!
//! A batch never waits for a row lock. It leaves a change undecided if another transaction holds or
//! has changed the row, if the row is gone, or if the database rejected the batch. An undecided
//! change is then written alone, by the same code as a change that arrived alone. One caller's
//! failure therefore never affects another caller.
//!
//! An idle batcher keeps no task and no connection.
//!
//! # The path of a change
//! 1. [`Batcher::write`] queues the change under its document. If fewer than [`WRITERS`] writers
//!    are active, it starts one.
//! 2. A writer takes what is waiting (`queue`): changes of one kind of document, up to the size of
//!    a batch. From then on it holds these documents. Later changes of a held document wait, so two
//!    statements of this process never race for a row, and changes of one document keep their
//!    order.
//! 3. A single change is written alone. Several changes are folded per document (`fold`) and
//!    written in one statement (`sql/batches.rs`).
//! 4. Each document of the batch is now decided or undecided. The callers of a decided document get
//!    the outcomes of folding. An undecided document is written by a task of its own, one change
//!    after the other.
//! 5. Dropping `Held` releases the document, also after a panic. Its callers then get an error.
//!
//! # What the tests prove
//! * `queue`, `fold`: order, kinds and limits; folding equals a sequence on the reference store,
//!   for random writes.
//! * `tests/it/batches.rs`: on a real server, a batch has the outcomes of a sequence and leaves the
//!   same rows; a rejected change fails alone; a locked row delays its own writers only; two nodes
//!   neither deadlock nor lose a write; a change whose caller is gone is still written; a batch
//!   whose answer is lost is not repeated; answers arrive within the time limit.
//! * `tests/it/costs.rs`: the number of round trips, statements and commits.

mod change;
mod queue;

use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use supersession::UnixMillis;
use supersession::store::{DocumentWrite, StoreError, WriteOutcome};
use tokio::time::{Instant, timeout, timeout_at};

use crate::document::Document;
use crate::fault::{Access, Fault};
use crate::fold::Folded;
use crate::run::{Runner, Verb};
use crate::sql::{batches, write_document};
use change::{Answer, Change};
use queue::Queue;

/// Maximum number of concurrent batches. Each uses one connection: while one waits for the disk,
/// the other one works.
const WRITERS: usize = 2;
/// Maximum time that a writer waits for a change that is written alone. A change that takes longer
/// is waiting for a row lock or for an unresponsive server. It continues in a task of its own, and
/// the writer proceeds with other changes.
const PATIENCE: Duration = Duration::from_millis(50);

/// Queues changes of documents and writes those that wait together.
pub(crate) struct Batcher {
    runner: Arc<Runner>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: Queue,
    writers: usize,
}

impl State {
    /// Returns `true` if another writer must be started. That writer is already counted.
    fn hires(&mut self) -> bool {
        let hires = self.writers < WRITERS && self.queue.has_work();
        self.writers += usize::from(hires);
        hires
    }
}

impl Batcher {
    pub(crate) fn new(runner: Arc<Runner>) -> Self {
        Self {
            runner,
            state: Mutex::default(),
        }
    }

    /// Changes a document and returns once the change is committed.
    ///
    /// # Cancellation
    /// The change runs to completion even if the returned future is dropped.
    pub(crate) async fn write(
        self: &Arc<Self>,
        document: Document,
        write: DocumentWrite,
        now: UnixMillis,
    ) -> Result<WriteOutcome, StoreError> {
        let operation = document.operation();
        let batcher = Arc::clone(self);
        let task = self
            .runner
            .runtime
            .spawn(async move { batcher.wait_for(document, write, now).await });
        let answer = task
            .await
            .unwrap_or_else(|error| Err(Arc::new(Fault::of_task(&error))));
        answer.map_err(|fault| {
            StoreError::new(operation, fault.kind(Access::Write)).with_source(fault)
        })
    }

    async fn wait_for(
        self: Arc<Self>,
        document: Document,
        write: DocumentWrite,
        now: UnixMillis,
    ) -> Answer {
        let deadline = Instant::now() + self.runner.time_limit;
        let (change, answer) = Change::new(write, now, deadline);
        self.with_state(|state| state.queue.push(document, change));
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Arc::new(Fault::Panicked)),
            Err(_) => Err(Arc::new(Fault::TimedOut)),
        }
    }

    /// Modifies the state. Afterwards, a writer is started if there is work for one.
    fn with_state<T>(self: &Arc<Self>, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let outcome = act(&mut state);
        let hires = state.hires();
        drop(state);
        if hires {
            let batcher = Arc::clone(self);
            self.runner.runtime.spawn(async move {
                let writer = Writer(batcher);
                while writer.work().await {}
            });
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>) -> Vec<Held> {
        let taken = self.lock().queue.take().into_iter();
        let held = taken.map(|(document, changes)| Held {
            batcher: Arc::clone(self),
            document,
            changes,
        });
        held.collect()
    }
}

/// An active writer. Dropping it, also by a panic, removes it from the count.
struct Writer(Arc<Batcher>);

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.with_state(|state| state.writers -= 1);
    }
}

impl Writer {
    /// Writes one batch. Returns `false` if nothing was waiting.
    async fn work(&self) -> bool {
        let mut batch = self.0.take();
        match batch.as_slice() {
            [] => return false,
            [held] if held.changes.len() == 1 => {
                if let Some(held) = batch.pop() {
                    self.write_alone(held).await;
                }
            }
            _ => self.write_together(batch).await,
        }
        true
    }

    async fn write_alone(&self, held: Held) {
        let mut alone = Box::pin(held.write_alone());
        if timeout(PATIENCE, &mut alone).await.is_err() {
            self.0.runner.runtime.spawn(alone);
        }
    }

    async fn write_together(&self, mut batch: Vec<Held>) {
        for held in &mut batch {
            held.changes.retain(|change| !change.is_overdue());
        }
        batch.retain(|held| !held.changes.is_empty());
        let deadlines = batch.iter().flat_map(|held| &held.changes);
        let deadline = deadlines.map(|change| change.deadline).max();
        let kind = batch.first().map(|held| held.document.kind());
        let (Some(deadline), Some(kind)) = (deadline, kind) else {
            return;
        };
        let outcome = {
            let groups: Vec<_> = batch.iter().map(Held::group).collect();
            let job = |db| batches::write(db, kind, &groups);
            self.0.runner.attempt(deadline, &job).await
        };
        match outcome {
            Ok(decided) => {
                for (held, folded) in batch.into_iter().zip(decided) {
                    match folded {
                        Some(folded) => held.answer(folded),
                        None => self.leave_alone(held),
                    }
                }
            }
            Err(fault) if fault.was_undone() => {
                tracing::debug!(%fault, "a batch of changes is done again one by one");
                batch.into_iter().for_each(|held| self.leave_alone(held));
            }
            Err(fault) => {
                let fault = Arc::new(fault);
                batch.into_iter().for_each(|held| held.refuse(&fault));
            }
        }
    }

    /// Writes an undecided document in a task of its own, so that the writer does not wait for it.
    fn leave_alone(&self, held: Held) {
        self.0.runner.runtime.spawn(held.write_alone());
    }
}

/// A document taken from the queue, with the changes to apply. Dropping it, also by a panic,
/// releases the document. Callers that have no answer by then receive an error.
struct Held {
    batcher: Arc<Batcher>,
    document: Document,
    changes: Vec<Change>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let document = &self.document;
        self.batcher
            .with_state(|state| state.queue.release(document));
    }
}

impl Held {
    fn group(&self) -> batches::Group<'_> {
        batches::Group {
            document: &self.document,
            writes: self.changes.iter().map(|change| &change.write).collect(),
            now: self
                .changes
                .iter()
                .map(|change| change.now)
                .max()
                .unwrap_or_default(),
        }
    }

    /// Applies the changes one after the other, each in its own commit.
    async fn write_alone(mut self) {
        let runner = Arc::clone(&self.batcher.runner);
        for change in take(&mut self.changes) {
            if change.is_overdue() {
                continue;
            }
            let job = |db| {
                let document = self.document.clone();
                write_document(db, document, change.write.clone(), change.now)
            };
            let operation = self.document.operation();
            let outcome = runner.tries(operation, Verb::Once, change.deadline, job);
            let outcome = outcome.await.map_err(Arc::new);
            change.answer(outcome);
        }
    }

    fn answer(mut self, folded: Folded) {
        for (change, outcome) in take(&mut self.changes).into_iter().zip(folded.outcomes) {
            change.answer(Ok(outcome));
        }
    }

    fn refuse(mut self, fault: &Arc<Fault>) {
        for change in take(&mut self.changes) {
            change.answer(Err(Arc::clone(fault)));
        }
    }
}
