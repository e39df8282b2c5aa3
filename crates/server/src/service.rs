//! Processes a request in this order, on which SDKs rely: path, address, key, version, body,
//! handler.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as AtomicOrdering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use supersession::engine::{Engine, Engines};
use supersession::{AppId, Clock, Entropy, Fault, Store, TenantId};

use crate::answer::{Answer, Refusal, shown};
use crate::cdi::{CdiVersion, Unspoken};
use crate::core_config::{AppConfig, Limits, Values};
use crate::handlers;
use crate::input::Query;
use crate::metrics::Metrics;
use crate::path::{self, Endpoint, Target};
use crate::probes::{Probes, Readiness};
use crate::registry::{App, OpenError, Registry};
use crate::store::AnyStore;

/// Options of a [`Service`].
#[derive(Clone)]
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
            limits: Limits::Kept,
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
    max_body_bytes: usize,
    body_timeout: Duration,
    draining: AtomicBool,
}

/// One request after the common checks.
pub(crate) struct Call<'a> {
    pub(crate) service: &'a Service,
    pub(crate) target: &'a Target,
    pub(crate) cdi: CdiVersion,
    pub(crate) query: Query,
    pub(crate) body: Bytes,
}

const VERSION_HEADER: &str = "cdi-version";

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

    /// Answers a request from a client at this address.
    pub async fn answer<B>(&self, request: Request<B>, peer: IpAddr) -> Answer
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let started = Instant::now();
        let target = path::parse(&self.base_path, request.uri().path());
        let endpoint = target.as_ref().map(|target| target.endpoint);
        let scope = target
            .as_ref()
            .map(|target| (target.app.clone(), target.tenant.clone()));
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let answer = match target {
            Some(target) => self.answer_target(request, &target, peer).await,
            None => Err(not_found(&self.base_path, &path)),
        };
        let (answer, cause) = match answer {
            Ok(answer) => (answer, None),
            Err(mut refusal) => {
                let cause = refusal.cause.take();
                (Answer::from(refusal), cause)
            }
        };
        let (status, took) = (answer.status(), started.elapsed());
        self.metrics.answered(endpoint, status, took);
        if let Some((app, _)) = &scope
            && let Some(app) = self.registry.all().get(app)
        {
            app.requests.count(self.clock.now());
        }
        if status.is_client_error() || status.is_server_error() {
            failed(&method, &path, scope.as_ref(), status, cause.as_ref());
        }
        tracing::debug!(
            %method, endpoint = endpoint.map_or("unknown", Endpoint::name), status = status.as_u16(),
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "answered"
        );
        answer
    }

    async fn answer_target<B>(
        &self,
        request: Request<B>,
        target: &Target,
        peer: IpAddr,
    ) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let endpoint = target.endpoint;
        // A liveness check must not depend on the store.
        if matches!(endpoint, Endpoint::Live) {
            return handlers::health::live(&head.method);
        }
        // An unknown app has no rules and no keys. Its handler reports that the app does not exist.
        let app = self.registry.app(&target.app).await?;
        let mut cdi = CdiVersion::NEWEST;
        if let Some(app) = &app {
            if !app.ip_rules(&target.tenant).admit(peer) {
                return Err(Refusal::forbidden("Forbidden"));
            }
            if endpoint.needs_api_key() && !app.config.api_keys.admit(&head.headers) {
                return Err(Refusal::new(StatusCode::UNAUTHORIZED, "Invalid API key"));
            }
            cdi = app.config.max_cdi;
        }
        if !endpoint.is_operational() {
            let sent = head.headers.get(VERSION_HEADER);
            let sent = sent.map(|value| value.to_str().unwrap_or_default());
            cdi = version(sent, app.as_deref(), cdi, endpoint)?;
            if endpoint.needs_version()
                && !cdi.knows_tenants()
                && target.tenant != TenantId::default()
            {
                return Err(Refusal::not_found());
            }
        }
        let body = if matches!(head.method, Method::GET | Method::HEAD) {
            Bytes::new()
        } else {
            self.read(body).await?
        };
        let call = Call {
            service: self,
            target,
            cdi,
            query: Query::parse(head.uri.query()),
            body,
        };
        handlers::dispatch(&call, &head.method).await
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let whole = Limited::new(body, self.max_body_bytes).collect();
        match tokio::time::timeout(self.body_timeout, whole).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "The body is longer than {} bytes, which is the limit of this server",
                    self.max_body_bytes
                ),
            )),
            Ok(Err(_)) => Err(Refusal::bad_request("The body cannot be read")),
            Err(_) => Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "The body did not come in time",
            )),
        }
    }

    /// Reports the process as not ready from now on, so that load balancers stop sending requests.
    pub fn drain(&self) {
        self.draining.store(true, AtomicOrdering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(AtomicOrdering::Relaxed)
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

/// Builds the error for an unknown path. The message says if the path is out of scope.
fn not_found(base_path: &str, path: &str) -> Refusal {
    if path::is_out_of_scope(base_path, path) {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "Not found: this server keeps sessions, JWTs and user metadata only; users, login methods, roles and dashboards are out of its scope and need SuperTokens' core",
        )
    } else {
        Refusal::not_found()
    }
}

/// Logs a failed request, without its query, its headers and its body.
fn failed(
    method: &Method,
    path: &str,
    scope: Option<&(AppId, TenantId)>,
    status: StatusCode,
    cause: Option<&Fault>,
) {
    let path = path::shown(path);
    let (app, tenant) = scope.map_or(("", ""), |(app, tenant)| (app, tenant));
    let status = status.as_u16();
    if let Some(fault) = cause {
        let (kind, error) = (fault.kind(), fault.report());
        tracing::error!(%method, path, app, tenant, status, ?kind, error, "a request failed");
    } else if status >= 500 {
        tracing::error!(%method, path, app, tenant, status, "a request failed");
    } else {
        tracing::warn!(%method, path, app, tenant, status, "a request failed");
    }
}

/// Returns the CDI version of the request, if this server and this app support it.
fn version(
    sent: Option<&str>,
    app: Option<&App>,
    max: CdiVersion,
    endpoint: Endpoint,
) -> Result<CdiVersion, Refusal> {
    let Some(sent) = sent else {
        return Ok(max);
    };
    let shown: String = sent.chars().take(32).collect();
    let unsupported = || Refusal::bad_request(format!("cdi-version {shown} not supported"));
    let too_low = |min: CdiVersion| {
        Refusal::bad_request(format!(
            "cdi-version {shown} is lower than the minimum allowed version {min}"
        ))
    };
    let min = app.and_then(|app| app.config.min_cdi);
    match CdiVersion::parse(sent) {
        Err(Unspoken::Malformed) => Err(Refusal::bad_request("cdi-version header is invalid")),
        Err(Unspoken::Unsupported(Ordering::Greater)) => Err(unsupported()),
        Err(Unspoken::Unsupported(_)) if endpoint.needs_version() => Err(unsupported()),
        Err(Unspoken::Unsupported(_)) => Ok(max),
        Ok(version) if version > max => Err(unsupported()),
        Ok(version) => match min {
            Some(min) if version < min => Err(too_low(min)),
            _ => Ok(version),
        },
    }
}

impl<'a> Call<'a> {
    /// Returns the app of the path, if the tenant of the path exists too.
    pub(crate) async fn app(&self) -> Result<Arc<App>, Refusal> {
        self.app_of(&self.target.tenant).await
    }

    /// Returns the app of the path, if it has this tenant.
    pub(crate) async fn app_of(&self, tenant: &TenantId) -> Result<Arc<App>, Refusal> {
        let app = &self.target.app;
        let found = self.service.registry.app_with_tenant(app, tenant).await?;
        found.ok_or_else(|| {
            let tenant = shown(tenant);
            Refusal::bad_request(format!(
                "AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId combination not found: (, {app}, {tenant})"
            ))
        })
    }

    /// Returns the app. Rejects other tenants than the public one, because the request concerns the
    /// whole app.
    pub(crate) async fn app_on_public_tenant(&self) -> Result<Arc<App>, Refusal> {
        let app = self.app().await?;
        if self.target.tenant == TenantId::default() {
            Ok(app)
        } else {
            Err(Refusal::forbidden(
                "Only public tenantId can call this app specific API",
            ))
        }
    }

    /// Returns the app. Rejects other tenants than the public one if the CDI version does.
    pub(crate) async fn app_from_5_0_on_public_tenant(&self) -> Result<Arc<App>, Refusal> {
        if self.cdi.separates_apps_from_tenants() {
            self.app_on_public_tenant().await
        } else {
            self.app().await
        }
    }

    pub(crate) async fn engine<'b>(&self, app: &'b App) -> Result<&'b Engine, Refusal> {
        Ok(self.service.registry.engine(app).await?)
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("base_path", &self.base_path)
            .finish_non_exhaustive()
    }
}
