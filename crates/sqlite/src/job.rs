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

/// Whoever waits for an outcome, and the outcome until they may be told.
pub(crate) struct Caller<T> {
    outcome: Option<Result<T, Fault>>,
    sender: oneshot::Sender<Result<T, Fault>>,
}

impl<T> Caller<T> {
    pub(crate) fn new() -> (Self, Answer<T>) {
        let (sender, answer) = oneshot::channel();
        let caller = Self {
            outcome: None,
            sender,
        };
        (caller, Answer(answer))
    }

    /// Keeps the outcome, in place of an earlier one; tells whether it is a success.
    pub(crate) fn keep(&mut self, outcome: Result<T, Fault>) -> bool {
        self.outcome.insert(outcome).is_ok()
    }

    /// Tells the outcome.
    pub(crate) fn answer(self) {
        // A caller that has gone away does not want to know.
        let _ = self
            .sender
            .send(self.outcome.unwrap_or(Err(Fault::Stopped)));
    }

    /// Tells the fault that was kept, or this one if there is none.
    pub(crate) fn refuse(self, fault: Fault) {
        let fault = self.outcome.and_then(Result::err).unwrap_or(fault);
        let _ = self.sender.send(Err(fault));
    }
}

/// What a [`Caller`] waits for.
pub(crate) struct Answer<T>(oneshot::Receiver<Result<T, Fault>>);

impl<T> Answer<T> {
    pub(crate) async fn told(self) -> Result<T, Fault> {
        self.0.await.unwrap_or(Err(Fault::Stopped))
    }
}

/// Does `work`; a panic in it is its outcome.
///
/// Unwind safety is up to the caller: what a panic may leave half done must lie in a transaction
/// that is then rolled back.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!("a job of the SQLite store panicked; its caller gets an error");
        Err(Fault::Panicked)
    })
}

struct Task<T, F> {
    work: F,
    caller: Caller<T>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: Fn(&Connection) -> Result<T, Fault> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        self.caller.keep(guarded(|| (self.work)(connection)))
    }

    fn answer(self: Box<Self>) {
        self.caller.answer();
    }

    fn refuse(self: Box<Self>, fault: Fault) {
        self.caller.refuse(fault);
    }
}

/// Where callers hand in what is to be done: jobs, or something that a job is one kind of.
pub(crate) struct Queue<E>(mpsc::Sender<E>);

impl<E> Queue<E> {
    pub(crate) fn bounded(capacity: usize) -> (Self, mpsc::Receiver<E>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    /// Hands in an entry and waits for its answer. Dropping the future before the entry was queued
    /// undoes nothing and does nothing; after that it is done all the same.
    pub(crate) async fn hand_in<T>(&self, entry: E, answer: Answer<T>) -> Result<T, Fault> {
        self.0.send(entry).await.map_err(|_| Fault::Stopped)?;
        answer.told().await
    }

    /// Hands in a job as [`Self::hand_in`] does.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Fault>
    where
        E: From<Box<dyn Job>>,
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (caller, answer) = Caller::new();
        let job: Box<dyn Job> = Box::new(Task { work, caller });
        self.hand_in(job.into(), answer).await
    }
}

/// Threads, and the queue that feeds them. Dropping it lets the threads finish what waits, and
/// waits for them.
pub(crate) struct Workers<E> {
    // Invariant: dropped first. The threads end when there are no senders any more.
    queue: Queue<E>,
    _threads: Threads,
}

impl<E> Workers<E> {
    pub(crate) fn new(queue: Queue<E>, threads: Threads) -> Self {
        Self {
            queue,
            _threads: threads,
        }
    }

    pub(crate) fn queue(&self) -> &Queue<E> {
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
