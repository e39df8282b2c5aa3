//! The token changes of a response. Each token has one slot per transport, so the last change takes
//! effect and nothing is sent twice.

use super::caching;
use crate::clock::UnixMillis;
use crate::config::Config;
use crate::cookies::{CookieId, CookieNames, CookieSettings, CookieValue, id_of_line};
use crate::http::{ResponseHead, values_of};
use crate::secret::{AccessToken, AntiCsrfToken, FrontToken, RefreshToken};
use crate::transport::{SameSite, Transport};
use crate::wire;

/// The token changes of a response (session specification, 3.5 and 3.6).
#[derive(Debug, Default)]
pub(crate) struct ResponsePlan {
    access_cookie: Option<Slot<(AccessToken, UnixMillis)>>,
    refresh_cookie: Option<Slot<(RefreshToken, UnixMillis)>>,
    access_header: Option<Slot<AccessToken>>,
    refresh_header: Option<Slot<RefreshToken>>,
    /// Clearing sends `remove`.
    front_token: Option<Slot<FrontToken>>,
    anti_csrf: Option<AntiCsrfToken>,
    clear_legacy_cookie: bool,
    clear_older_access_cookie: bool,
    clear_older_refresh_cookie: bool,
    clear_older_access_path: bool,
    same_site: Option<SameSite>,
}

#[derive(Debug)]
enum Slot<T> {
    Set(T),
    Clear,
}

/// Tokens for a response. Without a refresh token, only the access token is reissued.
#[derive(Clone, Debug)]
pub(crate) struct TokensOut {
    pub(crate) access: AccessToken,
    pub(crate) front_token: FrontToken,
    pub(crate) refresh: Option<(RefreshToken, UnixMillis)>,
    pub(crate) anti_csrf: Option<AntiCsrfToken>,
}

/// The cookie intentionally outlives its token: its presence means "refresh" instead of "no
/// session".
const ACCESS_COOKIE_LIFETIME: std::time::Duration =
    std::time::Duration::from_secs(365 * 24 * 60 * 60);

impl ResponsePlan {
    /// Sends tokens by one transport.
    pub(crate) fn attach(
        &mut self,
        tokens: TokensOut,
        transport: Transport,
        same_site: SameSite,
        expose_access_token: bool,
        now: UnixMillis,
    ) {
        self.same_site = Some(same_site);
        self.front_token = Some(Slot::Set(tokens.front_token));
        match transport {
            Transport::Cookie => {
                if expose_access_token {
                    self.access_header = Some(Slot::Set(tokens.access.clone()));
                }
                self.access_cookie = Some(Slot::Set((
                    tokens.access,
                    now.after(ACCESS_COOKIE_LIFETIME),
                )));
                if let Some(refresh) = tokens.refresh {
                    self.refresh_cookie = Some(Slot::Set(refresh));
                }
            }
            Transport::Header => {
                self.access_header = Some(Slot::Set(tokens.access));
                if let Some((refresh, _)) = tokens.refresh {
                    self.refresh_header = Some(Slot::Set(refresh));
                }
            }
        }
        if let Some(anti_csrf) = tokens.anti_csrf {
            self.anti_csrf = Some(anti_csrf);
        }
    }

    /// Sends only a refresh token.
    pub(crate) fn attach_refresh_token(
        &mut self,
        refresh: (RefreshToken, UnixMillis),
        transport: Transport,
        same_site: SameSite,
    ) {
        self.same_site = Some(same_site);
        match transport {
            Transport::Cookie => self.refresh_cookie = Some(Slot::Set(refresh)),
            Transport::Header => self.refresh_header = Some(Slot::Set(refresh.0)),
        }
    }

    /// Clears both tokens of one transport at the client.
    pub(crate) fn clear(&mut self, transport: Transport, same_site: SameSite) {
        self.same_site = Some(same_site);
        match transport {
            Transport::Cookie => {
                self.access_cookie = Some(Slot::Clear);
                self.refresh_cookie = Some(Slot::Clear);
                // An access token that was exposed in addition to the cookie is not sent either.
                if matches!(self.access_header, Some(Slot::Set(_))) {
                    self.access_header = None;
                }
            }
            Transport::Header => {
                self.access_header = Some(Slot::Clear);
                self.refresh_header = Some(Slot::Clear);
            }
        }
        self.front_token = Some(Slot::Clear);
        self.anti_csrf = None;
    }

