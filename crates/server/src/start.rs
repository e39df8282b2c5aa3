//! Opens a service over a store that may not be reachable yet.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use supersession::store::StoreErrorKind;
use supersession::{Clock, Entropy, SystemClock, SystemEntropy};
use tokio::time::Instant;

use crate::registry::OpenError;
use crate::service::{Service, ServiceOptions};
use crate::store::{StoreFailure, StoreOptions, StoreUrl};

/// Pauses between attempts. Each pause is twice as long as the previous one, up to two seconds.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_max_delay(Duration::from_secs(2))
    .without_max_times();

/// The settings with which a service is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct Start {
    /// The store.
    pub url: StoreUrl,
    /// Options of the store.
    pub store: StoreOptions,
    /// Options of the service.
    pub service: ServiceOptions,
    /// Maximum time to wait for an unreachable store.
    pub wait: Duration,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Why a service could not be opened.
#[derive(Debug)]
pub struct StartError {
    source: Box<dyn Error + Send + Sync>,
    is_transient: bool,
    waited: Option<Duration>,
}

impl Start {
    /// Sets the store and the service. The store has default options and is not waited for.
    #[must_use]
    pub fn new(url: StoreUrl, service: ServiceOptions) -> Self {
        Self {
            url,
            store: StoreOptions::default(),
            service,
            wait: Duration::ZERO,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// Opens the store and the service. An unreachable store is retried until the wait time has
    /// elapsed. The wait is logged once.
    ///
    /// # Errors
    /// If the store cannot be used, or is still unreachable after the wait time.
    pub async fn open(&self) -> Result<Service, StartError> {
        let began = Instant::now();
        let left = || self.wait.saturating_sub(began.elapsed());
        let mut waited = None;
        let opened = (|| self.open_once())
            .retry(PAUSES)
            .when(|error: &StartError| error.is_transient && !left().is_zero())
            // The last attempt is at the end of the wait time.
            .adjust(|_, pause| pause.map(|pause| pause.min(left())))
            .notify(|error, _| {
                if waited.replace(self.wait).is_none() {
                    tracing::warn!(
                        error = report(&*error.source),
                        wait_seconds = self.wait.as_secs(),
                        "the store cannot be reached; trying again"
                    );
                }
            })
            .await;
        match opened {
            Ok(service) => {
                if waited.is_some() {
                    tracing::info!("the store is reachable");
                }
                Ok(service)
            }
            Err(error) => Err(StartError { waited, ..error }),
        }
    }

    async fn open_once(&self) -> Result<Service, StartError> {
        let store = self.url.open(&self.store).await?;
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        let service = Service::open(store, self.service.clone(), clock, entropy);
        Ok(service.await?)
    }
}

impl From<StoreFailure> for StartError {
    fn from(failure: StoreFailure) -> Self {
        Self {
            source: failure.error,
            is_transient: failure.is_transient,
            waited: None,
        }
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        let is_transient = matches!(&error,
            OpenError::Store(error) if error.kind() == StoreErrorKind::Unavailable);
        Self {
            source: error.into(),
            is_transient,
            waited: None,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(waited) = self.waited {
            let seconds = waited.as_secs();
            write!(
                f,
                "the store could not be reached within {seconds} seconds (--store-wait-seconds): "
            )?;
        }
        self.source.fmt(f)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

/// Formats an error and its causes.
#[must_use]
pub fn report(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("url", &self.url)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
