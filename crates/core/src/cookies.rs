//! Parses and writes cookies. One function both sets and clears a cookie, so that the attributes
//! cannot differ.

use std::time::{Duration, UNIX_EPOCH};

use cookie::Cookie;
use memchr::{memchr, memchr_iter};
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_decode_str, utf8_percent_encode,
};

use crate::clock::UnixMillis;
use crate::http::text;
use crate::secret::RefreshToken;
use crate::transport::{CookiePrefix, SameSite};
use crate::wire;

/// The common settings of all cookies (session specification, 3.7).
#[derive(Clone, Debug)]
pub(crate) struct CookieSettings {
    pub(crate) access: CookieNames,
    pub(crate) refresh: CookieNames,
    pub(crate) access_path: String,
    pub(crate) refresh_path: String,
    pub(crate) domain: Option<String>,
    /// The `Domain` of cookies that an earlier configuration set. The empty string means host-only
    /// cookies.
    pub(crate) older_domain: Option<String>,
    /// The `Path` of the access token's cookie that an earlier configuration set.
    pub(crate) older_access_path: Option<String>,
    pub(crate) secure: bool,
    /// If set, browsers keep separate cookies for each embedding site.
    pub(crate) partitioned: bool,
}

/// The names of one cookie.
#[derive(Clone, Debug)]
pub(crate) struct CookieNames {
    pub(crate) written: String,
    /// The names under which the cookie is read. The first one found takes precedence.
    read: Vec<ReadName>,
}

/// Which names take precedence in [`CookieNames::also_read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    These,
    Others,
}

/// A name under which a cookie is read.
#[derive(Clone, Debug)]
struct ReadName {
    text: String,
    /// The path of the cookie, if it differs from the written one's.
    path: Option<String>,
    /// `true` if browsers accept a cookie of this name only with the attributes that its prefix
    /// requires.
    is_guarded: bool,
}

/// A cookie found in a request.
#[derive(Clone, Debug)]
pub(crate) struct FoundCookie<T> {
    pub(crate) value: T,
    /// The request carries the cookie more than once (session specification, 3.11).
    pub(crate) is_duplicated: bool,
    /// `true` if browsers guard the name of the cookie.
    pub(crate) is_guarded: bool,
}

impl ReadName {
    fn new(text: String) -> Self {
        let is_guarded = [wire::HOST_COOKIE_PREFIX, wire::SECURE_COOKIE_PREFIX]
            .iter()
            .any(|prefix| {
                let start = text.get(..prefix.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            });
        Self {
            text,
            path: None,
            is_guarded,
        }
    }

    /// Returns `true` if a cookie found under another spelling makes this one ambiguous.
    ///
    /// The reference decodes names before it counts them, which is right for plain names. Browsers
    /// guard a prefix by its letters: another host can set `__%48ost-x`, so an encoded spelling of
    /// a guarded name is the name of another cookie and never counts.
    fn is_also_spelled(&self, found: &[u8]) -> bool {
        !self.is_guarded
            && found.len() > self.text.len()
            && percent_decode(found).eq(self.text.bytes())
    }
}

impl CookieNames {
    /// `is_for_host` is `true` if the cookie meets all requirements of [`wire::HOST_COOKIE_PREFIX`]
    /// except `Secure`.
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
        let read = read.into_iter().map(ReadName::new).collect();
        Self { written, read }
    }

    /// Also reads a cookie of other names at another path, as during a change of the path. Names of
    /// `first` take precedence where both are found.
    pub(crate) fn also_read(self, other: Self, path: &str, first: First) -> Self {
        let at_path = |name| ReadName {
            path: Some(path.to_owned()),
            ..name
        };
        let others = other.read.into_iter().map(at_path);
        let read = match first {
            First::These => self.read.into_iter().chain(others).collect(),
            First::Others => others.chain(self.read).collect(),
        };
        Self {
            written: self.written,
            read,
        }
    }

    /// Returns the names that are read but not written, each with its path if that differs. Writing
    /// the cookie clears it under these names.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let read = self.read.iter();
        read.filter(|name| name.text != self.written)
            .map(|name| (name.text.as_str(), name.path.as_deref()))
    }

    /// Returns `true` if the cookie is read under guarded names only.
    pub(crate) fn are_all_guarded(&self) -> bool {
        self.read.iter().all(|name| name.is_guarded)
    }
}

/// The new value of a cookie.
#[derive(Clone, Debug)]
pub(crate) enum CookieValue<'a> {
    Set {
        value: &'a str,
        expires_at: UnixMillis,
    },
    Clear,
}

