//! Normalisation of configured domains, paths and sites (session specification, 3.8 to 3.10).

use std::net::IpAddr;

use url::{Host, Url};

/// The scheme, host and port of the API or the website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    pub(crate) scheme: String,
    /// In lower case and in ASCII: international names are in Punycode (RFC 5891), as in the
    /// requests of browsers.
    pub(crate) host: String,
    /// The address, if the host is one.
    ip: Option<IpAddr>,
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
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            let plain = Self::parse(&format!("http://{text}"))?;
            return if plain.is_local() {
                Ok(plain)
            } else {
                Self::parse(&format!("https://{text}"))
            };
        };
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        // A URL parser skips further slashes, so that `/path` would be a host.
        if rest.starts_with(['/', '\\']) {
            return Err(InvalidDomain);
        }
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| InvalidDomain)?;
        let has_login = !url.username().is_empty() || url.password().is_some();
        if has_login || !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidDomain);
        }
        let (host, ip) = match url.host().ok_or(InvalidDomain)? {
            Host::Domain(name) if is_cookie_domain(name) => (name.to_owned(), None),
            Host::Domain(_) => return Err(InvalidDomain),
            Host::Ipv4(ip) => (ip.to_string(), Some(ip.into())),
            Host::Ipv6(ip) => (format!("[{ip}]"), Some(ip.into())),
        };
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host,
            ip,
            port: url.port(),
        })
    }

    /// Returns the top-level site, which determines whether a cookie is same-site (session
    /// specification, 3.9).
    pub(crate) fn site(&self) -> Result<String, NoSite> {
        if self.is_local() {
            return Ok("localhost".to_owned());
        }
        let host = self.host.as_str();
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

    /// Returns `true` for localhost and IP addresses, for which browsers are lenient. Quirk: every
    /// host that starts with `localhost` counts as local (session specification, 3.9).
    pub(crate) fn is_local(&self) -> bool {
        self.host.starts_with("localhost") || self.ip.is_some()
    }

    /// Returns `true` for `localhost` itself and for loopback addresses.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.ip.is_some_and(|ip| ip.is_loopback())
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
    let domain = Domain::parse(text).map_err(|InvalidDomain| InvalidCookieDomain)?;
    let bare = domain.host == "localhost" || domain.ip.is_some();
    Ok(if had_dot && !bare {
        format!(".{}", domain.host)
    } else {
        domain.host
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

/// Returns `true` if the domain can be the `Domain` of a cookie (RFC 6265, 4.1.1). Underscores are
/// allowed, because browsers allow them. URLs allow more, such as `;`, which ends an attribute.
fn is_cookie_domain(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    name.split('.')
        .all(|label| !label.is_empty() && !label.starts_with('-') && label.bytes().all(is_inner))
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
        domain("http://[0:0:0:0::1]", "http://[::1]");
        domain("localhost:443", "http://localhost:443");
        domain("example.com:80", "https://example.com:80");
        domain("my_service:8080", "https://my_service:8080");
        for bücher in [
            "bücher.de",
            "BÜCHER.de",
            "https://b%C3%BCcher.de/x",
            "xn--bcher-kva.de",
        ] {
            domain(bücher, "https://xn--bcher-kva.de");
        }
        for bad in [
            "/one",
            "/one/two",
            "",
            "http://",
            "ftp://x.y",
            "a b.c",
            "x.y:port",
            "x..y",
            "x.y.",
            "-x.y",
            "evil.com;x=y",
            "evil.com%3Bx=y",
            "user@x.y",
            "http://user:password@x.y",
            "http:///x.y",
            "https://xn--a.de",
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
        site("https://api.bücher.de", "xn--bcher-kva.de");
        // `公司.cn` is a public suffix.
        site("https://api.食狮.公司.cn", "xn--85x722f.xn--55qx5d.cn");
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
            (".bücher.de", ".xn--bcher-kva.de"),
            ("bücher.de", "xn--bcher-kva.de"),
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
