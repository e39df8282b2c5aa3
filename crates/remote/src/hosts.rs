//! The hosts of the core: their addresses, their order, and their state.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use supersession::{AppId, TenantId, wire};
use tokio::time::Instant;

use crate::cdi::Capabilities;

/// Time for which a failed host is tried last.
const DEPRIORITIZED_FOR: Duration = Duration::from_secs(10);

/// One host of the core.
pub(crate) struct Host {
    scheme: Scheme,
    authority: Authority,
    /// Base path and app.
    prefix: String,
    state: Mutex<HostState>,
    /// Ensures that only one negotiation runs at a time.
    pub(crate) negotiating: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Default)]
struct HostState {
    capabilities: Option<Capabilities>,
    deprioritized_until: Option<Instant>,
}

/// The reason why a text is not the URL of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostUrlError {
    #[error("is not a URL")]
    Malformed,
    #[error("has characters beyond ASCII")]
    NotAscii,
    #[error("does not begin with `http://` or `https://`")]
    Scheme,
    #[error("has a user name or a password in its URL")]
    Userinfo,
    #[error("has a query in its URL")]
    Query,
    #[error("has an app in its URL")]
    App,
    #[error("has an endpoint of the core in its URL")]
    Endpoint,
}

impl HostUrlError {
    pub(crate) fn fix(self) -> &'static str {
        match self {
            Self::App => {
                "remove `/appid-..` from the URL, and set the app with `RemoteCore::app_id`"
            }
            Self::Endpoint => {
                "end the URL with the host, or with the `base_path` of the core, as in \"http://core:3567\""
            }
            Self::NotAscii => {
                "write the host in Punycode and the path in percent encoding, as in \"https://xn--bcher-kva.example/b%C3%BCro\""
            }
            Self::Userinfo => {
                "remove it; to authenticate, pass one of the core's `api_keys` to `RemoteCore::api_key`"
            }
            _ => "use a URL such as \"http://core:3567\" or \"https://core.example.com/base\"",
        }
    }
}

/// First segments of the core's own paths.
const ENDPOINTS: [&str; 5] = [
    "recipe",
    "apiversion",
    "hello",
    ".well-known",
    "supersession",
];

