//! Reads: on the caller's thread while they are fast, otherwise on reader threads.
//!
//! Reading one row whose pages are in memory takes a few microseconds. Handing that work to a
//! thread and the result back takes several times as long. [`Readers::point`] therefore reads on
//! the calling thread. It must not block an async worker, so it uses a reader thread in these
//! cases:
//! * No connection is free.
//! * SQLite would wait for a lock, for example while another process recovers the log. The
//!   connections for in-place reads have no busy timeout.
//! * Reads are slow because their pages come from a slow disk. After a slow read in place, the next
//!   reads go to the threads, and their number doubles each time the next read in place is slow
//!   again.
//!
//! No reading connection can write. A read sees everything that was committed when it began. A
//! writer is answered after its commit, so a caller that has an answer reads its own write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::fault::Fault;
use crate::job::{Job, Queue, Threads, Workers};

/// Maximum number of waiting reads. Further callers wait for space.
const QUEUE_CAPACITY: usize = 1_024;
/// A longer read in place indicates a slow disk or a busy CPU.
const QUICK: Duration = Duration::from_millis(1);
/// Maximum number of reads that go to the threads before the next read is tried in place.
const LONGEST_DETOUR: u32 = 1_024;

pub(crate) struct Readers {
    in_place: InPlace,
    threads: Workers<Box<dyn Job>>,
}

impl Readers {
    /// Starts one thread per connection in `on_threads`. The connections in `in_place` must not
    /// have a busy timeout.
    pub(crate) fn start(
        in_place: Vec<Connection>,
        on_threads: Vec<Connection>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            in_place: InPlace::new(in_place),
            threads: start_threads(on_threads)?,
        })
    }

    /// Reads one or two rows.
    pub(crate) async fn point<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        match self.in_place.read(&work) {
            Some(outcome) => outcome,
            None => self.list(work).await,
        }
    }

    /// Reads any number of rows.
    pub(crate) async fn list<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.threads.queue().run(work).await
    }
}

/// The connections for reads on the caller's thread.
struct InPlace {
    connections: Vec<Mutex<Connection>>,
    /// Index at which the search for a free connection begins.
    next: AtomicUsize,
    detour: Detour,
}

impl InPlace {
    fn new(connections: Vec<Connection>) -> Self {
        Self {
            connections: connections.into_iter().map(Mutex::new).collect(),
            next: AtomicUsize::new(0),
            detour: Detour::default(),
        }
    }

    /// Reads in place. Returns `None` if the read must run on a thread.
    fn read<T>(&self, work: impl Fn(&Connection) -> Result<T, Fault>) -> Option<Result<T, Fault>> {
        if self.detour.is_on() {
            return None;
        }
        let connection = self.free()?;
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&connection)));
        self.detour.learn(start.elapsed());
        drop(connection);
        match outcome {
            Ok(Err(fault)) if fault.is_busy() => None,
            Ok(outcome) => Some(outcome),
            Err(_) => {
                tracing::error!("a read of the SQLite store panicked; its caller gets an error");
                Some(Err(Fault::Panicked))
            }
        }
    }

    fn free(&self) -> Option<MutexGuard<'_, Connection>> {
        // The most recently used connection has the pages of its last reads in its cache.
        let first = self.next.load(Ordering::Relaxed);
        let (before, from) = self.connections.split_at_checked(first)?;
        for (distance, connection) in from.iter().chain(before).enumerate() {
            match connection.try_lock() {
                Ok(free) => return Some(free),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {
                    let next = (first + distance + 1) % self.connections.len();
                    self.next.store(next, Ordering::Relaxed);
                }
            }
        }
        None
    }
}

/// Diverts reads to the threads while reads in place are slow.
#[derive(Default)]
struct Detour {
    /// Number of reads still to be diverted.
    left: AtomicU32,
    /// Number of reads diverted last, if all reads in place since then were slow, or zero.
    length: AtomicU32,
}

