//! The service: its options, its state and its start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use supersession::engine::Engines;
use supersession::{AppId, Clock, Entropy, Fault, Store};

use crate::core_config::{AppConfig, Limits, Values};
use crate::metrics::Metrics;
use crate::probes::{Probes, Readiness};
use crate::registry::{OpenError, Registry};
use crate::store::AnyStore;

/// Options of a [`Service`].
#[derive(Clone)]
#[non_exhaustive]
pub struct ServiceOptions {
    /// Default configuration of apps.
    pub core_config: Values,
    /// Limits of the configuration.
    pub limits: Limits,
    /// Prefix of all paths: empty, or a path without a trailing slash.
    pub base_path: String,
    /// Maximum size of a request body.
    pub max_body_bytes: usize,
    /// Maximum time to receive a request body.
    pub body_timeout: Duration,
    /// Number of signing threads.
    pub signing_threads: usize,
    /// If set, the JWT recipe refuses payloads with the members of a session token, and such JWTs
    /// are not verified as sessions.
    pub refuse_session_jwts: bool,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            core_config: Values::new(),
            limits: Limits::Enforced,
            base_path: String::new(),
            max_body_bytes: 1 << 20,
            body_timeout: Duration::from_secs(30),
            signing_threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            refuse_session_jwts: false,
        }
    }
}

impl ServiceOptions {
    /// Returns `true` if requests for the default app need an API key.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        AppConfig::read(&self.core_config, self.limits)
            .is_ok_and(|config| config.api_keys.are_needed())
    }
}

/// Omits the configuration values, which include API keys.
impl std::fmt::Debug for ServiceOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceOptions")
            .field("base_path", &self.base_path)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Answers requests.
pub struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) probes: Probes,
    pub(crate) readiness: Readiness,
    pub(crate) base_path: String,
    pub(crate) max_body_bytes: usize,
    pub(crate) body_timeout: Duration,
    draining: AtomicBool,
}

impl Service {
    /// Opens a service over a store.
    ///
    /// # Errors
    /// If a configuration value is invalid, or the store fails.
    pub async fn open(
        store: AnyStore,
        options: ServiceOptions,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let engines = Engines::start(
            Arc::clone(&store.sessions),
            Arc::clone(&clock),
            entropy,
            options.signing_threads,
        )
        .map_err(OpenError::Threads)?;
        let registry = Registry::open(
            store.tenants,
            engines,
            Arc::clone(&clock),
            options.core_config,
            options.limits,
            !options.refuse_session_jwts,
        )
        .await?;
        Ok(Self {
            store: store.sessions,
            registry,
            clock,
            metrics: Metrics::new(),
            probes: Probes::default(),
            readiness: Readiness::default(),
            base_path: options.base_path,
            max_body_bytes: options.max_body_bytes,
            body_timeout: options.body_timeout,
            draining: AtomicBool::new(false),
        })
    }

    /// Reports the process as not ready from now on, so that load balancers stop sending requests.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Creates the signing keys of the default app if there are none, so that the first session
    /// does not wait for them.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn warm_up(&self) -> Result<(), Fault> {
        if let Some(app) = self.registry.app(&AppId::default()).await? {
            self.registry.engine(&app).await?.jwks().await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("base_path", &self.base_path)
            .finish_non_exhaustive()
    }
}
