//! Cookies: the one parser, the one writer. Setting and clearing go through the same function, so
//! their attributes cannot differ.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use cookie::Cookie;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{CookiePrefix, SameSite};
use crate::clock::UnixMillis;
use crate::wire;

/// What all our cookies have in common (session specification, 3.7).
#[derive(Clone, Debug)]
pub(crate) struct CookieSettings {
    pub(crate) access: CookieNames,
    pub(crate) refresh: CookieNames,
    pub(crate) access_path: String,
    pub(crate) refresh_path: String,
    pub(crate) domain: Option<String>,
    /// The domain of cookies that an earlier configuration has set; empty for host-only ones.
    pub(crate) older_domain: Option<String>,
    /// The path of the access token's cookie that an earlier configuration has set.
    pub(crate) older_access_path: Option<String>,
    pub(crate) secure: bool,
    /// Whether browsers keep the cookies apart for each site that embeds us.
    pub(crate) partitioned: bool,
}

/// The names of one cookie.
#[derive(Clone, Debug)]
pub(crate) struct CookieNames {
    pub(crate) written: String,
    /// Those that count in a request; of several, the first.
    read: Vec<String>,
}

/// A cookie that was found in a request.
#[derive(Clone, Debug)]
pub(crate) struct FoundCookie {
    pub(crate) value: String,
    /// It comes more than once, in whatever spelling of its name (session specification, 3.11).
    pub(crate) is_duplicated: bool,
}

impl CookieNames {
    /// `is_for_host` says whether the cookie meets what [`wire::HOST_COOKIE_PREFIX`] demands beside
    /// `Secure`.
    pub(crate) fn new(plain: String, prefix: CookiePrefix, is_for_host: bool) -> Self {
        let guarded = if is_for_host {
            format!("{}{plain}", wire::HOST_COOKIE_PREFIX)
        } else {
            format!("{}{plain}", wire::SECURE_COOKIE_PREFIX)
        };
        let (written, read) = match prefix {
            CookiePrefix::Off => (plain.clone(), vec![plain]),
            CookiePrefix::Accept => (plain.clone(), vec![guarded, plain]),
            CookiePrefix::Prefer => (guarded.clone(), vec![guarded, plain]),
            CookiePrefix::Require => (guarded.clone(), vec![guarded]),
        };
        Self { written, read }
    }

    /// The names that are read but not written. What has them is replaced by what is written.
    pub(crate) fn others(&self) -> impl Iterator<Item = &str> {
        let read = self.read.iter().map(String::as_str);
        read.filter(|name| *name != self.written)
    }

    /// The cookie in a `Cookie` header.
    pub(crate) fn find(&self, header: &str) -> Option<FoundCookie> {
        self.read.iter().find_map(|name| {
            Some(FoundCookie {
                value: value(header, name)?,
                is_duplicated: is_duplicated(header, name),
            })
        })
    }
}

/// What a cookie is to hold.
#[derive(Clone, Debug)]
pub(crate) enum CookieValue<'a> {
    Set {
        value: &'a str,
        expires_at: UnixMillis,
    },
    Clear,
}

/// What identifies a cookie to a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CookieId {
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) path: String,
}

/// The letters that `encodeURIComponent` leaves alone.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The last second that an HTTP date can say.
const LAST_HTTP_SECOND: u64 = 253_402_300_799;

impl CookieSettings {
    /// The value of a `Set-Cookie` header.
    pub(crate) fn line(
        &self,
        name: &str,
        path: &str,
        domain: Option<&str>,
        value: &CookieValue<'_>,
        same_site: SameSite,
    ) -> String {
        let (value, expires_at) = match value {
            CookieValue::Set { value, expires_at } => (*value, *expires_at),
            CookieValue::Clear => ("", UnixMillis::new(0)),
        };
        let mut line = format!("{name}={}", utf8_percent_encode(value, VALUE));
        let mut attribute = |text: &str| {
            line.push_str("; ");
            line.push_str(text);
        };
        if let Some(domain) = domain.filter(|domain| !domain.is_empty()) {
            attribute(&format!("Domain={domain}"));
        }
        attribute(&format!("Path={path}"));
        attribute(&format!("Expires={}", http_date(expires_at)));
        attribute("HttpOnly");
        if self.secure {
            attribute("Secure");
        }
        attribute(&format!("SameSite={}", same_site.as_attribute()));
        line
    }

    /// The same, for the cookie of an embedding site.
    pub(crate) fn partitioned(line: &str) -> String {
        format!("{line}; Partitioned")
    }
}

