//! Threads that repeat a task at an interval, until their handle is dropped.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Handle of a background thread. Dropping it ends the thread after its current run.
#[derive(Debug)]
pub(crate) struct Background {
    _stop: mpsc::Sender<()>,
}

impl Background {
    /// Starts a thread that calls `work` after each `pause`.
    pub(crate) fn start(
        name: &str,
        pause: Duration,
        work: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while matches!(stopped.recv_timeout(pause), Err(RecvTimeoutError::Timeout)) {
                    work();
                }
            })?;
        Ok(Self { _stop: stop })
    }
}
