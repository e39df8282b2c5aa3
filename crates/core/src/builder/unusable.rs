//! Configurations that cannot work in any browser, although each single setting is valid.
//!
//! An error here is certain for the configured domains. A problem that depends on the client or on
//! the transport is a finding of the [doctor](crate::doctor) instead.

use super::SessionsBuilder;
use super::check::Problems;
use crate::config::domain::Domain;
use crate::config::{Api, Website};
use crate::transport::SameSite;
use crate::wire;

const USE_HTTPS: &str = "serve the API over https, and set `api_domain` accordingly";

impl SessionsBuilder {
    /// Checks the browser rules for domains and cookies. `cookie_domain` and `older_cookie_domain`
    /// are normalised.
    pub(super) fn check_browser_rules(
        &self,
        api: &Api,
        website: Option<&Website>,
        cookie_domain: Option<&str>,
        older_cookie_domain: Option<&str>,
        problems: &mut Problems,
    ) {
        let api_domain = &api.domain;
        for (setting, domain) in [
            ("cookie_domain", cookie_domain),
            ("older_cookie_domain", older_cookie_domain),
        ] {
            // The empty string means cookies without a domain.
            if let Some(domain) = domain.filter(|domain| !domain.is_empty()) {
                check_cookie_domain(setting, domain, api_domain, problems);
            }
        }
        let is_plain = !api_domain.is_https() && !api_domain.is_local();
        if is_plain && self.cookie_secure == Some(true) {
            problems.add(
                "cookie_secure",
                format!("browsers refuse Secure cookies from the unencrypted `{api_domain}`"),
                format!("{USE_HTTPS}, or do not set `cookie_secure(true)`"),
            );
        }
        if is_plain && self.cookie_same_site == Some(SameSite::None) {
            problems.add(
                "cookie_same_site",
                format!("browsers refuse cookies with SameSite=None from the unencrypted `{api_domain}`, because they are not Secure"),
                format!("{USE_HTTPS}, or leave `cookie_same_site` out"),
            );
        }
        if let Some(Website::Fixed { domain, .. }) = website {
            self.check_website_rules(api_domain, domain, problems);
        }
    }

    fn check_website_rules(&self, api: &Domain, website: &Domain, problems: &mut Problems) {
        if website.is_https() && !api.is_https() && !api.is_local() {
            problems.add(
                "api_domain",
                format!("browsers do not let the page `{website}` call the unencrypted `{api}`"),
                USE_HTTPS,
            );
        }
        // With SameSite=None, the application has declared that the cookies cross sites.
        let are_two_names = api.is_loopback() && website.is_loopback() && api.host != website.host;
        if are_two_names && self.cookie_same_site != Some(SameSite::None) {
            problems.add(
                "website_domain",
                format!(
                    "`{}` and `{}` are two sites for a browser, although both are this machine",
                    api.host, website.host
                ),
                "use the same name for both, such as `localhost`",
            );
        }
    }

    /// Checks that the names of cookies and headers do not conflict.
    pub(super) fn check_taken_names(&self, problems: &mut Problems) {
        let (access, refresh) = &self.cookie_names;
        for name in [access, refresh] {
            if name == wire::LEGACY_ID_REFRESH_COOKIE {
                problems.add(
                    "cookie_names",
                    format!("`{name}` marks a legacy session, so every verification would ask for a refresh"),
                    "choose another name",
                );
            }
        }
        let without_prefix = |name: &str| {
            [wire::HOST_COOKIE_PREFIX, wire::SECURE_COOKIE_PREFIX]
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix).map(str::to_owned))
        };
        if without_prefix(access).as_ref() == Some(refresh)
            || without_prefix(refresh).as_ref() == Some(access)
        {
            problems.add(
                "cookie_names",
                "one is the other with a prefix, so `cookie_prefix` would make them the same",
                "choose a different name for each token",
            );
        }
        let (access, refresh) = &self.header_names;
        for name in [access, refresh] {
            if TAKEN_HEADERS.contains(&name.as_str()) {
                problems.add(
                    "response_header_names",
                    format!("`{name}` is already used for another purpose"),
                    "choose another name, such as one that begins with `st-`",
                );
            }
        }
    }
}

/// Response headers that are written in addition to the tokens, or that HTTP itself needs.
const TAKEN_HEADERS: [&str; 12] = [
    wire::FRONT_TOKEN_HEADER,
    wire::ANTI_CSRF_HEADER,
    wire::EXPOSE_HEADERS_HEADER,
    wire::CACHE_CONTROL_HEADER,
    wire::SET_COOKIE_HEADER,
    wire::CONTENT_TYPE_HEADER,
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "date",
    "access-control-allow-origin",
];

fn check_cookie_domain(setting: &'static str, domain: &str, api: &Domain, problems: &mut Problems) {
    let bare = domain.trim_start_matches('.');
    let is_host = api.host == bare;
    if !is_host && !api.host.ends_with(&format!(".{bare}")) {
        problems.add(
            setting,
            format!(
                "`{domain}` does not contain the API's host `{}`, so browsers refuse the cookies",
                api.host
            ),
            format!(
                "set it to a domain that `{}` belongs to, or leave it out",
                api.host
            ),
        );
    } else if !is_host && !api.is_local() && psl::domain_str(bare).is_none() {
        problems.add(
            setting,
            format!("`{domain}` is a public suffix, for which browsers refuse cookies"),
            "set it to a domain below it, or leave it out",
        );
    }
}