/// The properties by which a browser identifies a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CookieId {
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) path: String,
}

/// The characters that `encodeURIComponent` does not escape.
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

/// The last second that an HTTP date can represent.
const LAST_HTTP_SECOND: u64 = 253_402_300_799;

impl CookieSettings {
    /// Returns the value of a `Set-Cookie` header.
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

    /// Returns the partitioned form of a `Set-Cookie` line.
    pub(crate) fn partitioned(line: &str) -> String {
        format!("{line}; Partitioned")
    }
}

fn http_date(at: UnixMillis) -> String {
    let seconds = at.floor_seconds().get().min(LAST_HTTP_SECOND);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The session cookies of a request, collected in one pass. HTTP/2 can split the cookies over
/// several fields.
///
/// The first of several cookies of one name is used. Quotes around a value are removed. A value
/// with an invalid encoding is used as it is. Invalid cookies are ignored.
#[derive(Debug)]
pub(crate) struct CookieReader<'n, A> {
    access: Candidates<'n, A>,
    refresh: Candidates<'n, RefreshToken>,
    pub(crate) has_legacy: bool,
}

/// The maximum number of names under which one cookie is read.
const MOST_NAMES: usize = 4;

#[derive(Debug)]
struct Candidates<'n, T> {
    names: &'n [ReadName],
    values: [Option<T>; MOST_NAMES],
    spellings: [usize; MOST_NAMES],
}

impl<'n, A> CookieReader<'n, A> {
    pub(crate) fn new(settings: &'n CookieSettings) -> Self {
        Self {
            access: Candidates::new(&settings.access.read),
            refresh: Candidates::new(&settings.refresh.read),
            has_legacy: false,
        }
    }

    /// Reads one `Cookie` field. `access` converts the raw value of an access token to the stored
    /// form.
    pub(crate) fn read(&mut self, field: &[u8], access: impl Fn(&[u8]) -> A) {
        for (name, value) in pairs(field) {
            self.access.see(name, value, &access);
            self.refresh
                .see(name, value, &|token| RefreshToken::new(decoded(token)));
            self.has_legacy |= name == wire::LEGACY_ID_REFRESH_COOKIE.as_bytes();
        }
    }

    pub(crate) fn access(&mut self) -> Option<FoundCookie<A>> {
        self.access.take()
    }

    pub(crate) fn refresh(&mut self) -> Option<FoundCookie<RefreshToken>> {
        self.refresh.take()
    }
}

impl<'n, T> Candidates<'n, T> {
    fn new(names: &'n [ReadName]) -> Self {
        Self {
            names,
            values: [const { None }; MOST_NAMES],
            spellings: [0; MOST_NAMES],
        }
    }

    /// The value is read under the exact name only.
    fn see(&mut self, found: &[u8], content: &[u8], keep: &impl Fn(&[u8]) -> T) {
        let slots = self.values.iter_mut().zip(&mut self.spellings);
        for (name, (value, spellings)) in self.names.iter().zip(slots) {
            if found == name.text.as_bytes() {
                *spellings += 1;
                if value.is_none() {
                    *value = Some(keep(unquoted(content)));
                }
            } else if name.is_also_spelled(found) {
                *spellings += 1;
            }
        }
    }

    fn take(&mut self) -> Option<FoundCookie<T>> {
        let at = self.values.iter().position(Option::is_some)?;
        Some(FoundCookie {
            value: self.values.get_mut(at)?.take()?,
            is_duplicated: *self.spellings.get(at)? > 1,
            is_guarded: self.names.get(at)?.is_guarded,
        })
    }
}

