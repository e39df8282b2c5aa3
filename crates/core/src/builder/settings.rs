//! The settings of [`SessionsBuilder`], with their defaults.

use std::net::IpAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use super::SessionsBuilder;
use crate::claims::{AnyClaim, Claim, ClaimValidator};
use crate::clock::Clock;
use crate::config::{Pages, PathTenants, RefreshInPlace, Strictness};
use crate::engine::RefreshRules;
use crate::entropy::Entropy;
use crate::error::SessionError;
use crate::hooks::Hooks;
use crate::http::{Reply, RequestView};
use crate::ids::AppId;
use crate::keys::SigningAlgorithm;
use crate::store::KeyKind;
use crate::transport::{AntiCsrf, CookiePrefix, SameSite, TokenTransferMethod, TransferPurpose};

impl SessionsBuilder {
    /// Sets the domain of this API as browsers see it, such as `https://api.example.com`. Required.
    #[doc(alias = "apiDomain")]
    pub fn api_domain(mut self, domain: impl Into<String>) -> Self {
        self.api_domain = Some(domain.into());
        self
    }

    /// Sets the domain of the website whose pages call this API, such as `https://example.com`.
    /// Required, unless [`Self::origin`] is set.
    #[doc(alias = "websiteDomain")]
    pub fn website_domain(mut self, domain: impl Into<String>) -> Self {
        self.website_domain = Some(domain.into());
        self
    }

    /// Sets a function that returns the website's domain for a request, for an API that serves
    /// several websites. Takes precedence over [`Self::website_domain`].
    pub fn origin<F>(mut self, origin: F) -> Self
    where
        F: Fn(&dyn RequestView) -> String + Send + Sync + 'static,
    {
        self.origin = Some(Arc::new(origin));
        self
    }

    /// Sets the base path of the built-in routes. Defaults to `/auth`, as in the browser SDKs.
    #[doc(alias = "apiBasePath")]
    pub fn api_base_path(mut self, path: impl Into<String>) -> Self {
        self.api_base_path = path.into();
        self
    }

    /// Sets the path prefix that a gateway in front of this server strips. Defaults to none.
    #[doc(alias = "apiGatewayPath")]
    pub fn api_gateway_path(mut self, path: impl Into<String>) -> Self {
        self.api_gateway_path = path.into();
        self
    }

