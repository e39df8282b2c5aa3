//! Transport of a verb from its caller to a thread of the store, and of its outcome back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::fault::Fault;

/// Work for a connection, independent of the type of its outcome.
pub(crate) trait Job: Send {
    /// Does the work and keeps its outcome. Returns `true` if it succeeded. May be called again
    /// once all its changes have been rolled back.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Sends the outcome to the caller.
    fn answer(self: Box<Self>);

    /// Sends the caller the fault of the job, or `fault` if the job had none. None of the job's
    /// changes are applied.
    fn refuse(self: Box<Self>, fault: Fault);
}

/// A waiting caller, and the outcome until it may be sent.
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

    /// Keeps the outcome and replaces an earlier one. Returns `true` if it is a success.
    pub(crate) fn keep(&mut self, outcome: Result<T, Fault>) -> bool {
        self.outcome.insert(outcome).is_ok()
    }

    /// Sends the outcome.
    pub(crate) fn answer(self) {
        // If the caller has gone away, the outcome is dropped.
        let _ = self
            .sender
            .send(self.outcome.unwrap_or(Err(Fault::Stopped)));
    }

    /// Sends the kept fault, or `fault` if none was kept.
    pub(crate) fn refuse(self, fault: Fault) {
        let fault = self.outcome.and_then(Result::err).unwrap_or(fault);
        let _ = self.sender.send(Err(fault));
    }
}

/// The receiving side of a [`Caller`].
pub(crate) struct Answer<T>(oneshot::Receiver<Result<T, Fault>>);

impl<T> Answer<T> {
    pub(crate) async fn told(self) -> Result<T, Fault> {
        self.0.await.unwrap_or(Err(Fault::Stopped))
    }
}

/// Runs `work`, and turns a panic in it into a fault.
///
/// The caller is responsible for unwind safety: everything that a panic may leave half done must be
/// in a transaction that is then rolled back.
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

/// Queue of entries for the threads: jobs, or a type that contains jobs.
pub(crate) struct Queue<E>(mpsc::Sender<E>);

impl<E> Queue<E> {
    pub(crate) fn bounded(capacity: usize) -> (Self, mpsc::Receiver<E>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    /// Queues an entry and waits for its answer. If the future is dropped before the entry was
    /// queued, nothing is done. After that, the entry is executed in any case.
    pub(crate) async fn hand_in<T>(&self, entry: E, answer: Answer<T>) -> Result<T, Fault> {
        self.0.send(entry).await.map_err(|_| Fault::Stopped)?;
        answer.told().await
    }

    /// Queues a job, as [`Self::hand_in`] does.
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

/// Threads, and the queue that feeds them. Dropping it lets the threads finish the waiting entries,
/// and waits for them.
pub(crate) struct Workers<E> {
    // Invariant: dropped first. The threads end when the last sender is dropped.
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

/// Threads that are joined on drop. The condition that ends them must hold before.
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
            // An answer may wake, on this thread, the task that drops the store. A thread cannot
            // join itself.
            if handle.thread().id() != thread::current().id() && handle.join().is_err() {
                tracing::error!("a thread of the SQLite store panicked");
            }
        }
    }
}
