//! Checks a configuration and reports all problems together, each with its fix.

use super::{BuildError, ConfigProblem, SessionsBuilder, Source};
use crate::config::domain::{self, Domain};
use crate::config::{Api, Config, Pages, PathTenants, RefreshInPlace, Strictness, Website};
use crate::cookies::{CookieNames, CookieSettings, First};
use crate::keys::SigningAlgorithm;
use crate::store::KeyKind;
use crate::transport::{AntiCsrf, CookiePrefix};
use crate::wire;
use std::sync::Arc;

impl SessionsBuilder {
    /// Returns the configuration, if it has no problems.
    pub(super) fn check(self) -> Result<Config, BuildError> {
        let mut problems = Problems::default();
        self.check_lifetimes(&mut problems);
        self.check_sizes(&mut problems);
        self.check_ownership(&mut problems);
        self.check_names(&mut problems);
        self.check_taken_names(&mut problems);
        self.check_path_tenants(&mut problems);
        if self.session_expired_status == self.invalid_claim_status {
            problems.add(
                "session_expired_status",
                "is the same as invalid_claim_status, so clients could not tell the two apart",
                "choose two different status codes, such as 401 and 403",
            );
        }
        for (setting, status) in [
            ("session_expired_status", self.session_expired_status),
            ("invalid_claim_status", self.invalid_claim_status),
        ] {
            if !(300..=599).contains(&status) {
                problems.add(
                    setting,
                    format!("{status} is not an error status"),
                    "choose one from 300 to 599",
                );
            }
        }
        for (at, claim) in self.claims.iter().enumerate() {
            if self.claims[..at]
                .iter()
                .any(|other| other.key() == claim.key())
            {
                problems.add(
                    "claim",
                    format!("two claims have the key `{}`", claim.key()),
                    "register each claim once, or choose another key",
                );
            }
            if wire::PROTECTED_CLAIMS.contains(&claim.key()) {
                problems.add(
                    "claim",
                    format!("the key `{}` belongs to the token itself", claim.key()),
                    "give the claim another key",
                );
            }
        }
        if self.key_kind == KeyKind::Static
            && self.engine.signing_algorithm != SigningAlgorithm::Rs256
        {
            problems.add(
                "access_token_signing_algorithm",
                "is for rotating keys, which are turned off; the static key is always RS256",
                "leave it out, or use rotating keys",
            );
        }
        let api = self.check_api_domain(&mut problems);
        let website = self.check_website(api.as_ref(), &mut problems);
        let cookie_domain = check_cookie_domain(
            "cookie_domain",
            self.cookie_domain.as_deref(),
            &mut problems,
        );
        let older_cookie_domain = match self.older_cookie_domain.as_deref() {
            Some("") => Some(String::new()),
            other => check_cookie_domain("older_cookie_domain", other, &mut problems),
        };
        if let Some(api) = &api {
            self.check_browser_rules(
                api,
                website.as_ref(),
                cookie_domain.as_deref(),
                older_cookie_domain.as_deref(),
                &mut problems,
            );
        }
        let gateway_path = domain::path(&self.api_gateway_path);
        let public_base_path = format!("{gateway_path}{}", domain::path(&self.api_base_path));
        for (setting, path) in [
            ("api_base_path", &public_base_path),
            ("access_token_path", &self.access_token_path),
            (
                "older_access_token_path",
                self.older_access_token_path
                    .as_ref()
                    .unwrap_or(&String::new()),
            ),
        ] {
            let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b';';
            if !path.bytes().all(is_plain) {
                problems.add(
                    setting,
                    "has characters that no path of a cookie may have",
                    "use a plain path, or percent encoding",
                );
            }
        }
        let is_in_place = self.refresh_in_place == RefreshInPlace::On;
        let pages_mode = is_in_place.then_some(AntiCsrf::ViaOrigin);
        if is_in_place
            && matches!(
                self.anti_csrf,
                Some(AntiCsrf::ViaToken | AntiCsrf::ViaCustomHeader)
            )
        {
            problems.add(
                "refresh_in_place",
                "needs an anti-CSRF mode without a header, because a page cannot send one",
                "set anti_csrf(AntiCsrf::ViaOrigin), or leave it out",
            );
        }
        if let Some(pages) = &self.pages {
            let paths = [Some(&pages.sign_in), pages.failed_claims.as_ref()];
            for path in paths.into_iter().flatten() {
                if Pages::checked_target(path).as_deref() != Some(path) {
                    problems.add(
                        "pages",
                        format!("`{path}` is not the path of a page"),
                        "use a path such as `/login`",
                    );
                }
            }
        }
        let access_path = cookie_path(&self.access_token_path);
        let secure = self
            .cookie_secure
            .unwrap_or_else(|| api.as_ref().is_some_and(|api: &Api| api.domain.is_https()));
        let is_for_host = access_path == "/" && cookie_domain.is_none();
        self.check_guarded_cookies(secure, is_for_host, &mut problems);
        let (Some(api), Some(website), true) = (api, website, problems.0.is_empty()) else {
            return Err(BuildError::Config(problems.0));
        };
        let own_path = format!("{public_base_path}{}", wire::REFRESH_PATH);
        let (refresh, refresh_path) = self.refresh_cookie(own_path, cookie_domain.is_none());
        let cookies = CookieSettings {
            access: CookieNames::new(self.cookie_names.0, self.cookie_prefix, is_for_host),
            refresh,
            access_path,
            refresh_path,
            domain: cookie_domain,
            older_domain: older_cookie_domain,
            older_access_path: self.older_access_token_path.as_deref().map(cookie_path),
            secure,
            partitioned: self.cookie_partitioned,
        };
        Ok(Config {
            issuer: self
                .issuer
                .unwrap_or_else(|| format!("{}{public_base_path}", api.domain)),
            website,
            access_token_validity: self.engine.access_token_validity,
            doctor_route: self.doctor_route,
            track_devices: self.track_devices,
            max_sessions_per_user: self.max_sessions_per_user,
            client_ip: self.client_ip,
            api,
            public_base_path,
            gateway_path,
            same_site: self.cookie_same_site,
            transfer_method: self.transfer_method,
            render: self.render,
            cookies,
            access_token_header: self.header_names.0,
            refresh_token_header: self.header_names.1,
            expose_access_token: self.expose_access_token,
            max_access_token_bytes: self.max_access_token_bytes,
            // The default depends on the store, which is asked later.
            strictness: self.strictness.unwrap_or(Strictness::TokenOnly),
            revocation_poll_interval: self.revocation_poll_interval,
            anti_csrf: self.anti_csrf.or(pages_mode),
            trusts_same_site: self.trusts_same_site,
            refresh_in_place: self.refresh_in_place,
            pages: self.pages,
            key_kind: self.key_kind,
            session_expired_status: self.session_expired_status,
            invalid_claim_status: self.invalid_claim_status,
            path_tenants: self.path_tenants,
            refresh_route: self.refresh_route,
            signout_route: self.signout_route,
            claims: self.claims,
            validators: self.validators,
            hooks: self.hooks,
        })
    }

