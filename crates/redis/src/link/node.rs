//! One connection that all operations share, and that is replaced when it is lost.
//!
//! The driver's connection manager permanently caches a failure that is not an I/O error, for
//! example a rejected password, and makes callers wait during its backoff. Here, the first call
//! after a failure tries to connect again immediately, and only one caller connects at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind};
use tokio::time::timeout;

use crate::fault::Fault;

/// Maximum number of commands that wait for the socket.
const BACKLOG: usize = 1_024;

pub(crate) struct Node {
    client: Client,
    connect_timeout: Duration,
    response_timeout: Duration,
    current: Mutex<Option<Shared>>,
    // Held while connecting. Contains the last failure, for the callers that waited for that
    // attempt.
    connecting: tokio::sync::Mutex<Option<Fault>>,
    failures: AtomicU64,
}

/// A connection, and a flag that is set once it is known to be lost.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) connection: MultiplexedConnection,
    lost: Arc<AtomicBool>,
}

impl Node {
    /// Creates a node without connecting.
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

    /// Returns the current connection, or connects if there is none.
    pub(crate) async fn connection(&self) -> Result<Shared, Fault> {
        if let Some(link) = self.usable() {
            return Ok(link);
        }
        let failures = self.failures.load(Ordering::Acquire);
        let mut last_failure = self.connecting.lock().await;
        if let Some(link) = self.usable() {
            return Ok(link);
        }
        // Callers that waited for an attempt share its failure. Otherwise a queue of callers would
        // fail one connect timeout after the other.
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

    /// Excludes the connection from further use. Pending calls on it may still receive their
    /// answers.
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
        // The driver's own timeout does not cover the whole handshake.
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
