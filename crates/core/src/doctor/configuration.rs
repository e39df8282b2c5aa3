//! Findings about the configuration.

use super::Finding;
use crate::config::Config;
use crate::config::Strictness;
use crate::config::domain::Domain;
use crate::transport::{AntiCsrf, SameSite};
use crate::wire;

/// Validity beyond which an access token should not be the only proof that its session is live.
const LONG_VALIDITY: std::time::Duration = std::time::Duration::from_secs(86_400);

impl Config {
    /// Returns the probable problems of this configuration.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let api = self.api_domain();
        if !api.is_https() && !api.is_local() {
            findings.push(Finding::error(
                "api_domain",
                format!("`{api}` is not encrypted, so intermediaries can read the tokens"),
                "serve the API over https, and set `api_domain` to its https URL",
            ));
        }
        self.check_cookie_domains(&mut findings);
        if let Some(website) = self.website_domain() {
            self.check_domains(api, website, &mut findings);
        }
        if self.takes_any_path_tenant() {
            findings.push(Finding::warning(
                "any_path_tenant",
                format!(
                    "a route of the application such as POST {} is taken for a sign-out",
                    self.own_path(&format!("/admin{}", wire::SIGNOUT_PATH))
                ),
                "name the tenants with `path_tenants`, or leave both out: the browser SDKs put no tenant in front of the built-in routes",
            ));
        }
        let same_site = self.likely_same_site();
        if same_site == SameSite::None && self.anti_csrf == Some(AntiCsrf::None) {
            findings.push(Finding::error(
                "anti_csrf",
                "is off although browsers send the cookies with requests of every site, so other sites can act as the user",
                "leave `anti_csrf` to its default, or set `AntiCsrf::ViaCustomHeader`",
            ));
        }
        if self.cookies.partitioned && same_site != SameSite::None {
            findings.push(Finding::warning(
                "cookie_partitioned",
                "has an effect only on cookies with SameSite=None, and these have another value",
                "remove `cookie_partitioned`, or set `cookie_same_site(SameSite::None)` if the application is embedded by other sites",
            ));
        }
        if self.strictness == Strictness::TokenOnly && self.access_token_validity > LONG_VALIDITY {
            findings.push(Finding::warning(
                "access_token_validity",
                format!(
                    "the access token of a revoked session stays valid for up to {} hours",
                    self.access_token_validity.as_secs() / 3_600
                ),
                "choose an hour or less, or set `check_database(true)`",
            ));
        }
        findings
    }

    fn check_cookie_domains(&self, findings: &mut Vec<Finding>) {
        let without_dot = |domain: &Option<String>| {
            domain
                .as_deref()
                .map(|domain| domain.trim_start_matches('.').to_owned())
        };
        let older = without_dot(&self.cookies.older_domain);
        if older.is_some()
            && older == without_dot(&self.cookies.domain).or_else(|| Some(String::new()))
        {
            findings.push(Finding::warning(
                "older_cookie_domain",
                "equals `cookie_domain`, so it would clear the new cookies",
                "set it to the previous domain, or remove it",
            ));
        }
    }

    fn check_domains(&self, api: &Domain, website: &Domain, findings: &mut Vec<Finding>) {
        if api.is_local() && website.is_local() && api.host != website.host {
            findings.push(Finding::error(
                "website_domain",
                format!(
                    "`{}` and `{}` are two sites for a browser, although both are this machine",
                    api.host, website.host
                ),
                "use the same name for both, such as `localhost`",
            ));
            return;
        }
        let crosses_sites = self.crosses_sites();
        let same_site = self.likely_same_site();
        if crosses_sites && same_site != SameSite::None {
            findings.push(Finding::error(
                "cookie_same_site",
                format!("`{website}` is another site than `{api}`, and browsers do not send SameSite={} cookies across sites", same_site.as_attribute()),
                "leave `cookie_same_site` to its default, or put website and API under one domain",
            ));
        } else if crosses_sites && !self.cookies.partitioned {
            findings.push(Finding::warning(
                "website_domain",
                format!("`{website}` is another site than `{api}`, and some browsers block the cookies of other sites"),
                "put both under one domain such as example.com and api.example.com, or let the browser SDK use headers (`tokenTransferMethod: \"header\"`)",
            ));
        }
        if same_site == SameSite::None && !self.cookies.secure {
            findings.push(Finding::error(
                "cookie_secure",
                "browsers reject cookies with SameSite=None that are not Secure",
                "serve the API over https, and do not set `cookie_secure(false)`",
            ));
        }
    }
}