    /// Returns the names and the path of the refresh token's cookie. While an installation changes to
    /// refreshing in place, the cookie is read under the names of both paths. That of `/` takes
    /// precedence: it is the newer one after a step forward, and is cleared after a step back.
    fn refresh_cookie(&self, own_path: String, is_for_host: bool) -> (CookieNames, String) {
        let plain = &self.cookie_names.1;
        let own = CookieNames::new(plain.clone(), self.cookie_prefix, false);
        let root_name = format!("{plain}{}", wire::ROOT_COOKIE_SUFFIX);
        let root = CookieNames::new(root_name, self.cookie_prefix, is_for_host);
        match self.refresh_in_place {
            RefreshInPlace::Off => (own, own_path),
            RefreshInPlace::Accept => (own.also_read(root, "/", First::Others), own_path),
            RefreshInPlace::On => (root.also_read(own, &own_path, First::These), "/".to_owned()),
        }
    }

    /// Checks that settings which a core owns are not set here too.
    fn check_ownership(&self, problems: &mut Problems) {
        if matches!(self.source, Source::Store(_)) {
            return;
        }
        for (setting, name) in &self.of_core {
            let fix = match (*setting, *name) {
                ("track_devices", _) if !self.track_devices => continue,
                ("track_devices", _) => {
                    "leave it out: a core keeps no devices; only `Sessions::builder` with a store does"
                        .to_owned()
                }
                ("app_id", _) => {
                    "leave it out, and name the app where the core is named (`RemoteCore::app_id`)"
                        .to_owned()
                }
                ("refresh_rules", name) => format!(
                    "leave it out: a core applies LEGACY rules below CDI 5.6 and ROTATION rules from 5.6 on; its `{name}` set to 5.5 keeps all its clients on LEGACY rules"
                ),
                (_, "") => "leave it out; the core has its own way".to_owned(),
                (_, name) => format!("leave it out, and set `{name}` in the core's configuration"),
            };
            problems.add(setting, "belongs to the core that owns the sessions", fix);
        }
    }

