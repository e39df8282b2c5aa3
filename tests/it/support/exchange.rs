//! Requests and answers as a test writes and reads them.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::capture;

/// A request to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Req {
    method: Method,
    path: String,
    headers: HeaderMap,
    cookies: Vec<String>,
    body: Vec<u8>,
}

impl Req {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            headers: HeaderMap::new(),
            cookies: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// `POST /auth/session/refresh`.
    pub(crate) fn refresh() -> Self {
        Self::post("/auth/session/refresh")
    }

    /// `POST /auth/signout`.
    pub(crate) fn signout() -> Self {
        Self::post("/auth/signout")
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(
            name.parse::<http::HeaderName>().unwrap(),
            value.parse().unwrap(),
        );
        self
    }

    /// Adds a cookie; the value is percent-encoded as a browser would return it.
    pub(crate) fn cookie(mut self, name: &str, value: &str) -> Self {
        let value = value
            .replace('%', "%25")
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        self.cookies.push(format!("{name}={value}"));
        self
    }

    /// The access token as a cookie.
    pub(crate) fn access_cookie(self, tokens: &Tokens) -> Self {
        self.cookie("sAccessToken", &tokens.access)
    }

    /// The refresh token as a cookie.
    pub(crate) fn refresh_cookie(self, tokens: &Tokens) -> Self {
        self.cookie("sRefreshToken", &tokens.refresh)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    pub(crate) fn into_http(mut self) -> Request<Body> {
        if !self.cookies.is_empty() {
            self = self.clone().header("cookie", &self.cookies.join("; "));
        }
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.path)
            .body(Body::from(self.body))
            .unwrap();
        *request.headers_mut() = self.headers;
        request
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        };
        answer.note_tokens();
        answer
    }

    /// Tells the capture of events which tokens are out there.
    fn note_tokens(&self) {
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        for name in ["st-access-token", "st-refresh-token", "anti-csrf"] {
            let values = self.headers.get_all(name).iter();
            values.for_each(|value| capture::issued(&text(value)));
        }
        for line in self.headers.get_all("set-cookie").iter().map(text) {
            let pair = line.split(';').next().and_then(|pair| pair.split_once('='));
            let is_token =
                |name: &str| name.ends_with("sAccessToken") || name.ends_with("sRefreshToken");
            if let Some((_, value)) = pair.filter(|(name, _)| is_token(name)) {
                capture::issued(value);
                let decoded = value.replace("%2B", "+").replace("%2F", "/");
                capture::issued(&decoded.replace("%3D", "="));
            }
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// A header's only value. Fails if there are several.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next();
        assert!(values.next().is_none(), "several `{name}`: {self:?}");
        first.map(|value| value.to_str().unwrap())
    }

    /// All cookies that are set.
    pub(crate) fn cookies(&self) -> Vec<SetCookie> {
        let lines = self.headers.get_all("set-cookie");
        lines
            .iter()
            .map(|line| SetCookie::parse(line.to_str().unwrap()))
            .collect()
    }

    /// The only cookie of this name that is set. Fails if there are several.
    #[track_caller]
    pub(crate) fn cookie(&self, name: &str) -> Option<SetCookie> {
        let mut found: Vec<_> = self
            .cookies()
            .into_iter()
            .filter(|cookie| cookie.name == name)
            .collect();
        assert!(found.len() <= 1, "several `{name}`: {self:?}");
        found.pop()
    }

    /// The names that scripts of other origins may read, in order.
    pub(crate) fn exposed(&self) -> Vec<String> {
        let list = self
            .header("access-control-expose-headers")
            .unwrap_or_default();
        list.split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// What the front token says; None if there is none, or it says `remove`.
    #[track_caller]
    pub(crate) fn front_token(&self) -> Option<Value> {
        let text = self
            .header("front-token")
            .filter(|text| *text != "remove")?;
        Some(serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap())
    }

    /// All tokens that the answer gives, wherever they are. Missing ones are empty.
    #[track_caller]
    pub(crate) fn tokens(&self) -> Tokens {
        let token = |cookie: &str, header: &str| {
            let by_cookie = self
                .cookie(cookie)
                .map(|cookie| cookie.value)
                .filter(|value| !value.is_empty());
            by_cookie
                .or_else(|| self.header(header).map(str::to_owned))
                .unwrap_or_default()
        };
        Tokens {
            access: token("sAccessToken", "st-access-token"),
            refresh: token("sRefreshToken", "st-refresh-token"),
            anti_csrf: self.header("anti-csrf").map(str::to_owned),
            handle: self
                .text
                .parse::<Value>()
                .ok()
                .and_then(|body| body["handle"].as_str().map(str::to_owned))
                .unwrap_or_default(),
        }
    }

    /// Both cookies are taken away: empty, expired at the epoch.
    pub(crate) fn clears_cookies(&self) -> bool {
        ["sAccessToken", "sRefreshToken"]
            .iter()
            .all(|name| self.cookie(name).is_some_and(|cookie| cookie.is_cleared()))
    }

    /// Both token headers are there and empty.
    pub(crate) fn clears_headers(&self) -> bool {
        ["st-access-token", "st-refresh-token"]
            .iter()
            .all(|name| self.header(name) == Some(""))
    }

    /// Everything is taken away, whichever way it came.
    pub(crate) fn clears_everything(&self) -> bool {
        self.clears_cookies()
            && self.clears_headers()
            && self.header("front-token") == Some("remove")
            && self.header("anti-csrf").is_none()
    }

    /// Nothing that concerns tokens is in the answer.
    pub(crate) fn has_no_token_headers(&self) -> bool {
        [
            "set-cookie",
            "st-access-token",
            "st-refresh-token",
            "front-token",
            "anti-csrf",
        ]
        .iter()
        .all(|name| !self.headers.contains_key(*name))
    }

    /// Fails unless the answer is this status with exactly `{"message": ...}`.
    #[track_caller]
    pub(crate) fn is_message(&self, status: u16, message: &str) {
        assert_eq!(
            (self.status, self.json()),
            (status, serde_json::json!({ "message": message })),
            "{self:?}"
        );
    }

    #[track_caller]
    pub(crate) fn is_unauthorised(&self) {
        self.is_message(401, "unauthorised");
    }

    #[track_caller]
    pub(crate) fn is_try_refresh(&self) {
        self.is_message(401, "try refresh token");
        assert!(self.has_no_token_headers(), "{self:?}");
    }

    #[track_caller]
    pub(crate) fn is_theft(&self) {
        self.is_message(401, "token theft detected");
    }
}

/// A `Set-Cookie` line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    /// Percent-decoded.
    pub(crate) value: String,
    pub(crate) domain: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) expires: Option<String>,
    pub(crate) same_site: Option<String>,
    pub(crate) http_only: bool,
    pub(crate) secure: bool,
    pub(crate) partitioned: bool,
}

