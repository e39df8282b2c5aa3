//! The revocation feed: one listening connection, shared by all subscribers.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use supersession::store::{RevocationFeed, RevocationSender, SessionKey};
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::fault::Fault;
use crate::sql::heard;

/// The configuration of the listening connection, and its current subscribers.
pub(crate) struct Feed {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
    pub(crate) channel: String,
    /// Interval of the liveness checks, and the time limit for each check.
    pub(crate) check_interval: Duration,
    pub(crate) runtime: Handle,
    pub(crate) current: AsyncMutex<Option<Listening>>,
}

/// A listening connection. Dropping it closes the connection.
pub(crate) struct Listening {
    listeners: Arc<Listeners>,
    task: AbortHandle,
}

/// The subscribers, or `None` once the connection is lost.
struct Listeners(Mutex<Option<Vec<RevocationSender>>>);

impl Feed {
    /// Subscribes to all revocations from now on.
    pub(crate) async fn subscribe(&self) -> Result<RevocationFeed, Fault> {
        let mut current = self.current.lock().await;
        if let Some(revocations) = current.as_ref().and_then(Listening::subscribe) {
            return Ok(revocations);
        }
        let listening = self.listen().await?;
        let revocations = listening.subscribe().ok_or(Fault::TimedOut)?;
        *current = Some(listening);
        Ok(revocations)
    }

    /// Connects and returns once the server has confirmed the `LISTEN`.
    async fn listen(&self) -> Result<Listening, Fault> {
        let connecting = self.config.connect(self.tls.clone()).await;
        let (client, mut connection) = connecting.map_err(|error| match Fault::from(error) {
            Fault::Lost { source } | Fault::Driver { source } => Fault::Connect { source },
            refused => refused,
        })?;
        let listeners = Arc::new(Listeners(Mutex::new(Some(Vec::new()))));
        let (confirm, confirmed) = oneshot::channel();
        let listen = format!("LISTEN \"{}\"", self.channel);
        let (told, interval) = (Arc::clone(&listeners), self.check_interval);
        let task = self.runtime.spawn(async move {
            // Both futures must run concurrently: the client receives its answers through the
            // connection.
            let receiving = async {
                while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                    if let AsyncMessage::Notification(notice) = message {
                        told.tell(notice.payload());
                    }
                }
            };
            tokio::select! {
                () = receiving => {}
                () = stay(client, &listen, confirm, interval) => {}
            }
            told.lose();
        });
        let listening = Listening {
            listeners,
            task: task.abort_handle(),
        };
        confirmed.await.unwrap_or(Err(Fault::TimedOut))?;
        Ok(listening)
    }
}

/// Executes the `LISTEN`, then returns once the server no longer answers. Only a query detects a
/// peer that has disappeared without closing the connection.
async fn stay(
    client: Client,
    listen: &str,
    confirm: oneshot::Sender<Result<(), Fault>>,
    interval: Duration,
) {
    let answer = client.batch_execute(listen).await;
    let is_listening = answer.is_ok();
    let is_awaited = confirm.send(answer.map_err(Fault::from)).is_ok();
    if !is_listening || !is_awaited {
        return;
    }
    loop {
        sleep(interval).await;
        if !matches!(
            timeout(interval, client.batch_execute("")).await,
            Ok(Ok(()))
        ) {
            tracing::warn!("the connection that listens for ended sessions is lost");
            return;
        }
    }
}

impl Listening {
    fn subscribe(&self) -> Option<RevocationFeed> {
        let (sender, revocations) = RevocationFeed::channel();
        self.listeners.lock().as_mut()?.push(sender);
        Some(revocations)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
        self.listeners.lose();
    }
}

impl Listeners {
    fn tell(&self, payload: &str) {
        let Some(keys) = heard(payload) else {
            // Any database user can send notifications. An unreadable one may have been a
            // revocation, so the feed must not continue.
            tracing::warn!("a notice of ended sessions could not be read");
            self.restart();
            return;
        };
        if let Some(listeners) = self.lock().as_mut() {
            for key in keys {
                let told = |listener: &RevocationSender| listener.tell(SessionKey::clone(&key));
                listeners.retain(told);
            }
        }
    }

    /// Closes every feed, so that the subscribers learn of the gap. New subscriptions remain
    /// possible.
    fn restart(&self) {
        if let Some(listeners) = self.lock().as_mut() {
            listeners.clear();
        }
    }

    fn lose(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<RevocationSender>>> {
        // Each critical section is a single step, so a poisoned lock is usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
