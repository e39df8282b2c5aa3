//! The tokens and headers of a request: read once, synchronously, into owned values.

use super::origin::{FetchSite, OriginHeaders};
use crate::client::Client;
use crate::config::Config;
use crate::cookies::{CookieReader, decoded};
use crate::error::Fault;
use crate::http::{RequestView, text};
use crate::secret::{AccessToken, AntiCsrfToken, RefreshToken};
use crate::transport::{
    AntiCsrf, AuthMode, SameSite, SiteOfRequest, TokenTransferMethod, Transport,
};
use crate::verify::VerifiedToken;
use crate::wire;

/// The request methods that sessions distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestMethod {
    Get,
    /// OPTIONS and TRACE, which carry no session.
    Sessionless,
    Other,
}

/// All parts of a request that sessions use.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) method: RequestMethod,
    access_cookie: Option<Carried>,
    refresh_cookie: Option<RefreshToken>,
    has_duplicate_access_cookie: bool,
    has_duplicate_refresh_cookie: bool,
    /// `true` if browsers guard the name under which the access token's cookie was found.
    has_guarded_access_cookie: bool,
    /// `true` if browsers guard the name under which the refresh token's cookie was found.
    has_guarded_refresh_cookie: bool,
    /// The text after `Bearer `: an access token, a refresh token, or a foreign value.
    bearer: Option<Carried>,
    pub(crate) has_legacy_cookie: bool,
    pub(crate) has_rid: bool,
    /// `true` if the request may come from a page of another site. Determined only for
    /// [`AntiCsrf::ViaOrigin`].
    pub(crate) is_foreign: bool,
    pub(crate) anti_csrf: Option<AntiCsrfToken>,
    /// The transports whose tokens are used.
    pub(crate) allowed: TokenTransferMethod,
    /// The transport of a session that this request creates.
    pub(crate) for_creation: Transport,
    site: Result<SiteOfRequest, String>,
    /// The client, if devices are tracked.
    pub(crate) client: Option<Client>,
}

/// A value that may be an access token. A token that was verified before need not be copied.
#[derive(Debug)]
pub(crate) enum Carried {
    Cached(VerifiedToken),
    Unknown(AccessToken),
}

impl Carried {
    /// `decode` converts a raw value that is not a known token.
    fn of(
        token: &[u8],
        cached: &impl Fn(&[u8]) -> Option<VerifiedToken>,
        decode: fn(&[u8]) -> String,
    ) -> Self {
        match cached(token) {
            Some(verified) => Self::Cached(verified),
            None => Self::Unknown(AccessToken::new(decode(token))),
        }
    }

    pub(crate) fn expose(&self) -> &str {
        match self {
            Self::Cached(verified) => verified.token(),
            Self::Unknown(token) => token.expose(),
        }
    }
}

/// A token and its transport.
#[derive(Clone, Debug)]
pub(crate) struct SelectedToken<T> {
    pub(crate) token: T,
    pub(crate) transport: Transport,
}

/// The request contains two cookies of one name, so the current one cannot be determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DuplicateCookies;

impl Presented {
    /// `cached` returns access tokens that were verified before. If a header that must occur once is
    /// repeated, the first value is used.
    pub(crate) fn read(
        view: &dyn RequestView,
        config: &Config,
        cached: impl Fn(&[u8]) -> Option<VerifiedToken>,
    ) -> Self {
        let mut cookies = CookieReader::new(&config.cookies);
        let (mut authorization, mut anti_csrf, mut auth_mode) = (None, None, None);
        let mut has_rid = false;
        let checks_origin = config.anti_csrf == Some(AntiCsrf::ViaOrigin);
        let mut origin = OriginHeaders::default();
        view.headers(&mut |name, value| match name {
            wire::COOKIE_HEADER => {
                cookies.read(value, |token| Carried::of(token, &cached, decoded));
            }
            wire::AUTHORIZATION_HEADER => {
                authorization.get_or_insert_with(|| bearer(value, &cached));
            }
            wire::ANTI_CSRF_HEADER => {
                anti_csrf.get_or_insert_with(|| AntiCsrfToken::new(text(value)));
            }
            wire::AUTH_MODE_HEADER => {
                auth_mode.get_or_insert_with(|| AuthMode::of(value));
            }
            // An empty header proves nothing, because proxies add such headers.
            wire::RID_HEADER => has_rid |= !value.trim_ascii().is_empty(),
            wire::SEC_FETCH_SITE_HEADER if checks_origin => {
                origin
                    .fetch_site
                    .get_or_insert_with(|| FetchSite::of(value));
            }
            wire::ORIGIN_HEADER if checks_origin => {
                origin
                    .origin
                    .get_or_insert_with(|| text(value).into_owned());
            }
            _ => {}
        });
        let is_foreign = checks_origin
            && origin.is_foreign(view.method(), config.trusts_same_site, |origin| {
                config.is_own_origin(view, origin)
            });
        let (access, refresh) = (cookies.access(), cookies.refresh());
        Self {
            method: match view.method() {
                "GET" => RequestMethod::Get,
                "OPTIONS" | "TRACE" => RequestMethod::Sessionless,
                _ => RequestMethod::Other,
            },
            has_duplicate_access_cookie: access.as_ref().is_some_and(|found| found.is_duplicated),
            has_duplicate_refresh_cookie: refresh.as_ref().is_some_and(|found| found.is_duplicated),
            has_guarded_access_cookie: access.as_ref().is_some_and(|found| found.is_guarded),
            has_guarded_refresh_cookie: refresh.as_ref().is_some_and(|found| found.is_guarded),
            access_cookie: access.map(|found| found.value),
            refresh_cookie: refresh.map(|found| found.value),
            bearer: authorization.flatten(),
            has_legacy_cookie: cookies.has_legacy,
            has_rid,
            is_foreign,
            anti_csrf,
            allowed: config.allowed_method(view),
            for_creation: config.transport_for_creation(view, auth_mode),
            site: config.site_of(view),
            client: config.client_of(view),
        }
    }