impl Host {
    pub(crate) fn parse(url: &str, app: &AppId) -> Result<Self, HostUrlError> {
        if !url.is_ascii() {
            return Err(HostUrlError::NotAscii);
        }
        let uri: Uri = url.trim().parse().map_err(|_| HostUrlError::Malformed)?;
        let parts = uri.into_parts();
        let scheme = parts
            .scheme
            .filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)
            .ok_or(HostUrlError::Scheme)?;
        let authority = parts.authority.ok_or(HostUrlError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(HostUrlError::Userinfo);
        }
        let path = parts.path_and_query.ok_or(HostUrlError::Malformed)?;
        if path.query().is_some() {
            return Err(HostUrlError::Query);
        }
        let base = path.path().trim_end_matches('/');
        if base.split('/').any(|segment| segment.starts_with("appid-")) {
            return Err(HostUrlError::App);
        }
        if base.split('/').any(|segment| ENDPOINTS.contains(&segment)) {
            return Err(HostUrlError::Endpoint);
        }
        let prefix = if app.as_str() == wire::DEFAULT_APP_ID {
            base.to_owned()
        } else {
            format!("{base}/appid-{app}")
        };
        Ok(Self {
            scheme,
            authority,
            prefix,
            state: Mutex::default(),
            negotiating: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Builds the URI of an endpoint on this host.
    pub(crate) fn uri(&self, tenant: Option<&TenantId>, path: &str) -> Result<Uri, http::Error> {
        let tenant = tenant.map_or_else(String::new, |tenant| format!("/{tenant}"));
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{tenant}{path}", self.prefix))
            .build()
    }

    pub(crate) fn capabilities(&self) -> Option<Capabilities> {
        self.state().capabilities
    }

    pub(crate) fn set_capabilities(&self, capabilities: Option<Capabilities>) {
        self.state().capabilities = capabilities;
    }

    /// Records a successful call.
    pub(crate) fn record_success(&self) {
        self.state().deprioritized_until = None;
    }

    /// Records a failed call. Other hosts are tried first for a while.
    pub(crate) fn record_failure(&self) {
        let mut state = self.state();
        if state.deprioritized_until.is_none() {
            tracing::warn!(target: "supersession", host = %self, "a host of the core failed; other hosts are tried first");
        }
        state.deprioritized_until = Some(Instant::now() + DEPRIORITIZED_FOR);
    }

    fn is_deprioritized(&self, now: Instant) -> bool {
        self.state()
            .deprioritized_until
            .is_some_and(|until| now < until)
    }

    fn state(&self) -> MutexGuard<'_, HostState> {
        // Every critical section assigns whole values only, so a poisoned lock is usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Omits the path and the query.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All hosts of the core.
#[derive(Debug)]
pub(crate) struct Hosts {
    hosts: Vec<Host>,
    next: AtomicUsize,
}

impl Hosts {
    pub(crate) fn new(hosts: Vec<Host>) -> Self {
        Self {
            hosts,
            next: AtomicUsize::new(0),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter()
    }

    /// Returns the hosts in round-robin order. Hosts that failed recently come last.
    pub(crate) fn in_order(&self) -> Vec<&Host> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.hosts.len().max(1);
        let (before, from) = self.hosts.split_at(first);
        let mut hosts: Vec<_> = from.iter().chain(before).collect();
        let now = Instant::now();
        // The sort is stable, so the round-robin order is kept.
        hosts.sort_by_key(|host| host.is_deprioritized(now));
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(url: &str) -> Result<Host, HostUrlError> {
        Host::parse(url, &AppId::new("a1").unwrap())
    }

    #[test]
    fn a_url_of_a_host_is_parsed() {
        let uri = |url: &str| {
            let tenant = TenantId::new("t1").unwrap();
            let uri = host(url).unwrap().uri(Some(&tenant), "/recipe/jwt?x=1");
            uri.unwrap().to_string()
        };
        assert_eq!(
            uri("http://core:3567"),
            "http://core:3567/appid-a1/t1/recipe/jwt?x=1"
        );
        assert_eq!(
            uri(" https://core.example.com/base/ "),
            "https://core.example.com/base/appid-a1/t1/recipe/jwt?x=1"
        );
        for (bad, why) in [
            ("", HostUrlError::Malformed),
            ("https://bücher.de", HostUrlError::NotAscii),
            ("core", HostUrlError::Scheme),
            ("core:3567", HostUrlError::Scheme),
            ("ftp://core", HostUrlError::Scheme),
            ("http://user:password@core", HostUrlError::Userinfo),
            ("http://core?key=1", HostUrlError::Query),
            ("http://core/appid-a1", HostUrlError::App),
            ("http://core/base/recipe/session", HostUrlError::Endpoint),
            ("http://core/hello", HostUrlError::Endpoint),
        ] {
            assert_eq!(host(bad).err(), Some(why), "{bad}");
        }
    }

    #[test]
    fn hosts_are_used_in_turn_and_failed_ones_come_last() {
        let hosts = Hosts::new(
            ["http://a", "http://b", "http://c"]
                .map(|url| host(url).unwrap())
                .into(),
        );
        let order = || {
            hosts
                .in_order()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(order(), "http://a http://b http://c");
        assert_eq!(order(), "http://b http://c http://a");
        hosts.hosts[2].record_failure();
        assert_eq!(order(), "http://a http://b http://c");
        assert_eq!(order(), "http://a http://b http://c");
        hosts.hosts[2].record_success();
        assert_eq!(order(), "http://b http://c http://a");
    }
}
