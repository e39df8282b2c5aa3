//! How tokens travel: where they are in a request, which method counts, how they are written and
//! cleared.
//!
//! Plain functions over [`RequestView`](crate::http::RequestView) and [`ResponsePlan`]; no I/O, no
//! store, no clock.

mod caching;
mod cookie;
mod plan;
mod read;
pub(crate) mod size;

use std::str::FromStr;

pub(crate) use cookie::{CookieNames, CookieSettings};
pub(crate) use plan::ResponsePlan;
pub(crate) use plan::TokensOut;
pub(crate) use read::{
    AuthMode, Carried, DuplicateCookies, Presented, RequestMethod, SelectedToken, SiteOfRequest,
};

/// How tokens travel between the client and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenTransferMethod {
    /// In httpOnly cookies.
    Cookie,
    /// In headers, which the client's own code stores.
    Header,
    /// Whichever the request uses.
    Any,
}

/// One of the two ways; what [`TokenTransferMethod::Any`] resolves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transport {
    Cookie,
    Header,
}

impl Transport {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Cookie => Self::Header,
            Self::Header => Self::Cookie,
        }
    }
}

impl TokenTransferMethod {
    pub(crate) fn allows(self, transport: Transport) -> bool {
        match self {
            Self::Any => true,
            Self::Cookie => transport == Transport::Cookie,
            Self::Header => transport == Transport::Header,
        }
    }
}

/// The `SameSite` attribute of cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SameSite {
    /// Sent on same-site requests and on top-level navigation.
    Lax,
    /// Sent on same-site requests only.
    Strict,
    /// Sent always; browsers demand `Secure` with it.
    None,
}

impl SameSite {
    pub(crate) fn as_attribute(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}

/// The text is none of the values of `SameSite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cookie same site must be one of \"strict\", \"lax\", or \"none\"")]
pub struct InvalidSameSite;

impl FromStr for SameSite {
    type Err = InvalidSameSite;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "lax" => Ok(Self::Lax),
            "strict" => Ok(Self::Strict),
            "none" => Ok(Self::None),
            _ => Err(InvalidSameSite),
        }
    }
}

/// Whether the names of cookies have a prefix by which browsers guard them: `__Host-` for the access
/// token's cookie if it has no `Domain` and the path `/`, `__Secure-` for all others (RFC 6265bis,
/// 4.1.3). Without one, whoever controls a sibling domain, or an unencrypted connection, can plant
/// a cookie of the same name.
///
/// The variants are the steps of a changeover that logs nobody out. One step at a time, each on all
/// nodes before the next, forth and back; [`Self::Require`] when sessions that were last refreshed
/// before [`Self::Prefer`] have expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CookiePrefix {
    /// Names without a prefix are written and read, as the reference does.
    #[default]
    Off,
    /// Names without a prefix are written, both are read.
    Accept,
    /// Names with a prefix are written, both are read. A new installation need not begin before
    /// this one.
    Prefer,
    /// Names with a prefix are written and read. Only now is a planted cookie of no use.
    Require,
}

/// The text is none of the steps of [`CookiePrefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cookie prefix must be one of \"off\", \"accept\", \"prefer\", or \"require\"")]
pub struct InvalidCookiePrefix;

impl FromStr for CookiePrefix {
    type Err = InvalidCookiePrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "off" => Ok(Self::Off),
            "accept" => Ok(Self::Accept),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            _ => Err(InvalidCookiePrefix),
        }
    }
}

/// How a request proves that it was made by the application's own page (session specification,
/// section 6).
///
/// Applies to sessions in cookies only; a header cannot be sent by another site's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AntiCsrf {
    /// The `anti-csrf` header must repeat a token that belongs to the session.
    ViaToken,
    /// A `rid` header with a value must be there: another site cannot send one without a CORS
    /// preflight.
    ViaCustomHeader,
    /// No check; right where cookies are `SameSite=Lax` or `Strict`.
    None,
}

/// The text is none of the anti-CSRF modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("antiCsrf config must be one of 'NONE' or 'VIA_CUSTOM_HEADER' or 'VIA_TOKEN'")]
pub struct InvalidAntiCsrf;

impl FromStr for AntiCsrf {
    type Err = InvalidAntiCsrf;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "VIA_TOKEN" => Ok(Self::ViaToken),
            "VIA_CUSTOM_HEADER" => Ok(Self::ViaCustomHeader),
            "NONE" => Ok(Self::None),
            _ => Err(InvalidAntiCsrf),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_text() {
        assert_eq!(" Lax ".parse(), Ok(SameSite::Lax));
        assert_eq!("random".parse::<SameSite>(), Err(InvalidSameSite));
        assert_eq!("Require".parse(), Ok(CookiePrefix::Require));
        assert_eq!("".parse::<CookiePrefix>(), Err(InvalidCookiePrefix));
        assert_eq!("VIA_TOKEN".parse(), Ok(AntiCsrf::ViaToken));
        assert_eq!("RANDOM".parse::<AntiCsrf>(), Err(InvalidAntiCsrf));
    }
}