    /// Sets the `Domain` of cookies, to share a session between subdomains. Defaults to none, which
    /// limits cookies to the API's host.
    #[doc(alias = "cookieDomain")]
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.cookie_domain = Some(domain.into());
        self
    }

    /// Sets the `Domain` that cookies had before [`Self::cookie_domain`] was changed. The empty
    /// string means that they were limited to the API's host. If a browser holds cookies of both
    /// domains, its next refresh clears the older ones. Defaults to none.
    #[doc(alias = "olderCookieDomain")]
    pub fn older_cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.older_cookie_domain = Some(domain.into());
        self
    }

    /// If set to `true`, cookies are `Secure`. Defaults to `true` if the API's domain uses `https`.
    #[doc(alias = "cookieSecure")]
    pub fn cookie_secure(mut self, secure: bool) -> Self {
        self.cookie_secure = Some(secure);
        self
    }

    /// Sets the `SameSite` attribute of cookies. Defaults to `Lax` if the API and the website share
    /// a site and a scheme, otherwise to `None`.
    #[doc(alias = "cookieSameSite")]
    pub fn cookie_same_site(mut self, same_site: SameSite) -> Self {
        self.cookie_same_site = Some(same_site);
        self
    }

    /// Sets the `Path` of the access token's cookie. Defaults to `/`.
    #[doc(alias = "accessTokenPath")]
    pub fn access_token_path(mut self, path: impl Into<String>) -> Self {
        self.access_token_path = path.into();
        self
    }

    /// Sets the `Path` that the access token's cookie had before [`Self::access_token_path`] was
    /// changed. If a browser holds cookies of both paths, the older one is cleared when the browser
    /// is asked to refresh. Without this setting, such a browser is asked to refresh again and
    /// again. Defaults to none.
    pub fn older_access_token_path(mut self, path: impl Into<String>) -> Self {
        self.older_access_token_path = Some(path.into());
        self
    }

    /// Sets the names of the two cookies. They must stay the same for a client. Defaults to
    /// `sAccessToken` and `sRefreshToken`.
    #[doc(alias = "getCookieNameForTokenType")]
    pub fn cookie_names(mut self, access: impl Into<String>, refresh: impl Into<String>) -> Self {
        self.cookie_names = (access.into(), refresh.into());
        self
    }

    /// Sets the prefix by which browsers guard the names of cookies, and the step of the changeover
    /// to it. Needs `Secure`. The browser SDKs are not affected, because scripts cannot see these
    /// cookies. Defaults to [`CookiePrefix::Off`].
    pub fn cookie_prefix(mut self, prefix: CookiePrefix) -> Self {
        self.cookie_prefix = prefix;
        self
    }

    /// If set, browsers keep separate cookies for each site that embeds this application in a frame
    /// (`Partitioned`, CHIPS). The application then works where third-party cookies are blocked.
    /// Needs `Secure`, and is useful with `SameSite=None` only. Existing sessions move to
    /// partitioned cookies at their next refresh. Defaults to `false`.
    pub fn cookie_partitioned(mut self, partitioned: bool) -> Self {
        self.cookie_partitioned = partitioned;
        self
    }

    /// Sets the names of the two response headers. The unmodified browser SDK supports only the
    /// defaults, `st-access-token` and `st-refresh-token`.
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

    /// Sets how requests prove that they come from the application's own pages. Defaults to
    /// [`AntiCsrf::ViaCustomHeader`] if cookies are `SameSite=None`, otherwise to no check.
    #[doc(alias = "antiCsrf")]
    pub fn anti_csrf(mut self, mode: AntiCsrf) -> Self {
        self.anti_csrf = Some(mode);
        self
    }

    /// If set, [`AntiCsrf::ViaOrigin`] also accepts requests from other hosts of the same site,
    /// which an attacker may control if users can have subdomains. Defaults to `false`.
    pub fn trust_same_site(mut self, trust: bool) -> Self {
        self.trusts_same_site = trust;
        self
    }

    /// Sets if guards and extractors refresh the session within the request, for pages without a
    /// script that would do it. Defaults to [`RefreshInPlace::Off`].
    ///
    /// If a request carries a refresh cookie, and an access token that is missing or expired, the
    /// handler runs with the refreshed session, and the new tokens ride on its response, whatever it
    /// is. A form that is posted after the access token has expired keeps its body and is processed
    /// once. Requests of one page that come together share one refresh. Routes without a guard or an
    /// extractor cost nothing.
    ///
    /// With [`RefreshInPlace::On`], a sign-in without `st-auth-mode`, such as a plain form, sets
    /// cookies. The anti-CSRF mode defaults to [`AntiCsrf::ViaOrigin`], and the
    /// modes that need a header are configuration errors, because a page cannot send one. Sessions
    /// in headers are not refreshed in place. Consider
    /// [`lost_response_window`](Self::lost_response_window) for navigations that are aborted.
    ///
    /// # Security
    /// The refresh token is sent with every request to this host, not to the refresh route alone.
    pub fn refresh_in_place(mut self, step: RefreshInPlace) -> Self {
        self.refresh_in_place = step;
        self
    }

    /// Sets a function that selects how the tokens of a request travel. Its second argument
    /// says what the tokens are needed for. Defaults to the method in the client's
    /// `st-auth-mode` at creation, and to either method afterwards.
    #[doc(alias = "getTokenTransferMethod")]
    pub fn token_transfer_method<F>(mut self, decide: F) -> Self
    where
        F: Fn(&dyn RequestView, TransferPurpose) -> TokenTransferMethod + Send + Sync + 'static,
    {
        self.transfer_method = Some(Arc::new(decide));
        self
    }

    /// If set, the access token is also sent in a header to clients whose session travels in
    /// cookies, for pages that need to read it. Defaults to `false`, so that scripts cannot read
    /// the token.
    #[doc(alias = "exposeAccessTokenToFrontendInCookieBasedAuth")]
    pub fn expose_access_token_to_frontend(mut self, expose: bool) -> Self {
        self.expose_access_token = expose;
        self
    }

    /// Sets the maximum length of an access token after a write without a request, such as
    /// [`Sessions::merge_into_access_token_payload`](crate::Sessions::merge_into_access_token_payload),
    /// in bytes: 1,000 to 8,000. Defaults to the capacity of a cookie, about 3,950. An application
    /// whose sessions all travel in headers can set 8,000. For a write within a request, the
    /// session's transport determines the limit.
    pub fn max_access_token_bytes(mut self, bytes: usize) -> Self {
        self.max_access_token_bytes = Some(bytes);
        self
    }

    /// Sets how strictly guards check for revocation, unless they override it
    /// ([`VerifyOptions::strictness`](crate::VerifyOptions::strictness)). Defaults to
    /// [`Strictness::Feed`] if the store has a revocation feed. Otherwise defaults to
    /// [`Strictness::TokenOnly`], as in the reference: access tokens stay valid until they expire.
    pub fn strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = Some(strictness);
        self
    }

    /// If set to `true`, guards ask the store at each request. Shorthand for [`Self::strictness`]
    /// with [`Strictness::Database`] or [`Strictness::TokenOnly`].
    #[doc(alias = "checkDatabase")]
    pub fn check_database(self, check: bool) -> Self {
        self.strictness(Strictness::of_check_database(check))
    }

    /// Sets the polling interval of [`Session::ended`](crate::Session::ended). Polling detects
    /// expiry, and revocation on another node if the store has no revocation feed. It costs one
    /// point read for each session that is waited for. Defaults to 5 seconds; a millisecond to a
    /// day.
    pub fn revocation_poll_interval(mut self, interval: Duration) -> Self {
        self.revocation_poll_interval = interval;
        self
    }

    /// Sets the status of the three answers that ask the client to refresh or to sign in. Defaults
    /// to 401, as in the browser SDKs.
    #[doc(alias = "sessionExpiredStatusCode")]
    pub fn session_expired_status(mut self, status: u16) -> Self {
        self.session_expired_status = status;
        self
    }

    /// Sets the status of the answer to a failed claim check. Defaults to 403, as in the browser
    /// SDKs.
    #[doc(alias = "invalidClaimStatusCode")]
    pub fn invalid_claim_status(mut self, status: u16) -> Self {
        self.invalid_claim_status = status;
        self
    }

    /// If set to `true`, access tokens are signed with rotating keys, and tokens of the static key
    /// are rejected. If `false`, they are signed with the static key, for verifiers that cannot
    /// follow a rotation. Defaults to `true`.
    #[doc(alias = "useDynamicAccessTokenSigningKey")]
    pub fn use_dynamic_access_token_signing_key(mut self, dynamic: bool) -> Self {
        self.key_kind = if dynamic {
            KeyKind::Dynamic
        } else {
            KeyKind::Static
        };
        self
    }

    /// Sets how long a rotating key is used. Defaults to 168 hours; one hour to 36,500 days.
    #[doc(alias = "access_token_dynamic_signing_key_update_interval")]
    pub fn signing_key_update_interval(mut self, interval: Duration) -> Self {
        self.of_core.push((
            "signing_key_update_interval",
            "access_token_dynamic_signing_key_update_interval",
        ));
        self.engine.signing_key_update_interval = interval;
        self
    }

    /// Sets the `iss` claim of tokens. Defaults to the API's domain and base path.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Sets the validity of access tokens. Defaults to 3,600 seconds; 1 second to 1,000 days.
    pub fn access_token_validity(mut self, validity: Duration) -> Self {
        self.of_core
            .push(("access_token_validity", "access_token_validity"));
        self.engine.access_token_validity = validity;
        self
    }

    /// Sets the maximum fraction by which the validity of an access token is randomly shortened, so
    /// that clients do not all refresh at the same time. Defaults to 0.05; 0 to 0.25.
    pub fn access_token_validity_jitter(mut self, fraction: f64) -> Self {
        self.of_core.push((
            "access_token_validity_jitter",
            "access_token_validity_jitter",
        ));
        self.engine.access_token_validity_jitter = fraction;
        self
    }

    /// Sets how long a session lives without a refresh. Defaults to 100 days. Must exceed the
    /// validity of access tokens, and is at most 36,500 days.
    pub fn refresh_token_validity(mut self, validity: Duration) -> Self {
        self.of_core
            .push(("refresh_token_validity", "refresh_token_validity"));
        self.engine.refresh_token_validity = validity;
        self
    }

    /// Rules for refresh tokens. Defaults to [`RefreshRules::Rotation`].
    ///
    /// [`RefreshRules::Legacy`] is for applications that share a database with a SuperTokens core
    /// whose SDKs apply LEGACY rules, and for clients that expect a new access token with the first
    /// response after a refresh. Each refresh then costs one more write, at that first request, and
    /// the grace period has no effect.
    ///
    /// All nodes should have the same rules: a session that is refreshed with the same token under
    /// both at once can be taken for stolen.
    pub fn refresh_rules(mut self, rules: RefreshRules) -> Self {
        self.of_core
            .push(("refresh_rules", "supertokens_max_cdi_version"));
        self.refresh_rules = rules;
        self
    }

    /// Sets the grace period for reusing a rotated refresh token. Within it, the token yields the
    /// same successor again, so that parallel tabs, retries and lost responses sign no user out.
    /// Defaults to 30 seconds; at most 300.
    pub fn refresh_token_rotation_grace_period(mut self, period: Duration) -> Self {
        self.of_core.push((
            "refresh_token_rotation_grace_period",
            "refresh_token_rotation_grace_period",
        ));
        self.engine.refresh_token_rotation_grace_period = period;
        self
    }

    /// Sets the time after a refresh in which a client that never received the response is given the
    /// same tokens again, beyond the grace period. A rotated refresh token is accepted in it as
    /// long as its successor was never exchanged; afterwards it is theft. Not set by default, which
    /// is SuperTokens' rule: a phone that comes out of a tunnel after the grace period is signed
    /// out. The access token's validity is a good choice. Has no effect under
    /// [`RefreshRules::Legacy`], which has such a rule of its own.
    ///
    /// # Security
    /// An old refresh token that leaks is good for the window, and theft is noticed later: when the
    /// thief or the user presents a token that is two rotations behind, or behind by one after the
    /// window.
    pub fn lost_response_window(mut self, window: Duration) -> Self {
        self.of_core
            .push(("lost_response_window", "refresh_token_lost_response_window"));
        self.engine.lost_response_window = Some(window);
        self
    }

    /// If set to `true`, reuse of a recent refresh token after its grace period is reported as
    /// theft, otherwise as `unauthorised`. Recent are the previous token and orphaned siblings of
    /// the current one. Reuse of any other token is always reported as theft. The session is
    /// revoked in all cases. Defaults to `true`.
    #[doc(alias = "recent_token_reuse_behaviour")]
    pub fn report_recent_token_reuse_as_theft(mut self, theft: bool) -> Self {
        self.of_core.push((
            "report_recent_token_reuse_as_theft",
            "recent_token_reuse_behaviour",
        ));
        self.engine.report_recent_token_reuse_as_theft = theft;
        self
    }

    /// Sets the maximum lifetime of a session, counted from its creation, regardless of refreshes.
    /// Defaults to none. A new value applies to existing sessions at their next refresh.
    pub fn absolute_session_lifetime(mut self, lifetime: Duration) -> Self {
        self.of_core.push(("absolute_session_lifetime", ""));
        self.engine.absolute_session_lifetime = Some(lifetime);
        self
    }

    /// Sets how often expired sessions and retired keys are deleted in the background. With `None`,
    /// the application calls
    /// [`Sessions::delete_expired_sessions`](crate::Sessions::delete_expired_sessions) itself.
    /// Defaults to every hour, with jitter.
    pub fn cleanup_interval(mut self, interval: Option<Duration>) -> Self {
        self.of_core.push(("cleanup_interval", ""));
        self.cleanup_interval = interval;
        self
    }

    /// Registers a claim. Its value is fetched and added to the payload of every new session.
    pub fn claim<C: Claim>(mut self, claim: C) -> Self {
        self.claims.push(AnyClaim::new(claim));
        self
    }

    /// Registers a validator that every guard runs, unless the guard overrides the list.
    #[doc(alias = "getGlobalClaimValidators")]
    pub fn global_validator(mut self, validator: impl Into<ClaimValidator>) -> Self {
        self.validators.push(validator.into());
        self
    }

    /// Sets the application's hooks.
    pub fn hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// Redirects browsers whose request is rejected to pages of the application, instead of JSON.
    ///
    /// * A navigation without a session is sent to the sign-in page, with 303 and `return_to` in the
    ///   query: the page itself, or for a form the page that contains it.
    ///   [`RequestSessions::return_to`](crate::RequestSessions::return_to) gives the checked target.
    /// * A navigation whose session fails a claim is sent to
    ///   [`failed_claims_at`](Pages::failed_claims_at).
    /// * A request of htmx gets `HX-Redirect`, with the status of the error.
    /// * All other requests, the built-in routes and the pages themselves get the default response.
    ///
    /// [`render_errors`](Self::render_errors) receives the redirect as the default response.
    pub fn pages(mut self, pages: Pages) -> Self {
        self.pages = Some(pages);
        self
    }

    /// Customizes error responses. The function receives the error and the default response, and
    /// returns the response to send. If the error requires it, the client's tokens are cleared
    /// regardless of the returned response.
    #[doc(alias = "errorHandlers")]
    pub fn render_errors<F>(mut self, render: F) -> Self
    where
        F: Fn(&SessionError, Reply) -> Reply + Send + Sync + 'static,
    {
        self.render = Some(Arc::new(render));
        self
    }

    /// Sets the tenants that are accepted as a segment before a built-in route, as in `POST
    /// {base}/acme/signout`. The segment has no effect. `public` is always accepted. Defaults to no
    /// others, so that a route of the application such as `POST {base}/admin/signout` is not
    /// treated as a sign-out. The browser SDKs put no tenant before these routes.
    pub fn path_tenants<I>(mut self, tenants: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.path_tenants = PathTenants::Listed(tenants.into_iter().map(Into::into).collect());
        self
    }

    /// Accepts every segment of letters, digits and hyphens before a built-in route as a tenant, as
    /// SuperTokens' backend SDKs do. A route of the application that ends like a built-in one, such
    /// as `POST {base}/admin/signout`, is then handled by this crate.
    pub fn any_path_tenant(mut self) -> Self {
        self.path_tenants = PathTenants::Any;
        self
    }

    /// Disables the built-in refresh route, for an application that mounts its own.
    pub fn without_refresh_route(mut self) -> Self {
        self.refresh_route = false;
        self
    }

    /// Disables the built-in sign-out route, for an application that mounts its own.
    pub fn without_signout_route(mut self) -> Self {
        self.signout_route = false;
        self
    }

    /// If set, the user agent, the address and the time of last use are stored for each session, in
    /// [`SessionInformation::device`](crate::SessionInformation::device). A session's use is noted
    /// at most every five minutes and written in batches in the background. Defaults to `false`,
    /// because addresses are personal data.
    pub fn track_devices(mut self, on: bool) -> Self {
        self.of_core.push(("track_devices", ""));
        self.track_devices = on;
        self
    }

    /// Sets a function that returns the client's address, for an application behind a proxy. Read
    /// the address from a header only if your proxy sets that header, because any client can send
    /// one. Defaults to [`RequestView::peer_ip`].
    pub fn client_ip<F>(mut self, client_ip: F) -> Self
    where
        F: Fn(&dyn RequestView) -> Option<IpAddr> + Send + Sync + 'static,
    {
        self.client_ip = Some(Arc::new(client_ip));
        self
    }

    /// Sets the maximum number of sessions per user, in all tenants. A further session revokes the
    /// oldest one. Defaults to no limit.
    pub fn max_sessions_per_user(mut self, most: NonZero<usize>) -> Self {
        self.max_sessions_per_user = Some(most);
        self
    }

    /// If set, the route `GET {base}/doctor` reports problems of the configuration and of the path
    /// that requests take; see [`doctor`](crate::doctor). For development only, because it answers
    /// any client. Defaults to `false`.
    pub fn doctor_route(mut self, on: bool) -> Self {
        self.doctor_route = on;
        self
    }

    /// Sets the app, if one database contains several. Defaults to `public`.
    pub fn app_id(mut self, app_id: AppId) -> Self {
        self.of_core.push(("app_id", ""));
        self.app_id = app_id;
        self
    }

    /// Sets the clock. Defaults to the system's clock. Tests inject one that they advance manually.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the source of randomness. Defaults to the system's generator. Tests inject a seeded
    /// one.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Sets the algorithm of new rotating keys. A change takes effect with the next key, so tokens
    /// of the current key stay valid. See [`SigningAlgorithm`] for a comparison. Defaults to RS256,
    /// the only algorithm that SuperTokens' own core can read in a shared database. The static key
    /// always uses RS256.
    pub fn access_token_signing_algorithm(mut self, algorithm: SigningAlgorithm) -> Self {
        self.of_core.push(("access_token_signing_algorithm", ""));
        self.engine.signing_algorithm = algorithm;
        self
    }

    /// Sets the size of the cache of verified access tokens, in bytes. A cached token costs a
    /// lookup instead of a signature verification. 0 disables the cache; at most 4 GiB. Defaults to
    /// 32 MiB, about 16,000 tokens. An entry is used only while the token and its key are valid,
    /// and is wiped when it leaves the cache. Revocation, anti-CSRF and claims are checked as
    /// without a cache.
    pub fn verified_token_cache(mut self, bytes: usize) -> Self {
        self.verified_token_cache = bytes;
        self
    }

    /// Number of threads that sign tokens, 1 to 1,024. Defaults to the number of processors.
    pub fn signing_threads(mut self, threads: usize) -> Self {
        self.of_core.push(("signing_threads", ""));
        self.signing_threads = threads;
        self
    }
}
