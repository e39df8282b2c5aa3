//! Builds [`Sessions`] from settings with defaults. Reports all configuration problems together,
//! each with its fix.

mod check;
pub(crate) mod limits;
mod settings;
mod unusable;

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use crate::authority::{Authority, Local};
use crate::claims::{AnyClaim, ClaimValidator};
use crate::clock::{Clock, SystemClock};
use crate::config::{
    ClientIpFn, OriginFn, Pages, PathTenants, RefreshInPlace, RenderFn, Strictness,
    TransferMethodFn,
};
use crate::engine::{EngineSettings, Engines, RefreshRules};
use crate::entropy::{Entropy, SystemEntropy};
use crate::error::Fault;
use crate::hooks::Hooks;
use crate::ids::AppId;
use crate::sessions::{Parts, Sessions};
use crate::store::{KeyKind, Store};
use crate::telemetry;
use crate::transport::{AntiCsrf, CookiePrefix, SameSite};
use crate::wire;

/// Builds [`Sessions`]. Only the domains of the API and the website are required.
#[must_use = "a builder does nothing until `build` is called"]
pub struct SessionsBuilder {
    pub(super) source: Source,
    /// Settings that were made but belong to a core, each with the core's name for it.
    pub(super) of_core: Vec<(&'static str, &'static str)>,
    pub(super) app_id: AppId,
    pub(super) api_domain: Option<String>,
    pub(super) website_domain: Option<String>,
    pub(super) origin: Option<Arc<OriginFn>>,
    pub(super) api_base_path: String,
    pub(super) api_gateway_path: String,
    pub(super) cookie_domain: Option<String>,
    pub(super) older_cookie_domain: Option<String>,
    pub(super) cookie_secure: Option<bool>,
    pub(super) cookie_same_site: Option<SameSite>,
    pub(super) access_token_path: String,
    pub(super) older_access_token_path: Option<String>,
    pub(super) cookie_names: (String, String),
    pub(super) cookie_prefix: CookiePrefix,
    pub(super) cookie_partitioned: bool,
    pub(super) header_names: (String, String),
    pub(super) anti_csrf: Option<AntiCsrf>,
    pub(super) trusts_same_site: bool,
    pub(super) refresh_in_place: RefreshInPlace,
    pub(super) pages: Option<Pages>,
    pub(super) transfer_method: Option<Arc<TransferMethodFn>>,
    pub(super) expose_access_token: bool,
    pub(super) max_access_token_bytes: Option<usize>,
    pub(super) strictness: Option<Strictness>,
    pub(super) revocation_poll_interval: Duration,
    pub(super) session_expired_status: u16,
    pub(super) invalid_claim_status: u16,
    pub(super) key_kind: KeyKind,
    pub(super) issuer: Option<String>,
    pub(super) engine: EngineSettings,
    pub(super) refresh_rules: RefreshRules,
    pub(super) cleanup_interval: Option<Duration>,
    pub(super) claims: Vec<AnyClaim>,
    pub(super) validators: Vec<ClaimValidator>,
    pub(super) hooks: Hooks,
    pub(super) render: Option<Arc<RenderFn>>,
    pub(super) path_tenants: PathTenants,
    pub(super) refresh_route: bool,
    pub(super) signout_route: bool,
    pub(super) doctor_route: bool,
    pub(super) track_devices: bool,
    pub(super) max_sessions_per_user: Option<NonZero<usize>>,
    pub(super) client_ip: Option<Arc<ClientIpFn>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) signing_threads: usize,
    pub(super) verified_token_cache: usize,
}

/// The owner of the sessions.
#[derive(Clone)]
pub(super) enum Source {
    /// An engine in this process, over a store.
    Store(Arc<dyn Store>),
    /// Another owner, such as a remote core.
    Authority(Arc<dyn Authority>),
}

/// `Sessions` could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration has these problems. The list is complete.
    Config(Vec<ConfigProblem>),
    /// The store failed, or the keys are unavailable.
    Fault(Fault),
}

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigProblem {
    /// The setting: a method of [`SessionsBuilder`].
    pub setting: &'static str,
    /// The problem.
    pub problem: String,
    /// The fix.
    pub fix: String,
}

impl ConfigProblem {
    /// Creates a problem of this setting with its fix.
    #[must_use]
    pub fn new(setting: &'static str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            setting,
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => {
                write!(
                    f,
                    "the session configuration has {} problem(s)",
                    problems.len()
                )?;
                for ConfigProblem {
                    setting,
                    problem,
                    fix,
                } in problems
                {
                    write!(f, "\n  {setting}: {problem}. Fix: {fix}")?;
                }
                Ok(())
            }
            Self::Fault(fault) => fmt::Display::fmt(fault, f),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(_) => None,
            Self::Fault(fault) => fault.source(),
        }
    }
}