impl Detour {
    /// Returns `true` if this read is diverted.
    fn is_on(&self) -> bool {
        let took = |left: u32| left.checked_sub(1);
        // Usually nothing is diverted, and this load is the only cost.
        self.left.load(Ordering::Relaxed) > 0
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, took)
                .is_ok()
    }

    fn learn(&self, took: Duration) {
        let length = self.length.load(Ordering::Relaxed);
        if took > QUICK {
            let longer = length.saturating_mul(2).clamp(1, LONGEST_DETOUR);
            self.length.store(longer, Ordering::Relaxed);
            self.left.store(longer, Ordering::Relaxed);
        } else if length > 0 {
            self.length.store(0, Ordering::Relaxed);
        }
    }
}

type Waiting = Arc<Mutex<mpsc::Receiver<Box<dyn Job>>>>;

fn start_threads(connections: Vec<Connection>) -> std::io::Result<Workers<Box<dyn Job>>> {
    // Declared before the queue and therefore dropped after it if a thread cannot be started. The
    // threads end when the queue is dropped.
    let mut threads = Threads::default();
    let (queue, waiting) = Queue::bounded(QUEUE_CAPACITY);
    let waiting = Arc::new(Mutex::new(waiting));
    for (number, connection) in connections.into_iter().enumerate() {
        let waiting = Arc::clone(&waiting);
        threads.spawn(&format!("sqlite-reader-{number}"), move || {
            read_until_closed(&connection, &waiting);
        })?;
    }
    Ok(Workers::new(queue, threads))
}

fn read_until_closed(connection: &Connection, waiting: &Waiting) {
    while let Some(mut job) = next(waiting) {
        job.run(connection);
        job.answer();
    }
}

fn next(waiting: &Waiting) -> Option<Box<dyn Job>> {
    waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .blocking_recv()
}

#[cfg(test)]
mod tests {
    use std::thread::{self, ThreadId};

    use pollster::block_on;

    use super::*;

    const SLOW: Duration = Duration::from_millis(5);

    fn readers() -> Readers {
        let connections = || vec![Connection::open_in_memory().unwrap()];
        Readers::start(connections(), connections()).unwrap()
    }

    fn where_it_runs(readers: &Readers) -> ThreadId {
        block_on(readers.point(|_| Ok(thread::current().id()))).unwrap()
    }

    #[test]
    fn a_row_is_read_in_the_callers_thread_and_a_list_is_not() {
        let readers = readers();
        assert_eq!(where_it_runs(&readers), thread::current().id());
        let list = block_on(readers.list(|_| Ok(thread::current().id())));
        assert_ne!(list.unwrap(), thread::current().id());
    }

    #[test]
    fn a_read_for_which_no_connection_is_free_goes_to_a_thread() {
        let readers = readers();
        let taken = readers.in_place.free().unwrap();
        assert_ne!(where_it_runs(&readers), thread::current().id());
        drop(taken);
        assert_eq!(where_it_runs(&readers), thread::current().id());
    }

    #[test]
    fn a_read_that_would_have_to_wait_goes_to_a_thread() {
        let readers = readers();
        let caller = thread::current().id();
        let outcome = block_on(readers.point(move |_| {
            if thread::current().id() == caller {
                let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(busy, None).into());
            }
            Ok(())
        }));
        outcome.unwrap();
    }

    #[test]
    fn a_panic_is_its_callers_alone() {
        let readers = readers();
        let panics = readers.point(|_| -> Result<(), Fault> { panic!("on purpose") });
        assert!(matches!(block_on(panics), Err(Fault::Panicked)));
        assert!(readers.in_place.free().is_some());
        block_on(readers.point(|_| Ok(()))).unwrap();
    }

    #[test]
    fn while_reads_are_slow_more_and_more_of_them_make_a_detour() {
        let detour = Detour::default();
        let length = || (0..).take_while(|_| detour.is_on()).count();
        detour.learn(QUICK);
        assert_eq!(length(), 0);
        let lengths = [0; 12].map(|_| {
            detour.learn(SLOW);
            length()
        });
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]);
        detour.learn(QUICK);
        assert_eq!(length(), 0);
        detour.learn(SLOW);
        assert_eq!(length(), 1);
    }
}
