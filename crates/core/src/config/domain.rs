//! Normalisation of configured domains, paths and sites (session specification, 3.8 to 3.10).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The scheme, host and port of the API or the website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    pub(crate) scheme: String,
    /// In lower case, without the port.
    pub(crate) host: String,
    /// `None` if it is the scheme's default port.
    pub(crate) port: Option<u16>,
}

/// The text is not a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Please provide a valid domain name")]
pub(crate) struct InvalidDomain;

/// The text is not a cookie domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Please provide a valid sessionScope")]
pub(crate) struct InvalidCookieDomain;

/// The host belongs to no site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Please make sure that the apiDomain and websiteDomain have correct values")]
pub(crate) struct NoSite;

impl Domain {
    /// Parses a domain and drops path, query and fragment. Without a scheme, `http` is used for
    /// localhost and IP addresses, and `https` otherwise.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidDomain> {
        let text = text.trim().to_ascii_lowercase();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return Err(InvalidDomain),
            None => (None, text.as_str()),
        };
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = split_port(authority)?;
        if !is_host(host) {
            return Err(InvalidDomain);
        }
        let scheme = scheme.unwrap_or_else(|| if is_local(host) { "http" } else { "https" });
        let own_port = if scheme == "https" { 443 } else { 80 };
        Ok(Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port: port.filter(|port| *port != own_port),
        })
    }

    /// Returns the top-level site, which determines whether a cookie is same-site (session
    /// specification, 3.9).
    pub(crate) fn site(&self) -> Result<String, NoSite> {
        let host = self.host.as_str();
        if is_local(host) {
            return Ok("localhost".to_owned());
        }
        let suffix = psl::suffix(host.as_bytes());
        if host.ends_with(".local") && !suffix.is_some_and(|suffix| suffix.is_known()) {
            return Ok(host.to_owned());
        }
        if let Some(domain) = psl::domain_str(host) {
            return Ok(domain.to_owned());
        }
        if host.ends_with(".amazonaws.com") {
            Ok(host.to_owned())
        } else {
            Err(NoSite)
        }
    }

    /// Returns `true` for localhost and IP addresses, for which browsers are lenient.
    pub(crate) fn is_local(&self) -> bool {
        is_local(&self.host)
    }

    /// Returns `true` for `localhost` itself and for loopback addresses.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host.as_str();
        let is_v4 = host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        host == "localhost" || is_v4 || ipv6(host).is_some_and(|ip| ip.is_loopback())
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Returns the `Domain` attribute of cookies. A leading dot is kept, except before localhost and IP
/// addresses.
pub(crate) fn cookie_domain(text: &str) -> Result<String, InvalidCookieDomain> {
    let had_dot = text.starts_with('.');
    let host = Domain::parse(text)
        .map_err(|InvalidDomain| InvalidCookieDomain)?
        .host;
    let bare = host == "localhost" || is_ip(&host);
    Ok(if had_dot && !bare {
        format!(".{host}")
    } else {
        host
    })
}

/// Normalises a path: a leading slash, no trailing slash, no query, fragment, scheme or host. The
/// root is the empty string.
pub(crate) fn path(text: &str) -> String {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let text = if lower.starts_with("http://") || lower.starts_with("https://") {
        after_first_segment(text.split_once("://").map_or("", |(_, rest)| rest))
    } else if !text.starts_with('/') && names_a_host(text) {
        after_first_segment(text)
    } else {
        text
    };
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() || text.starts_with('/') {
        text.to_owned()
    } else {
        format!("/{text}")
    }
}

fn after_first_segment(text: &str) -> &str {
    text.find(['/', '?', '#']).map_or("", |at| &text[at..])
}