    /// Returns the access token to use, if any (session specification, 3.4). Foreign values are
    /// ignored, a header takes precedence over a cookie, and there is no fallback.
    ///
    /// `ours` returns `None` for a foreign value.
    pub(crate) fn access_token<'a, T>(
        &'a self,
        ours: impl Fn(&'a Carried) -> Option<T>,
    ) -> Result<Option<SelectedToken<T>>, DuplicateCookies> {
        if self.allowed.allows(Transport::Header)
            && let Some(bearer) = &self.bearer
            && let Some(token) = ours(bearer)
        {
            return Ok(Some(SelectedToken {
                token,
                transport: Transport::Header,
            }));
        }
        if self.allowed.allows(Transport::Cookie)
            && let Some(cookie) = &self.access_cookie
            && let Some(token) = ours(cookie)
        {
            return if self.has_duplicate_access_cookie {
                Err(DuplicateCookies)
            } else {
                Ok(Some(SelectedToken {
                    token,
                    transport: Transport::Cookie,
                }))
            };
        }
        Ok(None)
    }

    /// Returns the refresh token to use, if any (session specification, 7.2).
    ///
    /// Any bearer value is accepted, because a refresh token cannot be distinguished from a foreign
    /// token.
    pub(crate) fn refresh_token(&self) -> Option<SelectedToken<RefreshToken>> {
        if self.allowed.allows(Transport::Header)
            && let Some(token) = &self.bearer
        {
            let token = RefreshToken::new(token.expose());
            return Some(SelectedToken {
                token,
                transport: Transport::Header,
            });
        }
        let token = self
            .refresh_cookie
            .clone()
            .filter(|token| !token.expose().is_empty())?;
        self.allowed
            .allows(Transport::Cookie)
            .then_some(SelectedToken {
                token,
                transport: Transport::Cookie,
            })
    }

    /// Returns the refresh token with which the request can be refreshed in place: a cookie that is
    /// sent once.
    pub(crate) fn refresh_token_in_place(&self) -> Option<&RefreshToken> {
        let is_usable = self.allowed.allows(Transport::Cookie)
            && !self.has_duplicate_refresh_cookie
            && !self.has_duplicate_access_cookie()
            && self.carries_refresh_token(Transport::Cookie);
        self.refresh_cookie.as_ref().filter(|_| is_usable)
    }

    /// Returns `true` if the request carries a possible access token by this transport. Quirk: any
    /// bearer value and an empty cookie count (session specification, 3.6).
    pub(crate) fn carries_access_token(&self, transport: Transport) -> bool {
        match transport {
            Transport::Cookie => self.access_cookie.is_some(),
            Transport::Header => self.bearer.is_some(),
        }
    }

    /// Returns `true` if the request carries a possible refresh token by this transport.
    pub(crate) fn carries_refresh_token(&self, transport: Transport) -> bool {
        match transport {
            Transport::Cookie => self
                .refresh_cookie
                .as_ref()
                .is_some_and(|token| !token.expose().is_empty()),
            Transport::Header => self.bearer.is_some(),
        }
    }

    /// Returns `true` if a refresh cannot determine which access token's cookie is current.
    ///
    /// If the refresh token has a guarded name, cookies under plain names are ignored, because
    /// another host can plant them.
    pub(crate) fn has_duplicate_access_cookie(&self) -> bool {
        let is_planted = self.has_guarded_refresh_cookie && !self.has_guarded_access_cookie;
        self.has_duplicate_access_cookie && !is_planted
    }

    pub(crate) fn has_duplicate_refresh_cookie(&self) -> bool {
        self.has_duplicate_refresh_cookie
    }

    /// Returns `true` if the request may belong to a session of an old generation of SDKs (session
    /// specification, 3.14).
    ///
    /// The name of that cookie is plain, so another host can plant it, and a refresh would not
    /// remove it. It is ignored if the session's own cookie has a guarded name.
    pub(crate) fn is_of_legacy_session(&self, config: &Config) -> bool {
        let is_guarded = self.has_guarded_access_cookie || config.cookies.access.are_all_guarded();
        self.has_legacy_cookie && !is_guarded
    }

    /// Returns the properties of cookies for the website's origin.
    pub(crate) fn site(&self) -> Result<SiteOfRequest, Fault> {
        self.site.clone().map_err(Fault::misuse)
    }

    /// Returns the configured anti-CSRF mode, or the default for the cookies' `SameSite` (session
    /// specification, 6.2).
    pub(crate) fn anti_csrf_mode(&self, config: &Config) -> Result<AntiCsrf, Fault> {
        match config.anti_csrf {
            Some(mode) => Ok(mode),
            None if self.site()?.same_site == SameSite::None => Ok(AntiCsrf::ViaCustomHeader),
            None => Ok(AntiCsrf::None),
        }
    }
}

/// Returns the text after the scheme, which is matched case-insensitively (RFC 9110, 11.1).
fn bearer(value: &[u8], cached: &impl Fn(&[u8]) -> Option<VerifiedToken>) -> Option<Carried> {
    const SCHEME: &[u8] = b"Bearer ";
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| {
        let token = token.trim_ascii();
        Carried::of(token, cached, |token| text(token).into_owned())
    })
}
