//! The transport of tokens: cookies or headers, cookie attributes, and protection against other
//! sites.

use std::str::FromStr;

/// The transport of tokens between the client and this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenTransferMethod {
    /// In httpOnly cookies.
    Cookie,
    /// In headers. The client's own code stores the tokens.
    Header,
    /// The transport that the request uses.
    Any,
}

/// The reason why the transport of a request's tokens is selected, in
/// [`SessionsBuilder::token_transfer_method`](crate::SessionsBuilder::token_transfer_method).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransferPurpose {
    /// To read the tokens that the request carries.
    Reading,
    /// To send the tokens of a session that the request creates.
    Creation,
}

/// One of the two transports. [`TokenTransferMethod::Any`] resolves to one of them.
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
#[non_exhaustive]
pub enum SameSite {
    /// Sent on same-site requests and on top-level navigation.
    Lax,
    /// Sent on same-site requests only.
    Strict,
    /// Always sent. Browsers require `Secure` with it.
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

/// The text is not a value of `SameSite`.
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

/// The use of cookie name prefixes that browsers guard: `__Host-` for the access token's cookie if
/// it has no `Domain` and the path `/`, `__Secure-` for all other cookies (RFC 6265bis, 4.1.3).
/// Without a prefix, an attacker who controls a sibling domain or an unencrypted connection can
/// plant a cookie of the same name.
///
/// The variants are the steps of a changeover that signs no user out. Move one step at a time, in
/// either direction, and deploy each step on all nodes before the next. Move to [`Self::Require`]
/// once all sessions that were last refreshed before [`Self::Prefer`] have expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CookiePrefix {
    /// Names without a prefix are written and read, as the reference does.
    #[default]
    Off,
    /// Names without a prefix are written, both are read.
    Accept,
    /// Names with a prefix are written, both are read. A new installation can start with this step.
    Prefer,
    /// Names with a prefix are written and read. Only this step makes a planted cookie useless.
    Require,
}

/// The text is not a step of [`CookiePrefix`].
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

/// The proof that a request was made by the application's own page (session specification, section
/// 6).
///
/// Applies to sessions in cookies only. Another site's form cannot send a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AntiCsrf {
    /// The `anti-csrf` header must repeat a token that belongs to the session.
    ViaToken,
    /// A non-empty `rid` header is required. Another site cannot send one without a CORS preflight.
    ViaCustomHeader,
    /// The browser must name an origin of the application, in `Sec-Fetch-Site` or `Origin`. Works
    /// with plain forms, because no script has to send anything. Requests with other methods than
    /// GET, HEAD, OPTIONS and TRACE are decided in this order:
    ///
    /// 1. `Sec-Fetch-Site: same-origin` or `none` is accepted.
    /// 2. `Sec-Fetch-Site: same-site` is accepted if
    ///    [`SessionsBuilder::trust_same_site`](crate::SessionsBuilder::trust_same_site) is set.
    /// 3. An `Origin` that equals the origin of the API or of the website is accepted.
    /// 4. A request with neither header is accepted, because no browser in use sends one.
    /// 5. Every other request is rejected with
    ///    [`SessionError::ForeignOrigin`](crate::SessionError::ForeignOrigin), 403.
    ///
    /// A guard with an optional session checks requests without a session too, such as the form of
    /// a sign-in page, which protects against a sign-in under an attacker's account. Apply none to
    /// a route to which another site posts on purpose, such as the callback of OAuth's `form_post`.
    ViaOrigin,
    /// No check. Suitable if cookies are `SameSite=Lax` or `Strict`.
    None,
}

/// The text is not an anti-CSRF mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("antiCsrf config must be one of 'NONE' or 'VIA_CUSTOM_HEADER' or 'VIA_TOKEN'")]
pub struct InvalidAntiCsrf;

impl FromStr for AntiCsrf {
    type Err = InvalidAntiCsrf;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "VIA_TOKEN" => Ok(Self::ViaToken),
            "VIA_CUSTOM_HEADER" => Ok(Self::ViaCustomHeader),
            "VIA_ORIGIN" => Ok(Self::ViaOrigin),
            "NONE" => Ok(Self::None),
            _ => Err(InvalidAntiCsrf),
        }
    }
}

/// The transport that a client requests (session specification, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMode {
    Cookie,
    /// `cookie` in another case, which is not accepted everywhere.
    CookieInOtherCase,
    Other,
}

impl AuthMode {
    pub(crate) fn of(value: &[u8]) -> Self {
        match value {
            b"cookie" => Self::Cookie,
            _ if value.eq_ignore_ascii_case(b"cookie") => Self::CookieInOtherCase,
            _ => Self::Other,
        }
    }
}

/// The properties of cookies for the website's origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SiteOfRequest {
    pub(crate) same_site: SameSite,
    /// `true` if the API and the website are both on localhost or an IP address.
    pub(crate) is_local: bool,
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
