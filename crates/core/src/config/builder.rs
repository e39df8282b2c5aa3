//! Building `Sessions`: every setting with its default, and every problem at once, each with its
//! fix.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use super::{ClientIpFn, Config, OriginFn, RenderFn, TransferMethodFn};
use crate::claims::{AnyClaim, Claim, ClaimValidator};
use crate::clock::{Clock, SystemClock};
use crate::engine::{Engine, Lifetimes};
use crate::entropy::{Entropy, SystemEntropy};
use crate::error::{Fault, SessionError};
use crate::hooks::Hooks;
use crate::http::{Reply, RequestView};
use crate::ids::AppId;
use crate::keys::{KeyPolicy, KeyRing};
use crate::request::Strictness;
use crate::sessions::Sessions;
use crate::store::{Endings, KeyKind, Store};
use crate::telemetry;
use crate::transfer::{AntiCsrf, CookiePrefix, SameSite, TokenTransferMethod};
use crate::wire;
use crate::workers::Workers;

/// Builds [`Sessions`]. Only the API's and the website's domain must be set.
#[must_use = "a builder does nothing until `build` is called"]
pub struct SessionsBuilder {
    pub(super) store: Arc<dyn Store>,
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
    pub(super) cookie_names: (String, String),
    pub(super) cookie_prefix: CookiePrefix,
    pub(super) cookie_partitioned: bool,
    pub(super) header_names: (String, String),
    pub(super) anti_csrf: Option<AntiCsrf>,
    pub(super) transfer_method: Option<Arc<TransferMethodFn>>,
    pub(super) expose_access_token: bool,
    pub(super) strictness: Option<Strictness>,
    pub(super) ending_poll_interval: Duration,
    pub(super) session_expired_status: u16,
    pub(super) invalid_claim_status: u16,
    pub(super) key_kind: KeyKind,
    pub(super) key_update_interval: Duration,
    pub(super) issuer: Option<String>,
    pub(super) lifetimes: Lifetimes,
    pub(super) cleanup_interval: Option<Duration>,
    pub(super) claims: Vec<AnyClaim>,
    pub(super) validators: Vec<ClaimValidator>,
    pub(super) hooks: Hooks,
    pub(super) render: Option<Arc<RenderFn>>,
    pub(super) refresh_route: bool,
    pub(super) signout_route: bool,
    pub(super) doctor_route: bool,
    pub(super) track_devices: bool,
    pub(super) max_sessions_per_user: Option<NonZero<usize>>,
    pub(super) client_ip: Option<Arc<ClientIpFn>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) signing_threads: usize,
}