    /// Clears all tokens at the client, regardless of what the request carried.
    pub(crate) fn clear_all(&mut self, same_site: SameSite) {
        self.clear(Transport::Cookie, same_site);
        self.clear(Transport::Header, same_site);
    }

    pub(crate) fn clear_legacy_cookie(&mut self, same_site: SameSite) {
        self.same_site = Some(same_site);
        self.clear_legacy_cookie = true;
    }

    /// Clears cookies that an earlier configuration set on another domain.
    pub(crate) fn clear_older_cookies(&mut self, access: bool, refresh: bool, same_site: SameSite) {
        self.same_site = Some(same_site);
        self.clear_older_access_cookie |= access;
        self.clear_older_refresh_cookie |= refresh;
    }

    /// Clears the access token's cookie that an earlier configuration set for another path.
    pub(crate) fn clear_older_access_path(&mut self, same_site: SameSite) {
        self.same_site = Some(same_site);
        self.clear_older_access_path = true;
    }

    pub(crate) fn is_empty(&self) -> bool {
        // Every planned change sets the `SameSite` of its cookies.
        self.same_site.is_none()
    }

    /// Writes all changes to the head of a response.
    pub(crate) fn apply(&self, config: &Config, head: &mut dyn ResponseHead) {
        if self.is_empty() {
            return;
        }
        let mut exposed = Vec::new();
        let mut header = |head: &mut dyn ResponseHead, name: &str, value: &str| {
            head.remove_header(name);
            head.append_header(name, value, true);
            exposed.push(name.to_owned());
        };
        if let Some(front_token) = &self.front_token {
            let value = match front_token {
                Slot::Set(value) => value.expose(),
                Slot::Clear => wire::FRONT_TOKEN_REMOVE,
            };
            header(head, wire::FRONT_TOKEN_HEADER, value);
        }
        if let Some(slot) = &self.access_header {
            header(
                head,
                &config.access_token_header,
                slot.value(AccessToken::expose),
            );
        }
        if let Some(slot) = &self.refresh_header {
            header(
                head,
                &config.refresh_token_header,
                slot.value(RefreshToken::expose),
            );
        }
        match (&self.anti_csrf, &self.front_token) {
            (Some(anti_csrf), _) => header(head, wire::ANTI_CSRF_HEADER, anti_csrf.expose()),
            (None, Some(Slot::Clear)) => head.remove_header(wire::ANTI_CSRF_HEADER),
            (None, _) => {}
        }
        if !exposed.is_empty() {
            expose(head, &exposed);
        }
        let cookies = self.cookie_lines(&config.cookies);
        if !cookies.is_empty() {
            set_cookies(head, &cookies);
        }
        caching::keep_out_of_shared_caches(head);
    }

    fn cookie_lines(&self, cookies: &CookieSettings) -> Vec<(CookieId, String)> {
        let same_site = self.same_site.unwrap_or(SameSite::Lax);
        let mut lines = CookieLines {
            cookies,
            same_site,
            lines: Vec::new(),
        };
        let (domain, older) = (cookies.domain.as_deref(), cookies.older_domain.as_deref());
        let (access, access_path) = (&cookies.access, cookies.access_path.as_str());
        let (refresh, refresh_path) = (&cookies.refresh, cookies.refresh_path.as_str());
        if let Some(slot) = &self.access_cookie {
            lines.write(
                access,
                access_path,
                domain,
                &slot.cookie(AccessToken::expose),
            );
        }
        if let Some(slot) = &self.refresh_cookie {
            lines.write(
                refresh,
                refresh_path,
                domain,
                &slot.cookie(RefreshToken::expose),
            );
        }
        if self.clear_legacy_cookie {
            lines.clear(wire::LEGACY_ID_REFRESH_COOKIE, access_path, domain);
        }
        if self.clear_older_access_cookie {
            lines.write(access, access_path, older, &CookieValue::Clear);
        }
        if self.clear_older_refresh_cookie {
            lines.write(refresh, refresh_path, older, &CookieValue::Clear);
        }
        if let Some(path) = cookies
            .older_access_path
            .as_deref()
            .filter(|_| self.clear_older_access_path)
        {
            lines.write(access, path, domain, &CookieValue::Clear);
        }
        lines.lines
    }
}

