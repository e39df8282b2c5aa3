//! The way of a verb from its caller to a thread of the store and back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::fault::Fault;

/// Work for a connection, of whatever type its answer is.
pub(crate) trait Job: Send {
    /// Does the work and keeps its outcome; tells whether it succeeded. May be called again once
    /// everything that it did has been rolled back.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Gives the caller the outcome.
    fn answer(self: Box<Self>);

    /// Gives the caller the fault that the job met, or this one if it met none: nothing of it is
    /// applied.
    fn refuse(self: Box<Self>, fault: Fault);
}

struct Task<T, F> {
    work: F,
    outcome: Option<Result<T, Fault>>,
    caller: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: Fn(&Connection) -> Result<T, Fault> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        // Unwind safety: what a panic may leave half done lies in the transaction, which the writer
        // rolls back.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(connection)));
        let outcome = outcome.unwrap_or_else(|_| {
            tracing::error!("a job of the SQLite store panicked; its caller gets an error");
            Err(Fault::Panicked)
        });
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>) {
        // A caller that has gone away does not want to know.
        let _ = self
            .caller
            .send(self.outcome.unwrap_or(Err(Fault::Stopped)));
    }

    fn refuse(self: Box<Self>, fault: Fault) {
        let fault = self.outcome.and_then(Result::err).unwrap_or(fault);
        let _ = self.caller.send(Err(fault));
    }
}

/// Where callers hand in jobs.
pub(crate) struct Queue(mpsc::Sender<Box<dyn Job>>);

impl Queue {
    pub(crate) fn bounded(capacity: usize) -> (Self, mpsc::Receiver<Box<dyn Job>>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    /// Hands in `work` and waits for its answer. Dropping the future before the work was queued
    /// undoes nothing and does nothing; after that the work takes place all the same.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Task {
            work,
            outcome: None,
            caller,
        });
        self.0.send(job).await.map_err(|_| Fault::Stopped)?;
        answer.await.unwrap_or(Err(Fault::Stopped))
    }
}

/// Threads, and the queue that feeds them. Dropping it lets the threads finish what waits, and
/// waits for them.
pub(crate) struct Workers {
    // Invariant: dropped first. The threads end when there are no senders any more.
    queue: Queue,
    _threads: Threads,
}

impl Workers {
    pub(crate) fn new(queue: Queue, threads: Threads) -> Self {
        Self {
            queue,
            _threads: threads,
        }
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }
}

/// Threads that are joined on drop. What makes them end must have been dropped before.
#[derive(Default)]
pub(crate) struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    pub(crate) fn spawn(
        &mut self,
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        self.0
            .push(thread::Builder::new().name(name.to_owned()).spawn(body)?);
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for handle in self.0.drain(..) {
            // An answer may wake, on this very thread, the task that drops the store; a thread
            // cannot wait for itself.
            if handle.thread().id() != thread::current().id() && handle.join().is_err() {
                tracing::error!("a thread of the SQLite store panicked");
            }
        }
    }
}
