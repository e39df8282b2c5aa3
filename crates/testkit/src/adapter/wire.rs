//! Requests and responses that are independent of any framework.

use serde_json::Value;
use supersession::wire;

/// A request, as a client sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireRequest {
    /// The method, in upper case.
    pub method: String,
    /// The path, with the query if there is one.
    pub path: String,
    /// Names in lower case, and values. A name may occur several times, and values may contain
    /// bytes beyond ASCII.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
}

/// A response, as a client receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireResponse {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values, one entry per header line.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The tokens that a client keeps from a response. Cookie values are kept and sent back unchanged.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) anti_csrf: String,
}

impl WireRequest {
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(super) fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    pub(super) fn refresh() -> Self {
        Self::post("/auth/session/refresh")
    }

    pub(super) fn sign_out() -> Self {
        Self::post("/auth/signout")
    }

    /// Creates a request for a new session, with this `st-auth-mode` unless it is empty.
    pub(super) fn create(mode: &str, body: &Value) -> Self {
        let request = Self::post("/create");
        let request = if mode.is_empty() {
            request
        } else {
            request.header(wire::AUTH_MODE_HEADER, mode)
        };
        request.json(body)
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a cookie to the single `cookie` header, as a browser does.
    pub(super) fn cookie(mut self, name: &str, value: &str) -> Self {
        let cookie = format!("{name}={value}");
        match self
            .headers
            .iter_mut()
            .find(|(name, _)| name == wire::COOKIE_HEADER)
        {
            Some((_, cookies)) => {
                cookies.push_str("; ");
                cookies.push_str(&cookie);
                self
            }
            None => self.header(wire::COOKIE_HEADER, &cookie),
        }
    }

    pub(super) fn access_cookie(self, tokens: &Tokens) -> Self {
        self.cookie(wire::ACCESS_COOKIE, &tokens.access)
    }

    pub(super) fn refresh_cookie(self, tokens: &Tokens) -> Self {
        self.cookie(wire::REFRESH_COOKIE, &tokens.refresh)
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header(wire::AUTHORIZATION_HEADER, &format!("Bearer {token}"))
    }

    pub(super) fn rid(self) -> Self {
        self.header(wire::RID_HEADER, "anti-csrf")
    }

    pub(super) fn anti_csrf(self, tokens: &Tokens) -> Self {
        self.header(wire::ANTI_CSRF_HEADER, &tokens.anti_csrf)
    }

    pub(super) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }
}

impl WireResponse {
    /// Returns the response's tokens, from cookies or headers. Missing tokens are empty.
    pub(super) fn tokens(&self) -> Tokens {
        let mut tokens = Tokens::default();
        for (name, value) in &self.headers {
            match TokenKind::of_header(name, value) {
                Some((TokenKind::Access, token)) => token.clone_into(&mut tokens.access),
                Some((TokenKind::Refresh, token)) => token.clone_into(&mut tokens.refresh),
                Some((TokenKind::AntiCsrf, token)) => token.clone_into(&mut tokens.anti_csrf),
                Some((TokenKind::Front, _)) | None => {}
            }
        }
        tokens
    }

    /// Returns `true` if the content length is that of the body, or is not set.
    pub(super) fn has_honest_length(&self) -> bool {
        let mut lengths = self
            .headers
            .iter()
            .filter(|(name, _)| name == "content-length");
        lengths.all(|(_, length)| *length == self.body.len().to_string())
    }

    /// Returns a member of the JSON body.
    pub(super) fn member(&self, name: &str) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body[name].as_str().unwrap_or_default().to_owned()
    }
}

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Access,
    Refresh,
    Front,
    AntiCsrf,
}

impl TokenKind {
    /// Returns the token in a header line of a response. A line that clears a token contains none.
    pub(super) fn of_header<'v>(name: &str, value: &'v str) -> Option<(Self, &'v str)> {
        let (carrier, token) = if name == wire::SET_COOKIE_HEADER {
            value.split(';').next()?.split_once('=')?
        } else {
            (name, value)
        };
        let kind = match carrier {
            wire::FRONT_TOKEN_HEADER => Self::Front,
            wire::ANTI_CSRF_HEADER => Self::AntiCsrf,
            // The names of the other headers and cookies can be configured.
            wire::ACCESS_COOKIE | wire::ACCESS_TOKEN_HEADER | "my-access" => Self::Access,
            wire::REFRESH_COOKIE
            | "sRefreshToken-root"
            | wire::REFRESH_TOKEN_HEADER
            | "my-refresh" => Self::Refresh,
            _ => return None,
        };
        // The application's own values are not tokens, and neither are values that clear a token.
        let gives = match kind {
            Self::Access => token.matches('.').count() == 2,
            _ => !token.is_empty() && token != wire::FRONT_TOKEN_REMOVE,
        };
        gives.then_some((kind, token))
    }
}
