//! Threads that do something every so often, for as long as somebody holds on to them.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Ends the thread when dropped, after what it is just doing.
#[derive(Debug)]
pub(crate) struct Background {
    _stop: mpsc::Sender<()>,
}

impl Background {
    /// Starts a thread that does `work` after each `pause`.
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
