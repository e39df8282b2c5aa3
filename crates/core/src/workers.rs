//! A bounded thread pool for CPU-bound work: signing and key generation.
//!
//! An RSA signature takes most of a millisecond. On an async worker thread it would delay every
//! other request on that thread. The engine has its own pool so that it does not depend on a
//! particular runtime.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// Runs closures on a fixed number of threads. Dropping the last clone waits for the threads to
/// end, which takes at most as long as the jobs that have already started. Queued jobs are skipped,
/// because their callers are gone.
#[derive(Clone)]
pub(crate) struct Workers {
    pool: Arc<Pool>,
}

struct Pool {
    /// `None` once the threads must end.
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// The pool has shut down, or the job panicked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a worker thread did not finish its job")]
pub(crate) struct WorkerLost;

const QUEUE_PER_THREAD: usize = 256;

impl Workers {
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel::<Job>(threads.saturating_mul(QUEUE_PER_THREAD));
        let jobs = Arc::new(Mutex::new(jobs));
        // Created before the threads, so that dropping it ends the started ones if another fails to
        // start.
        let mut pool = Pool {
            queue: Some(queue),
            threads: Vec::new(),
        };
        for number in 0..threads {
            let jobs = Arc::clone(&jobs);
            let thread = thread::Builder::new()
                .name(format!("supersession-worker-{number}"))
                .spawn(move || {
                    loop {
                        // The lock is held while the thread waits for a job and is released before
                        // the job runs.
                        let job = jobs
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .blocking_recv();
                        let Some(job) = job else { break };
                        job();
                    }
                })?;
            pool.threads.push(thread);
        }
        Ok(Self {
            pool: Arc::new(pool),
        })
    }

    /// Runs `work` on the pool. Waits for a free slot in the queue while the pool is busy.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, WorkerLost>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // The caller may have dropped the future.
            if reply.is_closed() {
                return;
            }
            // A panicking job must return an error to its caller without ending the thread.
            if let Ok(result) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
                let _ = reply.send(result);
            }
        });
        let queue = self.pool.queue.as_ref().ok_or(WorkerLost)?;
        queue.send(job).await.map_err(|_| WorkerLost)?;
        answer.await.map_err(|_| WorkerLost)
    }
}

impl Drop for Pool {
    /// Joins the threads. A thread that is still running while the process exits could find the
    /// crypto library already torn down and crash the process.
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A job may have held the last clone. A thread cannot join itself.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;
    use std::task::{Context, Waker};

    use super::*;

    struct Noted(Arc<AtomicBool>);

    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    thread_local! {
        static NOTED: std::cell::RefCell<Option<Noted>> = const { std::cell::RefCell::new(None) };
    }

    #[test]
    fn the_threads_have_ended_when_the_last_clone_is_dropped() {
        let ended = Arc::new(AtomicBool::new(false));
        let workers = Workers::start(1).unwrap();
        let noted = Noted(Arc::clone(&ended));
        let keep = workers.run(move || NOTED.set(Some(noted)));
        pollster::block_on(keep).unwrap();
        let clone = workers.clone();
        drop(workers);
        assert!(!ended.load(Ordering::SeqCst));
        drop(clone);
        assert!(ended.load(Ordering::SeqCst));
    }

    /// Returns a submitted call that is still pending.
    fn asked(
        workers: &Workers,
        job: impl FnOnce() + Send + 'static,
    ) -> Pin<Box<impl Future<Output = Result<(), WorkerLost>>>> {
        let mut asked = Box::pin(workers.run(job));
        let mut context = Context::from_waker(Waker::noop());
        assert!(asked.as_mut().poll(&mut context).is_pending());
        asked
    }

    #[test]
    fn a_job_may_hold_the_last_clone() {
        let workers = Workers::start(1).unwrap();
        let held = workers.clone();
        let ((begun, begins), (go, goes), (told, hears)) = (channel(), channel(), channel());
        let asked = asked(&workers, move || {
            begun.send(()).unwrap();
            goes.recv().unwrap();
            drop(held);
            told.send(()).unwrap();
        });
        begins.recv().unwrap();
        drop(asked);
        drop(workers);
        go.send(()).unwrap();
        hears.recv().unwrap();
    }

    #[test]
    fn a_job_without_a_waiting_caller_is_not_started() {
        let workers = Workers::start(1).unwrap();
        let (go, goes) = channel::<()>();
        let ran = Arc::new(AtomicBool::new(false));
        let runs = Arc::clone(&ran);
        let busy = asked(&workers, move || goes.recv().unwrap());
        drop(asked(&workers, move || runs.store(true, Ordering::SeqCst)));
        go.send(()).unwrap();
        pollster::block_on(busy).unwrap();
        drop(workers);
        assert!(!ran.load(Ordering::SeqCst));
    }

    #[test]
    fn jobs_run_and_a_panicking_job_affects_no_other() {
        let workers = Workers::start(1).unwrap();
        pollster::block_on(async {
            assert_eq!(workers.run(|| 1 + 1).await.unwrap(), 2);
            assert!(
                workers
                    .run(|| panic!("a test of what a panic does"))
                    .await
                    .is_err()
            );
            assert_eq!(workers.run(|| 3).await.unwrap(), 3);
        });
    }
}