    fn check_names(&self, problems: &mut Problems) {
        let pairs = [
            ("cookie_names", &self.cookie_names),
            ("response_header_names", &self.header_names),
        ];
        for (setting, (access, refresh)) in pairs {
            if access == refresh {
                problems.add(
                    setting,
                    "both are the same",
                    "choose a different name for each token",
                );
            }
            for name in [access, refresh] {
                let is_token = !name.is_empty()
                    && name
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&b));
                if !is_token {
                    problems.add(
                        setting,
                        format!("`{name}` is not a valid name"),
                        "use letters, digits, `-` and `_`",
                    );
                }
            }
        }
    }

    fn check_path_tenants(&self, problems: &mut Problems) {
        let PathTenants::Listed(tenants) = &self.path_tenants else {
            return;
        };
        for tenant in tenants {
            if !PathTenants::is_well_formed(tenant) {
                problems.add(
                    "path_tenants",
                    format!("`{tenant}` is not a tenant id that a path can contain"),
                    "use letters, digits and `-`",
                );
            }
        }
    }

    /// Checks the requirements of browsers for cookies with a guarded name and for partitioned
    /// cookies.
    fn check_guarded_cookies(&self, secure: bool, is_for_host: bool, problems: &mut Problems) {
        const FIX: &str = "serve the API over https, set `api_domain` accordingly, and do not set `cookie_secure(false)`";
        if self.cookie_prefix != CookiePrefix::Off && !secure {
            problems.add(
                "cookie_prefix",
                "cookies with a prefix need Secure, or browsers refuse them",
                FIX,
            );
        }
        if self.cookie_partitioned && !secure {
            problems.add(
                "cookie_partitioned",
                "partitioned cookies need Secure, or browsers refuse them",
                FIX,
            );
        }
        let (access, refresh) = &self.cookie_names;
        for (name, may_be_for_host) in [(access, is_for_host), (refresh, false)] {
            let starts_with = |prefix: &str| {
                name.get(..prefix.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            };
            let for_host = starts_with(wire::HOST_COOKIE_PREFIX);
            let guarded = for_host || starts_with(wire::SECURE_COOKIE_PREFIX);
            if guarded && (!secure || for_host && !may_be_for_host) {
                problems.add(
                    "cookie_names",
                    format!("browsers refuse a cookie `{name}` with these attributes"),
                    "leave the prefix to `cookie_prefix`",
                );
            }
        }
    }

    fn check_api_domain(&self, problems: &mut Problems) -> Option<Api> {
        const FIX: &str =
            "set it to where browsers find this API, such as \"https://api.example.com\"";
        let Some(text) = &self.api_domain else {
            problems.add("api_domain", "is not set", FIX);
            return None;
        };
        let domain = Domain::parse(text)
            .map_err(|error| problems.add("api_domain", format!("`{text}`: {error}"), FIX))
            .ok()?;
        let site = domain
            .site()
            .map_err(|error| problems.add("api_domain", format!("`{text}`: {error}"), FIX))
            .ok()?;
        Some(Api { domain, site })
    }

    fn check_website(&self, api: Option<&Api>, problems: &mut Problems) -> Option<Website> {
        const FIX: &str =
            "set it to where the website is, such as \"https://example.com\", or set `origin`";
        if let Some(origin) = &self.origin {
            return Some(Website::PerRequest(Arc::clone(origin)));
        }
        let Some(text) = &self.website_domain else {
            problems.add("website_domain", "is not set", FIX);
            return None;
        };
        let domain = Domain::parse(text)
            .map_err(|error| problems.add("website_domain", format!("`{text}`: {error}"), FIX))
            .ok()?;
        let site = domain
            .site()
            .map_err(|error| problems.add("website_domain", format!("`{text}`: {error}"), FIX))
            .ok()?;
        let api = api?;
        Some(Website::Fixed {
            crosses_sites: site != api.site || domain.scheme != api.domain.scheme,
            site: api.site_with(&domain, &site, self.cookie_same_site),
            domain,
        })
    }
}

/// Returns a cookie's `Path` attribute. The root is `/`.
fn cookie_path(text: &str) -> String {
    match domain::path(text) {
        path if path.is_empty() => "/".to_owned(),
        path => path,
    }
}

#[derive(Default)]
pub(super) struct Problems(Vec<ConfigProblem>);

impl Problems {
    pub(super) fn add(
        &mut self,
        setting: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.0.push(ConfigProblem {
            setting,
            problem: problem.into(),
            fix: fix.into(),
        });
    }
}

fn check_cookie_domain(
    setting: &'static str,
    text: Option<&str>,
    problems: &mut Problems,
) -> Option<String> {
    let text = text?;
    domain::cookie_domain(text)
        .map_err(|error| {
            problems.add(
                setting,
                format!("`{text}`: {error}"),
                "set it to a domain that the API's host belongs to, such as \".example.com\"",
            );
        })
        .ok()
}
