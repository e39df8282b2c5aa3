//! What a request carries: read once, synchronously, into owned values.

use super::cookie::{CookieReader, decoded};
use super::{AntiCsrf, SameSite, TokenTransferMethod, Transport};
use crate::config::Config;
use crate::devices::Client;
use crate::error::Fault;
use crate::http::{RequestView, text};
use crate::secret::{AccessToken, AntiCsrfToken, RefreshToken};
use crate::verify::Verified;
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
    access_cookie: Option<Carried>,
    refresh_cookie: Option<RefreshToken>,
    has_duplicate_access_cookie: bool,
    has_duplicate_refresh_cookie: bool,
    /// Browsers guard the name under which the access token's cookie came.
    has_guarded_access_cookie: bool,
    /// Browsers guard the name under which the refresh token's cookie came.
    has_guarded_refresh_cookie: bool,
    /// The text behind `Bearer `: an access or a refresh token, or somebody else's.
    bearer: Option<Carried>,
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

/// A value that may be an access token. One that was verified before need not be copied.
#[derive(Debug)]
pub(crate) enum Carried {
    Seen(Verified),
    Unknown(AccessToken),
}

impl Carried {
    /// `decode` reads what is not known as it stands.
    fn of(
        token: &[u8],
        seen: &impl Fn(&[u8]) -> Option<Verified>,
        decode: fn(&[u8]) -> String,
    ) -> Self {
        match seen(token) {
            Some(verified) => Self::Seen(verified),
            None => Self::Unknown(AccessToken::new(decode(token))),
        }
    }

    pub(crate) fn expose(&self) -> &str {
        match self {
            Self::Seen(verified) => verified.token(),
            Self::Unknown(token) => token.expose(),
        }
    }
}

/// How a client asks for its tokens (session specification, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMode {
    Cookie,
    /// The same word in other letters, which does not always count.
    CookieInOtherCase,
    Other,
}

impl AuthMode {
    fn of(value: &[u8]) -> Self {
        match value {
            b"cookie" => Self::Cookie,
            _ if value.eq_ignore_ascii_case(b"cookie") => Self::CookieInOtherCase,
            _ => Self::Other,
        }
    }
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
    /// `seen` knows the access tokens that were verified before. Of a header that may come once, the
    /// first counts.
    pub(crate) fn read(
        view: &dyn RequestView,
        config: &Config,
        seen: impl Fn(&[u8]) -> Option<Verified>,
    ) -> Self {
        let mut cookies = CookieReader::new(&config.cookies);
        let (mut authorization, mut anti_csrf, mut auth_mode) = (None, None, None);
        let mut has_rid = false;
        view.headers(&mut |name, value| match name {
            wire::COOKIE_HEADER => {
                cookies.read(value, |token| Carried::of(token, &seen, decoded));
            }
            wire::AUTHORIZATION_HEADER => {
                authorization.get_or_insert_with(|| bearer(value, &seen));
            }
            wire::ANTI_CSRF_HEADER => {
                anti_csrf.get_or_insert_with(|| AntiCsrfToken::new(text(value)));
            }
            wire::AUTH_MODE_HEADER => {
                auth_mode.get_or_insert_with(|| AuthMode::of(value));
            }
            // A header without a value proves nothing: proxies add such headers.
            wire::RID_HEADER => has_rid |= !value.trim_ascii().is_empty(),
            _ => {}
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
            anti_csrf,
            allowed: config.allowed_method(view),
            for_creation: config.transport_for_creation(view, auth_mode),
            site: config.site_of(view),
            client: config.client_of(view),
        }
    }

    /// The access token that counts, if any (session specification, 3.4): foreign values are passed
    /// over, a header beats a cookie, and there is no second choice.
    ///
    /// `ours` looks at a value, and gives something if it is not foreign.
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

    /// Returns `true` if a refresh cannot know which access token's cookie is current.
    ///
    /// Beside a refresh token under a guarded name, cookies under plain names do not count: another
    /// host can plant them.
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
    /// remove it. It does not count where the session's own cookie has a guarded name.
    pub(crate) fn is_of_legacy_session(&self, config: &Config) -> bool {
        let is_guarded = self.has_guarded_access_cookie || config.cookies.access.are_all_guarded();
        self.has_legacy_cookie && !is_guarded
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

/// The text behind the scheme, which is matched in any case (RFC 9110, 11.1).
fn bearer(value: &[u8], seen: &impl Fn(&[u8]) -> Option<Verified>) -> Option<Carried> {
    const SCHEME: &[u8] = b"Bearer ";
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| {
        let token = token.trim_ascii();
        Carried::of(token, seen, |token| text(token).into_owned())
    })
}
