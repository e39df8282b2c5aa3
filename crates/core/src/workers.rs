//! A bounded pool of threads for what keeps a processor busy: signing and making keys.
//!
//! An RSA signature takes most of a millisecond. On an async worker it would hold up every other
//! request there; a pool of the engine's own also ties it to no runtime.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// Runs closures on its threads. The threads end when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Workers {
    queue: mpsc::Sender<Job>,
}

/// The pool is gone, or the job panicked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a worker thread did not finish its job")]
pub(crate) struct WorkerLost;

const QUEUE_PER_THREAD: usize = 256;

impl Workers {
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel::<Job>(threads.saturating_mul(QUEUE_PER_THREAD));
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name(format!("supersession-worker-{number}"))
                .spawn(move || {
                    loop {
                        // The lock is held while waiting, and released before the work starts.
                        let job = jobs
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .blocking_recv();
                        let Some(job) = job else { break };
                        job();
                    }
                })?;
        }
        Ok(Self { queue })
    }

    /// Runs `work` on the pool; waits for a place in its queue while the pool is busy.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, WorkerLost>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // A panicking job must cost its caller an error, not the pool a thread.
            if let Ok(result) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
                let _ = reply.send(result);
            }
        });
        self.queue.send(job).await.map_err(|_| WorkerLost)?;
        answer.await.map_err(|_| WorkerLost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_run_and_a_panicking_job_harms_nobody_else() {
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