fn names_a_host(text: &str) -> bool {
    let first = text.split(['/', '?', '#']).next().unwrap_or_default();
    first.contains('.') || first.starts_with("localhost")
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), InvalidDomain> {
    let colon = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| bracket + at),
        None => authority.find(':'),
    };
    match colon {
        None => Ok((authority, None)),
        Some(at) => {
            let port = authority[at + 1..].parse().map_err(|_| InvalidDomain)?;
            Ok((&authority[..at], Some(port)))
        }
    }
}

fn is_host(host: &str) -> bool {
    if ipv6(host).is_some() {
        return true;
    }
    !host.is_empty()
        && !host.starts_with('-')
        && host.split('.').all(|label| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        })
}

/// Quirk: every host that starts with `localhost` counts as local (session specification, 3.9).
fn is_local(host: &str) -> bool {
    host.starts_with("localhost") || is_ip(host)
}

fn is_ip(host: &str) -> bool {
    host.parse::<Ipv4Addr>().map(IpAddr::V4).is_ok() || ipv6(host).is_some()
}

fn ipv6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn domain(text: &str, expected: &str) {
        assert_eq!(
            Domain::parse(text)
                .map(|domain| domain.to_string())
                .as_deref(),
            Ok(expected),
            "{text}"
        );
    }

    #[test]
    fn domains_are_normalised() {
        domain("api.example.com/x", "https://api.example.com");
        domain("localhost:4000", "http://localhost:4000");
        domain("1.2.3.4/x", "http://1.2.3.4");
        domain(
            " HTTPS://API.Example.com:8080/x?y#z ",
            "https://api.example.com:8080",
        );
        domain(".example.com", "https://example.com");
        domain("http://example.com:80", "http://example.com");
        domain("https://example.com:443", "https://example.com");
        domain("http://[::1]:3000", "http://[::1]:3000");
        for bad in [
            "/one",
            "/one/two",
            "",
            "http://",
            "ftp://x.y",
            "a b.c",
            "x.y:port",
            "x..y",
            "evil.com;x=y",
        ] {
            assert!(Domain::parse(bad).is_err(), "{bad}");
        }
    }

    #[track_caller]
    fn site(text: &str, expected: &str) {
        assert_eq!(
            Domain::parse(text).unwrap().site().as_deref(),
            Ok(expected),
            "{text}"
        );
    }

    #[test]
    fn sites_follow_the_public_suffix_list() {
        site("http://a.b.test.co.uk", "test.co.uk");
        site("http://localhost.org", "localhost");
        site("http://8.8.8.8:8080", "localhost");
        site("http://[::1]", "localhost");
        site("https://api.supertokens.io", "supertokens.io");
        site(
            "http://ec2-xx.compute-1.amazonaws.com",
            "ec2-xx.compute-1.amazonaws.com",
        );
        site("https://machine.office.local", "machine.office.local");
        assert_eq!(
            Domain::parse("https://intranet").unwrap().site(),
            Err(NoSite)
        );
    }

    #[test]
    fn cookie_domains_are_normalised() {
        for (text, expected) in [
            ("https://api.example.com:8080/x?y#z", "api.example.com"),
            (".example.com/", ".example.com"),
            (".localhost:8080", "localhost"),
            (".127.0.0.1", "127.0.0.1"),
            (".localhost.org", ".localhost.org"),
            (" .example.com", "example.com"),
        ] {
            assert_eq!(cookie_domain(text).as_deref(), Ok(expected), "{text}");
        }
        assert!(cookie_domain("http://").is_err() && cookie_domain("").is_err());
    }

    #[test]
    fn paths_are_normalised() {
        for (text, expected) in [
            ("exists?email=a%40b", "/exists"),
            ("/One/Two/", "/One/Two"),
            ("http://h:1/x#f", "/x"),
            ("", ""),
            ("/", ""),
            ("api.example.com/auth", "/auth"),
            ("localhost:3000/auth?x", "/auth"),
            ("https://api.example.com", ""),
            ("auth", "/auth"),
        ] {
            assert_eq!(path(text), expected, "{text}");
        }
    }
}
