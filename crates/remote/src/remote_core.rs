//! A core over the network, as one value.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use supersession::{Fault, FaultKind};
use tokio::runtime::Handle;

use crate::client::Client;
use crate::documents::Documents;
use crate::keys::KeyCache;

/// A core that is called over the network. Pass it to
/// [`Sessions::over`](supersession::Sessions::over); see the [crate's documentation](crate). Cheap
/// to clone.
#[derive(Clone)]
pub struct RemoteCore {
    pub(crate) client: Arc<Client>,
    pub(crate) keys: Arc<KeyCache>,
    pub(crate) documents: Arc<Documents>,
    runtime: Handle,
}

impl RemoteCore {
    pub(crate) fn new(client: Client, require_atomic_writes: bool, runtime: Handle) -> Self {
        let client = Arc::new(client);
        Self {
            keys: Arc::new(KeyCache::new(Arc::clone(&client), runtime.clone())),
            documents: Arc::new(Documents::new(Arc::clone(&client), require_atomic_writes)),
            client,
            runtime,
        }
    }

    /// Calls every host with the API key and negotiates the version. An application can call this
    /// function at startup to detect a wrong address, key or version before the first request.
    ///
    /// # Errors
    /// The problem of the first host that has one, with its fix.
    pub async fn check(&self) -> Result<(), Fault> {
        self.run(|core| async move { core.client.check_hosts().await })
            .await
    }

    /// Runs a future on the runtime in which the core was built, because callers may be outside of
    /// any runtime.
    ///
    /// # Cancellation
    /// The future runs to completion even if the caller is dropped.
    pub(crate) async fn run<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let task = self.runtime.spawn(work(self.clone()));
        task.await.unwrap_or_else(|error| {
            let message = if error.is_panic() {
                "a call to the core panicked"
            } else {
                "the runtime in which the remote core was built has stopped"
            };
            Err(Fault::new(FaultKind::Internal, message))
        })
    }
}

impl fmt::Debug for RemoteCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCore")
            .field("hosts", &self.client.hosts)
            .finish_non_exhaustive()
    }
}