/// Returns the names and values in a `Cookie` field (RFC 6265, 4.2.1, parsed leniently). An access
/// token is about a kilobyte long and part of every request, hence the search in bytes with
/// `memchr`.
fn pairs(field: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let ends = memchr_iter(b';', field).chain([field.len()]);
    let mut start = 0;
    ends.filter_map(move |end| {
        let pair = field.get(start..end)?;
        start = end + 1;
        let (name, rest) = pair.split_at_checked(memchr(b'=', pair)?)?;
        let (name, value) = (name.trim_ascii(), rest.get(1..)?.trim_ascii());
        (!name.is_empty()).then_some((name, value))
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// Returns the decoded value of a cookie.
pub(crate) fn decoded(value: &[u8]) -> String {
    let text = text(value);
    match percent_decode_str(&text).decode_utf8() {
        Ok(decoded) => decoded.into_owned(),
        Err(_) => text.into_owned(),
    }
}

/// Returns the identity of the cookie in a `Set-Cookie` line of the application.
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
            // Browsers ignore a leading dot, and the parser drops it.
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

    fn settings(prefix: CookiePrefix) -> CookieSettings {
        CookieSettings {
            access: CookieNames::new("sAccess".into(), prefix, true),
            refresh: CookieNames::new("r".into(), prefix, false),
            access_path: "/".into(),
            refresh_path: "/refresh".into(),
            domain: None,
            older_domain: None,
            older_access_path: None,
            secure: true,
            partitioned: false,
        }
    }

    /// Returns the value, and whether the cookie occurs twice.
    fn read(prefix: CookiePrefix, fields: &[&str]) -> Option<(String, bool)> {
        let settings = settings(prefix);
        let mut reader = CookieReader::new(&settings);
        fields
            .iter()
            .for_each(|field| reader.read(field.as_bytes(), decoded));
        let found = reader.access()?;
        Some((found.value, found.is_duplicated))
    }

    #[test]
    fn cookies_are_found_among_odd_neighbours() {
        let found = |field| read(CookiePrefix::Off, &[field]);
        let one = |value: &str, twice| Some((value.to_owned(), twice));
        let odd = r#"x="q\"; 100%; y=%; sAccess=one; =v; sAccess="two"; %73Access=a%2Bb; z"#;
        assert_eq!(found(odd), one("one", true));
        assert_eq!(found("z; sAccess=\"two\""), one("two", false));
        assert_eq!(found("%73Access=1; sAccess=a%2Bb"), one("a+b", true));
        assert_eq!(found("%73Access=1"), None);
        assert_eq!(found("sAccess=1; x=2"), one("1", false));
        assert_eq!(found("sAccess=%E0%A4%A"), one("%E0%A4%A", false));
        assert_eq!(found("sAccess="), one("", false));
        assert_eq!(found("xsAccess=1; sAccessx=2"), None);
    }

    #[test]
    fn cookies_may_come_in_several_fields() {
        let found = read(CookiePrefix::Off, &["a=1", "sAccess=2; b=3", "c=4"]);
        assert_eq!(found, Some(("2".to_owned(), false)));
        let found = read(CookiePrefix::Off, &["sAccess=2", "sAccess=2"]);
        assert_eq!(found, Some(("2".to_owned(), true)));
    }

    #[test]
    fn the_guarded_cookie_is_used_in_any_position() {
        for field in ["sAccess=1; __Host-sAccess=2", "__Host-sAccess=2; sAccess=1"] {
            let found = read(CookiePrefix::Accept, &[field]);
            assert_eq!(found, Some(("2".to_owned(), false)));
        }
        assert_eq!(read(CookiePrefix::Require, &["sAccess=1"]), None);
    }

    #[test]
    fn only_the_exact_spelling_of_a_guarded_name_is_used() {
        for odd in [
            "__%48ost-sAccess",
            "%5F_Host-sAccess",
            "\u{2000}__Host-sAccess",
            "__host-sAccess",
        ] {
            let good = Some(("2".to_owned(), false));
            for fields in [
                [format!("{odd}=1"), "__Host-sAccess=2".to_owned()],
                ["__Host-sAccess=2".to_owned(), format!("{odd}=1; {odd}=1")],
            ] {
                let fields = fields.each_ref().map(String::as_str);
                for prefix in [
                    CookiePrefix::Accept,
                    CookiePrefix::Prefer,
                    CookiePrefix::Require,
                ] {
                    assert_eq!(read(prefix, &fields), good, "{prefix:?} {fields:?}");
                }
            }
            assert_eq!(read(CookiePrefix::Require, &[&format!("{odd}=1")]), None);
        }
        let twice = read(
            CookiePrefix::Require,
            &["__Host-sAccess=2; __Host-sAccess=3"],
        );
        assert_eq!(twice, Some(("2".to_owned(), true)));
        // A guarded name that the application chose itself is guarded too.
        let names = CookieNames::new("__host-a".into(), CookiePrefix::Off, true);
        assert!(names.are_all_guarded());
    }

    #[test]
    fn a_line_names_the_cookie_that_it_sets() {
        let id = id_of_line("a=b; Domain=.x.y; Path=/p; HttpOnly").unwrap();
        assert_eq!(id, CookieId::new("a", Some(".x.y"), "/p"));
        assert_ne!(id, CookieId::new("a", None, "/p"));
    }
}
