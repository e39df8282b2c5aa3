//! What a request carries: read once, synchronously, into owned value.

use super::cookie::{CookieNames, value};
use super::{AntiCsrf, SameSite, TokenTransferMethod, Transport};
use crate::config::Config;
use crate::devices::Client;
use crate::error::Fault;
use crate::http::RequestView;
use crate::secret::{AccessToken, AntiCsrfToken, RefreshToken};
use crate::token::access;
use crate::wire;

/// The methods that sessions tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestMethod {
    Get,
    /// OPTIONS and TRACE, which carry no session.
    Sessionless,
    Other,
}

/// Everything about a request that sessions look at.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) method: RequestMethod,
    access_cookie: Option<AccessToken>,
    refresh_cookie: Option<RefreshToken>,
    has_duplicate_access_cookie: bool,
    has_duplicate_refresh_cookie: bool,
    /// The text behind `Bearer `: an access or a refresh token, or somebody else's.
    bearer: Option<AccessToken>,
    pub(crate) has_legacy_cookie: bool,
    pub(crate) has_rid: bool,
    pub(crate) anti_csrf: Option<AntiCsrfToken>,
    /// Which tokens count.
    pub(crate) allowed: TokenTransferMethod,
    /// How a session that is created here travels.
    pub(crate) for_creation: Transport,
    site: Result<SiteOfRequest, String>,
    /// Who sends it, if that is to be noted.
    pub(crate) client: Option<Client>,
}

/// What the website's origin means for cookies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SiteOfRequest {
    pub(crate) same_site: SameSite,
    /// API and website are both on localhost or an IP address.
    pub(crate) is_local: bool,
}

/// A token, and where it was.
#[derive(Clone, Debug)]
pub(crate) struct SelectedToken<T> {
    pub(crate) token: T,
    pub(crate) transport: Transport,
}

/// Two cookies of one name: it cannot be known which one is current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DuplicateCookies;

impl Presented {
    pub(crate) fn read(view: &dyn RequestView, config: &Config) -> Self {
        let cookies = joined_cookies(view);
        let find = |names: &CookieNames| names.find(cookies.as_deref()?);
        let (access, refresh) = (find(&config.cookies.access), find(&config.cookies.refresh));
        let has_legacy_cookie = cookies
            .as_deref()
            .is_some_and(|header| value(header, wire::LEGACY_ID_REFRESH_COOKIE).is_some());
        let auth_mode = view.header(wire::AUTH_MODE_HEADER);
        let for_creation = match config.transfer_method(view, true) {
            TokenTransferMethod::Cookie => Transport::Cookie,
            TokenTransferMethod::Any if auth_mode.as_deref() == Some("cookie") => Transport::Cookie,
            TokenTransferMethod::Any | TokenTransferMethod::Header => Transport::Header,
        };
        Self {
            method: match view.method() {
                "GET" => RequestMethod::Get,
                "OPTIONS" | "TRACE" => RequestMethod::Sessionless,
                _ => RequestMethod::Other,
            },
            has_duplicate_access_cookie: access.as_ref().is_some_and(|found| found.is_duplicated),
            has_duplicate_refresh_cookie: refresh.as_ref().is_some_and(|found| found.is_duplicated),
            access_cookie: access.map(|found| AccessToken::new(found.value)),
            refresh_cookie: refresh.map(|found| RefreshToken::new(found.value)),
            bearer: bearer(view).map(AccessToken::new),
            has_legacy_cookie,
            has_rid: view.header(wire::RID_HEADER).is_some(),
            anti_csrf: view.header(wire::ANTI_CSRF_HEADER).map(AntiCsrfToken::new),
            allowed: config.transfer_method(view, false),
            for_creation,
            site: config.site_of(view),
            client: config.client_of(view),
        }
    }

    /// The access token that counts, if any (session specification, 3.4): foreign value are passed
    /// over, a header beats a cookie, and there is no second choice.
    pub(crate) fn access_token(
        &self,
    ) -> Result<Option<SelectedToken<&AccessToken>>, DuplicateCookies> {
        let ours = |token: &&AccessToken| access::parse(token.expose()).is_ok();
        if self.allowed.allows(Transport::Header)
            && let Some(token) = self.bearer.as_ref().filter(ours)
        {
            return Ok(Some(SelectedToken {
                token,
                transport: Transport::Header,
            }));
        }
        if self.allowed.allows(Transport::Cookie)
            && let Some(token) = self.access_cookie.as_ref().filter(ours)
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

    /// The refresh token that counts, if any (session specification, 7.2).
    ///
    /// Any bearer value is taken for one: nothing tells a refresh token from somebody else's token.
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

    /// Whether anything that may be an access token came this way. Quirk: any bearer value counts,
    /// as does an empty cookie (session specification, 3.6).
    pub(crate) fn carries_access_token(&self, transport: Transport) -> bool {
        match transport {
            Transport::Cookie => self.access_cookie.is_some(),
            Transport::Header => self.bearer.is_some(),
        }
    }

    /// Whether anything that may be a refresh token came this way.
    pub(crate) fn carries_refresh_token(&self, transport: Transport) -> bool {
        match transport {
            Transport::Cookie => self
                .refresh_cookie
                .as_ref()
                .is_some_and(|token| !token.expose().is_empty()),
            Transport::Header => self.bearer.is_some(),
        }
    }

    pub(crate) fn has_duplicate_access_cookie(&self) -> bool {
        self.has_duplicate_access_cookie
    }

    pub(crate) fn has_duplicate_refresh_cookie(&self) -> bool {
        self.has_duplicate_refresh_cookie
    }

    /// What the website's origin means for cookies.
    pub(crate) fn site(&self) -> Result<SiteOfRequest, Fault> {
        self.site.clone().map_err(Fault::misuse)
    }

    /// The anti-CSRF mode: the configured one, or the one that fits the cookies' `SameSite`
    /// (session specification, 6.2).
    pub(crate) fn anti_csrf_mode(&self, config: &Config) -> Result<AntiCsrf, Fault> {
        match config.anti_csrf {
            Some(mode) => Ok(mode),
            None if self.site()?.same_site == SameSite::None => Ok(AntiCsrf::ViaCustomHeader),
            None => Ok(AntiCsrf::None),
        }
    }
}

/// HTTP/2 may split the cookies over several fields.
fn joined_cookies(view: &dyn RequestView) -> Option<String> {
    let mut joined: Option<String> = None;
    view.header_values(wire::COOKIE_HEADER, &mut |value| {
        let value = String::from_utf8_lossy(value);
        match &mut joined {
            Some(joined) => {
                joined.push_str("; ");
                joined.push_str(&value);
            }
            None => joined = Some(value.into_owned()),
        }
    });
    joined
}

/// The scheme is matched as it is written, with one space (session specification, 3.4).
fn bearer(view: &dyn RequestView) -> Option<String> {
    let header = view.header(wire::AUTHORIZATION_HEADER)?;
    Some(header.strip_prefix("Bearer ")?.trim().to_owned())
}