/// The `Set-Cookie` lines of a response.
struct CookieLines<'a> {
    cookies: &'a CookieSettings,
    same_site: SameSite,
    lines: Vec<(CookieId, String)>,
}

impl CookieLines<'_> {
    /// Sets or clears a cookie, and clears it under the names that an earlier configuration used.
    fn write(
        &mut self,
        names: &CookieNames,
        path: &str,
        domain: Option<&str>,
        value: &CookieValue<'_>,
    ) {
        for (other, own_path) in names.others() {
            self.clear(other, own_path.unwrap_or(path), domain);
        }
        self.push(&names.written, path, domain, value);
    }

    fn clear(&mut self, name: &str, path: &str, domain: Option<&str>) {
        self.push(name, path, domain, &CookieValue::Clear);
    }

    fn push(&mut self, name: &str, path: &str, domain: Option<&str>, value: &CookieValue<'_>) {
        let line =
            |value: &CookieValue<'_>| self.cookies.line(name, path, domain, value, self.same_site);
        let id = CookieId::new(name, domain, path);
        if self.cookies.partitioned {
            // A browser sends both cookies of a name, the partitioned and the older unpartitioned
            // one. A browser without partitions treats both lines as the same cookie, and the last
            // one takes effect.
            self.lines.push((id.clone(), line(&CookieValue::Clear)));
            self.lines
                .push((id, CookieSettings::partitioned(&line(value))));
        } else {
            self.lines.push((id, line(value)));
        }
    }
}

impl<T> Slot<T> {
    fn value<'a>(&'a self, expose: impl Fn(&'a T) -> &'a str) -> &'a str {
        match self {
            Self::Set(token) => expose(token),
            Self::Clear => "",
        }
    }
}

impl<T> Slot<(T, UnixMillis)> {
    fn cookie<'a>(&'a self, expose: impl Fn(&'a T) -> &'a str) -> CookieValue<'a> {
        match self {
            Self::Set((token, expires_at)) => CookieValue::Set {
                value: expose(token),
                expires_at: *expires_at,
            },
            Self::Clear => CookieValue::Clear,
        }
    }
}

/// Adds names to the list of exposed headers. Names that the application added are kept, and none
/// appears twice.
fn expose(head: &mut dyn ResponseHead, names: &[String]) {
    let mut list = values_of(head, wire::EXPOSE_HEADERS_HEADER).join(", ");
    for name in names {
        if !list
            .split(',')
            .any(|listed| listed.trim().eq_ignore_ascii_case(name))
        {
            if !list.is_empty() {
                list.push_str(", ");
            }
            list.push_str(name);
        }
    }
    head.remove_header(wire::EXPOSE_HEADERS_HEADER);
    head.append_header(wire::EXPOSE_HEADERS_HEADER, &list, false);
}

/// Adds cookies. They replace those with the same name, domain and path in the response.
fn set_cookies(head: &mut dyn ResponseHead, cookies: &[(CookieId, String)]) {
    let present = values_of(head, wire::SET_COOKIE_HEADER);
    let replaced = |line: &String| {
        id_of_line(line).is_some_and(|id| cookies.iter().any(|(ours, _)| *ours == id))
    };
    if present.iter().any(replaced) {
        head.remove_header(wire::SET_COOKIE_HEADER);
        for line in present.iter().filter(|line| !replaced(line)) {
            head.append_header(wire::SET_COOKIE_HEADER, line, true);
        }
    }
    for (_, line) in cookies {
        head.append_header(wire::SET_COOKIE_HEADER, line, true);
    }
}