/// `Sessions` could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration has these problems; all of them are listed.
    Config(Vec<ConfigProblem>),
    /// The store or the keys are in trouble.
    Fault(Fault),
}

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigProblem {
    /// The setting: a method of [`SessionsBuilder`].
    pub setting: &'static str,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
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

/// What `build` puts together.
pub(crate) struct Built {
    pub(crate) config: Config,
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) cleanup_interval: Option<Duration>,
    pub(crate) endings: Option<Endings>,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const KEY_OVERLAP: Duration = MINUTE;

impl SessionsBuilder {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
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
            transfer_method: None,
            expose_access_token: false,
            strictness: None,
            ending_poll_interval: Duration::from_secs(5),
            session_expired_status: 401,
            invalid_claim_status: 403,
            key_kind: KeyKind::Dynamic,
            key_update_interval: 7 * DAY,
            issuer: None,
            lifetimes: Lifetimes {
                access_token_validity: HOUR,
                access_token_validity_jitter: 0.05,
                refresh_token_validity: 100 * DAY,
                rotation_grace_period: Duration::from_secs(30),
                absolute_session_lifetime: None,
                recent_reuse_is_theft: true,
            },
            cleanup_interval: Some(HOUR),
            claims: Vec::new(),
            validators: Vec::new(),
            hooks: Hooks::new(),
            render: None,
            refresh_route: true,
            signout_route: true,
            doctor_route: false,
            track_devices: false,
            max_sessions_per_user: None,
            client_ip: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            signing_threads: std::thread::available_parallelism().map_or(2, NonZero::get),
        }
    }

    /// Where this API is, as browsers see it, such as `https://api.example.com`. Required.
    #[doc(alias = "apiDomain")]
    pub fn api_domain(mut self, domain: impl Into<String>) -> Self {
        self.api_domain = Some(domain.into());
        self
    }

    /// Where the website is whose pages call this API, such as `https://example.com`. Required,
    /// unless [`Self::origin`] is set.
    #[doc(alias = "websiteDomain")]
    pub fn website_domain(mut self, domain: impl Into<String>) -> Self {
        self.website_domain = Some(domain.into());
        self
    }

    /// Where the website is, as a function of the request, for an API that serves several. Wins
    /// over [`Self::website_domain`].
    pub fn origin<F>(mut self, origin: F) -> Self
    where
        F: Fn(&dyn RequestView) -> String + Send + Sync + 'static,
    {
        self.origin = Some(Arc::new(origin));
        self
    }

    /// Where the built-in routes are. Defaults to `/auth`, as in the browser SDKs.
    #[doc(alias = "apiBasePath")]
    pub fn api_base_path(mut self, path: impl Into<String>) -> Self {
        self.api_base_path = path.into();
        self
    }

    /// The prefix that a gateway in front of this server strips from paths. Defaults to none.
    #[doc(alias = "apiGatewayPath")]
    pub fn api_gateway_path(mut self, path: impl Into<String>) -> Self {
        self.api_gateway_path = path.into();
        self
    }

    /// The `Domain` of cookies, to share a session between subdomains. Defaults to none: the API's
    /// host only.
    #[doc(alias = "cookieDomain")]
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.cookie_domain = Some(domain.into());
        self
    }

    /// The `Domain` that cookies had before [`Self::cookie_domain`] was changed; empty for "the
    /// API's host only". Browsers that hold both generations are then healed at their next refresh.
    /// Defaults to none.
    #[doc(alias = "olderCookieDomain")]
    pub fn older_cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.older_cookie_domain = Some(domain.into());
        self
    }

    /// Whether cookies are `Secure`. Defaults to whether the API's domain is `https`.
    #[doc(alias = "cookieSecure")]
    pub fn cookie_secure(mut self, secure: bool) -> Self {
        self.cookie_secure = Some(secure);
        self
    }

    /// The `SameSite` of cookies. Defaults to `Lax` where API and website share a site and a
    /// scheme, `None` elsewhere.
    #[doc(alias = "cookieSameSite")]
    pub fn cookie_same_site(mut self, same_site: SameSite) -> Self {
        self.cookie_same_site = Some(same_site);
        self
    }

    /// The `Path` of the access token's cookie. Defaults to `/`.
    #[doc(alias = "accessTokenPath")]
    pub fn access_token_path(mut self, path: impl Into<String>) -> Self {
        self.access_token_path = path.into();
        self
    }

    /// The names of the two cookies. Must stay the same for a client. Defaults to `sAccessToken`
    /// and `sRefreshToken`.
    #[doc(alias = "getCookieNameForTokenType")]
    pub fn cookie_names(mut self, access: impl Into<String>, refresh: impl Into<String>) -> Self {
        self.cookie_names = (access.into(), refresh.into());
        self
    }

    /// Whether the names of cookies get the prefix by which browsers guard them, and how far the
    /// changeover is. Needs `Secure`. The browser SDKs do not mind: scripts do not see these
    /// cookies. Defaults to [`CookiePrefix::Off`].
    pub fn cookie_prefix(mut self, prefix: CookiePrefix) -> Self {
        self.cookie_prefix = prefix;
        self
    }

    /// Whether browsers keep the cookies apart for each site that embeds this application in a
    /// frame (`Partitioned`, CHIPS), so that it works where third-party cookies are blocked. Needs
    /// `Secure`, and makes sense with `SameSite=None` only. Sessions from before are taken over at
    /// their next refresh. Defaults to false.
    pub fn cookie_partitioned(mut self, partitioned: bool) -> Self {
        self.cookie_partitioned = partitioned;
        self
    }

    /// The names of the two response headers. The stock browser SDK knows only the defaults,
    /// `st-access-token` and `st-refresh-token`.
    #[doc(alias = "getResponseHeaderNameForTokenType")]
    pub fn response_header_names(
        mut self,
        access: impl Into<String>,
        refresh: impl Into<String>,
    ) -> Self {
        self.header_names = (
            access.into().to_ascii_lowercase(),
            refresh.into().to_ascii_lowercase(),
        );
        self
    }

    /// How requests prove that they come from the application's own pages. Defaults to
    /// [`AntiCsrf::ViaCustomHeader`] where cookies are `SameSite=None`, and to no check elsewhere.
    #[doc(alias = "antiCsrf")]
    pub fn anti_csrf(mut self, mode: AntiCsrf) -> Self {
        self.anti_csrf = Some(mode);
        self
    }

    /// How tokens travel, as a function of the request; the second argument says whether a session
    /// is being created. Defaults to what the client asks for in `st-auth-mode` at creation, and to
    /// either way afterwards.
    #[doc(alias = "getTokenTransferMethod")]
    pub fn token_transfer_method<F>(mut self, decide: F) -> Self
    where
        F: Fn(&dyn RequestView, bool) -> TokenTransferMethod + Send + Sync + 'static,
    {
        self.transfer_method = Some(Arc::new(decide));
        self
    }

    /// Whether the access token is also sent in a header where cookies carry the session, for pages
    /// that need to read it. Defaults to false: scripts cannot read what they do not get.
    #[doc(alias = "exposeAccessTokenToFrontendInCookieBasedAuth")]
    pub fn expose_access_token_to_frontend(mut self, expose: bool) -> Self {
        self.expose_access_token = expose;
        self
    }

    /// How sure guards make that a session has not been revoked, unless they say otherwise
    /// ([`VerifyOptions::strictness`](crate::VerifyOptions::strictness)). Defaults to
    /// [`Strictness::Feed`] with a store that has a feed of endings, and to
    /// [`Strictness::TokenOnly`] elsewhere, as in the reference: access tokens stay good until they
    /// expire.
    pub fn strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = Some(strictness);
        self
    }

    /// Whether guards ask the store at each request: short for [`Self::strictness`] with
    /// [`Strictness::Database`], or with [`Strictness::TokenOnly`].
    #[doc(alias = "checkDatabase")]
    pub fn check_database(self, check: bool) -> Self {
        self.strictness(Strictness::of_check_database(check))
    }

    /// How soon [`Session::ended`](crate::Session::ended) notices what it is not told of: at most
    /// this long after a session expired, or was revoked on another node while the store has no
    /// feed of endings. One point read for each session that is waited for. Defaults to 5 seconds.
    pub fn ending_poll_interval(mut self, interval: Duration) -> Self {
        self.ending_poll_interval = interval;
        self
    }

    /// The status of the three answers that ask the client to refresh or to sign in. Defaults to
    /// 401, as in the browser SDKs.
    #[doc(alias = "sessionExpiredStatusCode")]
    pub fn session_expired_status(mut self, status: u16) -> Self {
        self.session_expired_status = status;
        self
    }

    /// The status of a claim that does not hold. Defaults to 403, as in the browser SDKs.
    #[doc(alias = "invalidClaimStatusCode")]
    pub fn invalid_claim_status(mut self, status: u16) -> Self {
        self.invalid_claim_status = status;
        self
    }

    /// Whether access tokens are signed with rotating keys, and only such are accepted. Defaults to
    /// true; false uses the static key, for verifiers that cannot follow a rotation.
    #[doc(alias = "useDynamicAccessTokenSigningKey")]
    pub fn use_dynamic_access_token_signing_key(mut self, dynamic: bool) -> Self {
        self.key_kind = if dynamic {
            KeyKind::Dynamic
        } else {
            KeyKind::Static
        };
        self
    }

    /// How long a rotating key is used. Defaults to 168 hours; at least one hour.
    #[doc(alias = "access_token_dynamic_signing_key_update_interval")]
    pub fn signing_key_update_interval(mut self, interval: Duration) -> Self {
        self.key_update_interval = interval;
        self
    }

    /// The `iss` of tokens. Defaults to the API's domain and base path.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// How long an access token is valid. Defaults to 3,600 seconds; 1 second to 1,000 days.
    pub fn access_token_validity(mut self, validity: Duration) -> Self {
        self.lifetimes.access_token_validity = validity;
        self
    }

    /// By which fraction an access token's validity is shortened at most, at random, so that
    /// clients do not all refresh at once. Defaults to 0.05; 0 to 0.25.
    pub fn access_token_validity_jitter(mut self, fraction: f64) -> Self {
        self.lifetimes.access_token_validity_jitter = fraction;
        self
    }

    /// How long a session lives without a refresh. Defaults to 100 days; must exceed the access
    /// token's validity.
    pub fn refresh_token_validity(mut self, validity: Duration) -> Self {
        self.lifetimes.refresh_token_validity = validity;
        self
    }

    /// How long after a refresh the exchanged token still leads to the same successor, so that
    /// parallel tabs, retries and lost responses log nobody out. Defaults to 30 seconds; at most
    /// 300.
    pub fn refresh_token_rotation_grace_period(mut self, period: Duration) -> Self {
        self.lifetimes.rotation_grace_period = period;
        self
    }

    /// Whether the reuse of a recently exchanged refresh token, after its grace period, is reported
    /// as theft or merely as `unauthorised`. The session ends either way. Defaults to theft.
    #[doc(alias = "recent_token_reuse_behaviour")]
    pub fn report_recent_token_reuse_as_theft(mut self, theft: bool) -> Self {
        self.lifetimes.recent_reuse_is_theft = theft;
        self
    }

    /// The end of every session counted from its creation, however often it is refreshed. Defaults
    /// to none. Sessions that are already there come under a new value at their next refresh.
    pub fn absolute_session_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetimes.absolute_session_lifetime = Some(lifetime);
        self
    }

    /// How often expired sessions and retired keys are deleted in the background; `None` leaves it
    /// to [`Sessions::delete_expired_sessions`]. Defaults to every hour, with jitter.
    pub fn cleanup_interval(mut self, interval: Option<Duration>) -> Self {
        self.cleanup_interval = interval;
        self
    }

    /// Registers a claim: it is fetched and put into the payload of every session that is created.
    pub fn claim<C: Claim>(mut self, claim: C) -> Self {
        self.claims.push(AnyClaim::new(claim));
        self
    }

    /// Registers a validator that every guard runs unless it overrides the list.
    #[doc(alias = "getGlobalClaimValidators")]
    pub fn global_validator(mut self, validator: impl Into<ClaimValidator>) -> Self {
        self.validators.push(validator.into());
        self
    }

    /// The application's hooks.
    pub fn hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// Lets the application answer errors otherwise: gets the error and the wire's own answer, and
    /// returns what is sent. Tokens are cleared, where the error demands it, whatever is returned.
    #[doc(alias = "errorHandlers")]
    pub fn render_errors<F>(mut self, render: F) -> Self
    where
        F: Fn(&SessionError, Reply) -> Reply + Send + Sync + 'static,
    {
        self.render = Some(Arc::new(render));
        self
    }

    /// Turns the built-in refresh route off, for an application that mounts its own.
    pub fn without_refresh_route(mut self) -> Self {
        self.refresh_route = false;
        self
    }

    /// Turns the built-in sign-out route off, for an application that mounts its own.
    pub fn without_signout_route(mut self) -> Self {
        self.signout_route = false;
        self
    }

    /// Whether it is noted where sessions are used: what the client calls itself, its address, and
    /// when it was seen last, at most every five minutes for each session, written in batches in the
    /// background. It stands in [`SessionInformation::device`](crate::SessionInformation::device).
    /// Defaults to false: addresses are personal data.
    pub fn track_devices(mut self, on: bool) -> Self {
        self.track_devices = on;
        self
    }

    /// The address of the client, as a function of the request, for an application behind a proxy.
    /// Take it from a header only if your proxy sets that header, because anybody can send one.
    /// Defaults to [`RequestView::peer_ip`].
    pub fn client_ip<F>(mut self, client_ip: F) -> Self
    where
        F: Fn(&dyn RequestView) -> Option<IpAddr> + Send + Sync + 'static,
    {
        self.client_ip = Some(Arc::new(client_ip));
        self
    }

    /// How many sessions a user may have, in all tenants; a further one ends the oldest. Defaults
    /// to any number.
    pub fn max_sessions_per_user(mut self, most: NonZero<usize>) -> Self {
        self.max_sessions_per_user = Some(most);
        self
    }

    /// Turns the route `GET {base}/doctor` on, which says what is wrong with the configuration and
    /// with the way that requests take; see [`doctor`](crate::doctor). For development only: it
    /// answers strangers. Defaults to false.
    pub fn doctor_route(mut self, on: bool) -> Self {
        self.doctor_route = on;
        self
    }

    /// The app, where one database holds several. Defaults to `public`.
    pub fn app_id(mut self, app_id: AppId) -> Self {
        self.app_id = app_id;
        self
    }

    /// Where the time comes from. Defaults to the system's clock; tests inject one that they move
    /// by hand.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where randomness comes from. Defaults to the system's generator; tests inject a seeded one.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// How many threads sign tokens. Defaults to the number of processors; at least one.
    pub fn signing_threads(mut self, threads: usize) -> Self {
        self.signing_threads = threads.max(1);
        self
    }

    /// Checks everything, loads the keys, or makes them, and starts.
    ///
    /// # Errors
    /// [`BuildError::Config`] with every problem of the configuration; [`BuildError::Fault`] when
    /// the store or the keys are in trouble.
    pub async fn build(self) -> Result<Sessions, BuildError> {
        let store = Arc::clone(&self.store);
        let (app_id, clock, entropy) = (
            self.app_id.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.entropy),
        );
        let (lifetimes, signing_threads) = (self.lifetimes, self.signing_threads);
        let (key_policy, cleanup_interval) = (self.key_policy(), self.cleanup_interval);
        let strictness = self.strictness;
        let mut config = self.check()?;

        let workers = Workers::start(signing_threads).map_err(|error| {
            Fault::internal("the signing threads cannot be started").with_source(error)
        })?;
        let now = clock.now();
        let keys = KeyRing::new(
            app_id.clone(),
            key_policy,
            Arc::clone(&store),
            Arc::clone(&entropy),
            workers.clone(),
        );
        keys.signer(config.key_kind, now).await?;
        let refresh_token_key =
            Engine::establish_refresh_token_key(&app_id, &*store, &*entropy, now).await?;
        let endings = store.endings().await?;
        if strictness.is_none() && endings.is_some() {
            config.strictness = Strictness::Feed;
        }
        let engine = Engine::new(
            app_id,
            store,
            keys,
            refresh_token_key,
            workers,
            Arc::clone(&clock),
            Arc::clone(&entropy),
            lifetimes,
        );
        for finding in config.findings() {
            telemetry::found(&finding);
        }
        Ok(Sessions::start(Built {
            config,
            engine,
            clock,
            entropy,
            cleanup_interval,
            endings,
        })?)
    }

    fn key_policy(&self) -> KeyPolicy {
        KeyPolicy {
            update_interval: self.key_update_interval,
            access_token_validity: self.lifetimes.access_token_validity,
            overlap: KEY_OVERLAP,
        }
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
