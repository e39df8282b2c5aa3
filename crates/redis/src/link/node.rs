//! One connection that all verbs share, and a new one when it is lost.
//!
//! The connection manager of the driver keeps a failure that is no I/O error, such as a refused
//! password, for ever, and lets callers wait through its pauses. Here whoever comes after a failure
//! tries again at once, one at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind};
use tokio::time::timeout;

use crate::fault::Fault;

/// How many commands may wait for room in the socket.
const BACKLOG: usize = 1_024;

pub(crate) struct Node {
    client: Client,
    connect_timeout: Duration,
    response_timeout: Duration,
    current: Mutex<Option<Shared>>,
    // Held while connecting; the outcome of the last failure, for those who waited for it.
    connecting: tokio::sync::Mutex<Option<Fault>>,
    failures: AtomicU64,
}

/// A connection, and whether it is known to be lost.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) connection: MultiplexedConnection,
    lost: Arc<AtomicBool>,
}

impl Node {
    /// Connects to nothing yet.
    pub(crate) fn new(
        client: Client,
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> Self {
        Self {
            client,
            connect_timeout,
            response_timeout,
            current: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(None),
            failures: AtomicU64::new(0),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The connection; a new one if there is none.
    pub(crate) async fn connection(&self) -> Result<Shared, Fault> {
        if let Some(link) = self.usable() {
            return Ok(link);
        }
        let failures = self.failures.load(Ordering::Acquire);
        let mut last_failure = self.connecting.lock().await;
        if let Some(link) = self.usable() {
            return Ok(link);
        }
        // Whoever waited for an attempt shares its outcome, or a queue of callers would fail one
        // timeout after the other.
        if self.failures.load(Ordering::Acquire) != failures
            && let Some(fault) = last_failure.clone()
        {
            return Err(fault);
        }
        match self.connect().await {
            Ok(link) => {
                *self.slot() = Some(link.clone());
                *last_failure = None;
                Ok(link)
            }
            Err(fault) => {
                *last_failure = Some(fault.clone());
                self.failures.fetch_add(1, Ordering::Release);
                Err(fault)
            }
        }
    }

    /// Lets nobody use this connection any more. Whoever waits for an answer on it may still get it.
    pub(crate) fn abandon(&self, link: &Shared) {
        link.lost.store(true, Ordering::Release);
    }

    async fn connect(&self) -> Result<Shared, Fault> {
        let lost = Arc::new(AtomicBool::new(false));
        let noticed = Arc::clone(&lost);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
            .set_pipeline_buffer_size(BACKLOG)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    noticed.store(true, Ordering::Release);
                }
                Ok::<_, std::convert::Infallible>(())
            });
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        // The driver's own timeout does not cover all of the greeting.
        let connection = timeout(self.connect_timeout, connecting)
            .await
            .map_err(|_| Fault::TimedOut)??;
        Ok(Shared { connection, lost })
    }

    fn usable(&self) -> Option<Shared> {
        let mut slot = self.slot();
        if slot
            .as_ref()
            .is_some_and(|link| link.lost.load(Ordering::Acquire))
        {
            *slot = None;
        }
        slot.clone()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Shared>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