impl<F: Into<Fault>> From<F> for BuildError {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
/// Enough for about 16,000 tokens of common length.
const DEFAULT_CACHED_TOKEN_BYTES: usize = 32 * 1024 * 1024;

impl Sessions {
    /// Creates a builder over a store.
    pub fn builder(store: impl Store) -> SessionsBuilder {
        SessionsBuilder::over_store(Arc::new(store))
    }

    /// Creates a builder over another owner of sessions, such as a core across the network
    /// (`RemoteCore` of `supersession-remote`). The lifetimes of sessions and keys, and the signing
    /// keys, are configured there. Setting them here too is a configuration error.
    pub fn over(authority: impl Authority) -> SessionsBuilder {
        SessionsBuilder::over_authority(Arc::new(authority))
    }
}

impl SessionsBuilder {
    pub(crate) fn over_store(store: Arc<dyn Store>) -> Self {
        Self::new(Source::Store(store))
    }

    pub(crate) fn over_authority(authority: Arc<dyn Authority>) -> Self {
        Self::new(Source::Authority(authority))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            of_core: Vec::new(),
            app_id: AppId::default(),
            api_domain: None,
            website_domain: None,
            origin: None,
            api_base_path: wire::DEFAULT_API_BASE_PATH.to_owned(),
            api_gateway_path: String::new(),
            cookie_domain: None,
            older_cookie_domain: None,
            cookie_secure: None,
            cookie_same_site: None,
            access_token_path: "/".to_owned(),
            older_access_token_path: None,
            cookie_names: (
                wire::ACCESS_COOKIE.to_owned(),
                wire::REFRESH_COOKIE.to_owned(),
            ),
            cookie_prefix: CookiePrefix::Off,
            cookie_partitioned: false,
            header_names: (
                wire::ACCESS_TOKEN_HEADER.to_owned(),
                wire::REFRESH_TOKEN_HEADER.to_owned(),
            ),
            anti_csrf: None,
            trusts_same_site: false,
            refresh_in_place: RefreshInPlace::Off,
            pages: None,
            transfer_method: None,
            expose_access_token: false,
            max_access_token_bytes: None,
            strictness: None,
            revocation_poll_interval: Duration::from_secs(5),
            session_expired_status: 401,
            invalid_claim_status: 403,
            key_kind: KeyKind::Dynamic,
            issuer: None,
            engine: EngineSettings::default(),
            refresh_rules: RefreshRules::default(),
            cleanup_interval: Some(HOUR),
            claims: Vec::new(),
            validators: Vec::new(),
            hooks: Hooks::new(),
            render: None,
            path_tenants: PathTenants::Listed(Vec::new()),
            refresh_route: true,
            signout_route: true,
            doctor_route: false,
            track_devices: false,
            max_sessions_per_user: None,
            client_ip: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            signing_threads: std::thread::available_parallelism().map_or(2, NonZero::get),
            verified_token_cache: DEFAULT_CACHED_TOKEN_BYTES,
        }
    }

    /// Checks the configuration, loads or creates the keys, and starts the background threads. An
    /// authority is not contacted yet.
    ///
    /// # Errors
    /// [`BuildError::Config`] with every problem of the configuration. [`BuildError::Fault`] if the
    /// store fails or the keys are unavailable.
    pub async fn build(self) -> Result<Sessions, BuildError> {
        let source = self.source.clone();
        let (app, clock, entropy) = (
            self.app_id.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.entropy),
        );
        let (engine, rules) = (self.engine, self.refresh_rules);
        let signing_threads = self.signing_threads;
        let cached_token_bytes = self.verified_token_cache;
        let mut cleanup_interval = self.cleanup_interval;
        let strictness = self.strictness;
        let mut config = self.check()?;
        let authority: Arc<dyn Authority> = match source {
            Source::Store(store) => {
                let (clock, entropy) = (Arc::clone(&clock), Arc::clone(&entropy));
                let engines = Engines::start(store, clock, entropy, signing_threads)?;
                let engine = engines.open(app.clone(), &engine).await?;
                engine.prepare_keys(config.key_kind).await?;
                Arc::new(Local::new(engine, rules))
            }
            Source::Authority(authority) => {
                // A core performs its own clean-up.
                cleanup_interval = None;
                authority
            }
        };
        let revocations = authority.revocation_feed().await?;
        if strictness.is_none() && revocations.is_some() {
            config.strictness = Strictness::Feed;
        }
        for finding in config.findings() {
            telemetry::found(&finding);
        }
        Ok(Sessions::start(Parts {
            config,
            app,
            authority,
            clock,
            entropy,
            cleanup_interval,
            cached_token_bytes,
            revocations,
        })?)
    }
}

impl fmt::Debug for SessionsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionsBuilder")
            .field("api_domain", &self.api_domain)
            .field("website_domain", &self.website_domain)
            .finish_non_exhaustive()
    }
}
