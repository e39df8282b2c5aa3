//! The hosts of the core: their addresses, their order, and their state.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use supersession::{AppId, TenantId, wire};
use tokio::time::Instant;

use crate::cdi::Spoken;

/// Time for which a failed host is tried last.
const REST: Duration = Duration::from_secs(10);

/// One host of the core.
pub(crate) struct Host {
    scheme: Scheme,
    authority: Authority,
    /// Base path and app.
    prefix: String,
    known: Mutex<Known>,
    /// Ensures that only one negotiation runs at a time.
    pub(crate) negotiating: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    spoken: Option<Spoken>,
    rests_until: Option<Instant>,
}

/// The reason why a text is not the URL of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoHost {
    #[error("is no URL")]
    Malformed,
    #[error("begins with neither `http://` nor `https://`")]
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

impl NoHost {
    pub(crate) fn fix(self) -> &'static str {
        match self {
            Self::App => {
                "leave `/appid-..` out of the URL, and name the app with `RemoteCore::app_id`"
            }
            Self::Endpoint => {
                "end the URL with the host, or with the `base_path` of the core, as in \"http://core:3567\""
            }
            Self::Userinfo => {
                "leave it out; the secret of a core is one of its `api_keys`, given to `RemoteCore::api_key`"
            }
            _ => "name the core as in \"http://core:3567\" or \"https://core.example.com/base\"",
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
    pub(crate) fn parse(url: &str, app: &AppId) -> Result<Self, NoHost> {
        let uri: Uri = url.trim().parse().map_err(|_| NoHost::Malformed)?;
        let parts = uri.into_parts();
        let scheme = parts
            .scheme
            .filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)
            .ok_or(NoHost::Scheme)?;
        let authority = parts.authority.ok_or(NoHost::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(NoHost::Userinfo);
        }
        let path = parts.path_and_query.ok_or(NoHost::Malformed)?;
        if path.query().is_some() {
            return Err(NoHost::Query);
        }
        let base = path.path().trim_end_matches('/');
        if base.split('/').any(|segment| segment.starts_with("appid-")) {
            return Err(NoHost::App);
        }
        if base.split('/').any(|segment| ENDPOINTS.contains(&segment)) {
            return Err(NoHost::Endpoint);
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
            known: Mutex::default(),
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

    pub(crate) fn spoken(&self) -> Option<Spoken> {
        self.known().spoken
    }

    pub(crate) fn set_spoken(&self, spoken: Option<Spoken>) {
        self.known().spoken = spoken;
    }

    /// Records that the host answered.
    pub(crate) fn answered(&self) {
        self.known().rests_until = None;
    }

    /// Records that the host failed. Other hosts are tried first for a while.
    pub(crate) fn failed(&self) {
        let mut known = self.known();
        if known.rests_until.is_none() {
            tracing::warn!(target: "supersession", host = %self, "a core does not answer; others are asked first");
        }
        known.rests_until = Some(Instant::now() + REST);
    }

    fn rests(&self, now: Instant) -> bool {
        self.known().rests_until.is_some_and(|until| now < until)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every critical section assigns whole values only, so a poisoned lock is usable.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
        hosts.sort_by_key(|host| host.rests(now));
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(url: &str) -> Result<Host, NoHost> {
        Host::parse(url, &AppId::new("a1").unwrap())
    }

    #[test]
    fn urls_name_hosts() {
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
            ("", NoHost::Malformed),
            ("core", NoHost::Scheme),
            ("core:3567", NoHost::Scheme),
            ("ftp://core", NoHost::Scheme),
            ("http://user:password@core", NoHost::Userinfo),
            ("http://core?key=1", NoHost::Query),
            ("http://core/appid-a1", NoHost::App),
            ("http://core/base/recipe/session", NoHost::Endpoint),
            ("http://core/hello", NoHost::Endpoint),
        ] {
            assert_eq!(host(bad).err(), Some(why), "{bad}");
        }
    }

    #[test]
    fn hosts_take_turns_and_those_that_failed_come_last() {
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
        hosts.hosts[2].failed();
        assert_eq!(order(), "http://a http://b http://c");
        assert_eq!(order(), "http://a http://b http://c");
        hosts.hosts[2].answered();
        assert_eq!(order(), "http://b http://c http://a");
    }
}