fn http_date(at: UnixMillis) -> String {
    let seconds = at.floor_seconds().get().min(LAST_HTTP_SECOND);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The value of a cookie in a `Cookie` header; the first one, if there are several. Quotes around a
/// value go; a value that is not well encoded is taken as it is. What is no cookie at all is passed
/// over.
///
/// The name is compared as it stands. A browser guards names such as `__Host-x` by their letters,
/// so an encoded spelling of one may come from another host, and must not be taken for it.
pub(crate) fn value(header: &str, name: &str) -> Option<String> {
    Cookie::split_parse(header)
        .flatten()
        .find(|cookie| cookie.name() == name)
        .map(|cookie| decoded(cookie.value_trimmed()).into_owned())
}

fn is_duplicated(header: &str, name: &str) -> bool {
    let mut spellings = Cookie::split_parse(header)
        .flatten()
        .filter(|cookie| decoded(cookie.name()) == name);
    spellings.nth(1).is_some()
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(text))
}

/// What a `Set-Cookie` line of somebody else identifies.
pub(crate) fn id_of_line(line: &str) -> Option<CookieId> {
    let cookie = Cookie::parse(line).ok()?;
    Some(CookieId {
        name: cookie.name().to_owned(),
        domain: cookie.domain().unwrap_or_default().to_owned(),
        path: cookie.path().unwrap_or_default().to_owned(),
    })
}

impl CookieId {
    pub(crate) fn new(name: &str, domain: Option<&str>, path: &str) -> Self {
        Self {
            name: name.to_owned(),
            // A leading dot says nothing to a browser, and the parser drops it.
            domain: domain
                .unwrap_or_default()
                .trim_start_matches('.')
                .to_owned(),
            path: path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_every_attribute() {
        let settings = CookieSettings {
            access: CookieNames::new("a".into(), CookiePrefix::Off, false),
            refresh: CookieNames::new("r".into(), CookiePrefix::Off, false),
            access_path: "/".into(),
            refresh_path: "/auth/session/refresh".into(),
            domain: Some(".example.com".into()),
            older_domain: None,
            older_access_path: None,
            secure: true,
            partitioned: false,
        };
        let set = CookieValue::Set {
            value: "a+b/c=",
            expires_at: UnixMillis::new(784_111_777_000),
        };
        assert_eq!(
            settings.line("r", "/x", settings.domain.as_deref(), &set, SameSite::None),
            "r=a%2Bb%2Fc%3D; Domain=.example.com; Path=/x; Expires=Sun, 06 Nov 1994 08:49:37 GMT; HttpOnly; Secure; SameSite=None"
        );
        let settings = CookieSettings {
            secure: false,
            ..settings
        };
        assert_eq!(
            settings.line("r", "/", None, &CookieValue::Clear, SameSite::Lax),
            "r=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
        );
        assert!(http_date(UnixMillis::new(u64::MAX)).ends_with("9999 23:59:59 GMT"));
    }

    #[test]
    fn cookies_are_found_among_odd_neighbours() {
        let header = r#"x="q\"; 100%; y=%; sAccessToken=one; =v; sAccessToken="two"; %73AccessToken=a%2Bb; z"#;
        let found = |header| value(header, "sAccessToken");
        let duplicated = |header| is_duplicated(header, "sAccessToken");
        assert_eq!(found(header).as_deref(), Some("one"));
        assert!(duplicated(header));
        assert_eq!(found("z; sAccessToken=\"two\"").as_deref(), Some("two"));
        let spelled_otherwise = "%73AccessToken=1; sAccessToken=a%2Bb";
        assert_eq!(found(spelled_otherwise).as_deref(), Some("a+b"));
        assert!(duplicated(spelled_otherwise));
        assert_eq!(found("%73AccessToken=1"), None);
        assert!(!duplicated("%73AccessToken=1; x=2"));
        assert_eq!(found("sAccessToken=%E0%A4%A").as_deref(), Some("%E0%A4%A"));
        assert_eq!(found("sAccessToken=").as_deref(), Some(""));
        assert_eq!(found("xsAccessToken=1; sAccessTokenx=2"), None);
    }

    #[test]
    fn a_line_tells_which_cookie_it_sets() {
        let id = id_of_line("a=b; Domain=.x.y; Path=/p; HttpOnly").unwrap();
        assert_eq!(id, CookieId::new("a", Some(".x.y"), "/p"));
        assert_ne!(id, CookieId::new("a", None, "/p"));
    }
}