impl SetCookie {
    #[track_caller]
    fn parse(line: &str) -> Self {
        let mut parts = line.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let value = value
            .replace("%2B", "+")
            .replace("%2F", "/")
            .replace("%3D", "=")
            .replace("%25", "%");
        let mut cookie = Self {
            name: name.to_owned(),
            value,
            ..Self::default()
        };
        for attribute in parts {
            match attribute.split_once('=') {
                Some(("Domain", domain)) => cookie.domain = Some(domain.to_owned()),
                Some(("Path", path)) => cookie.path = Some(path.to_owned()),
                Some(("Expires", expires)) => cookie.expires = Some(expires.to_owned()),
                Some(("SameSite", same_site)) => cookie.same_site = Some(same_site.to_owned()),
                None if attribute == "HttpOnly" => cookie.http_only = true,
                None if attribute == "Secure" => cookie.secure = true,
                None if attribute == "Partitioned" => cookie.partitioned = true,
                _ => panic!("unknown attribute `{attribute}` in `{line}`"),
            }
        }
        cookie
    }

    pub(crate) fn is_cleared(&self) -> bool {
        self.value.is_empty() && self.expires.as_deref() == Some("Thu, 01 Jan 1970 00:00:00 GMT")
    }
}

/// The tokens of a session, as a client keeps them.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) anti_csrf: Option<String>,
    /// Empty unless the answer's body named it.
    pub(crate) handle: String,
}

impl Tokens {
    /// The header of the access token.
    #[track_caller]
    pub(crate) fn header(&self) -> Value {
        self.segment(0)
    }

    /// The payload of the access token.
    #[track_caller]
    pub(crate) fn payload(&self) -> Value {
        self.segment(1)
    }

    #[track_caller]
    fn segment(&self, at: usize) -> Value {
        let segment = self.access.split('.').nth(at).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
    }
}
