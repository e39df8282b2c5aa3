//! Requests that test the environment of the session layer.

use std::sync::Arc;

use super::Finding;
use crate::config::Config;
use crate::http::ResponseHead;
use crate::sessions::Sessions;
use crate::sightings::{ProbeRun, Reach};
use crate::telemetry;
use crate::wire;

/// A request to send through the whole application, as the browser SDK sends it from the website.
#[derive(Clone, Debug)]
pub struct Probe {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    kind: Kind,
    cors: Option<Cors>,
    run: Arc<ProbeRun>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Preflight,
    Refresh,
    Jwks,
}

/// The CORS requirements of a page of another origin.
#[derive(Clone, Debug)]
struct Cors {
    origin: String,
    allow_headers: Vec<String>,
}

/// The value that a probe sends as a refresh token. It is never a valid token.
const NO_TOKEN: &str = "doctor";

impl Sessions {
    /// Returns the requests to send through the whole application. They change nothing.
    #[must_use]
    pub fn probes(&self) -> Vec<Probe> {
        let config = self.config();
        let cors = config.foreign_origin().map(|origin| Cors {
            origin,
            allow_headers: self.cors_allow_headers(),
        });
        let run = self.sightings().begin();
        let mut probes = Vec::new();
        if let Some(cors) = &cors {
            probes.push(Probe::preflight(config, cors.clone(), Arc::clone(&run)));
        }
        probes.push(Probe::refresh(config, cors, Arc::clone(&run)));
        probes.push(Probe::jwks(config, run));
        probes
    }

    /// Returns the request headers that a CORS layer must allow.
    #[must_use]
    #[doc(alias = "getAllCORSHeaders")]
    pub fn cors_allow_headers(&self) -> Vec<String> {
        std::iter::once(wire::CONTENT_TYPE_HEADER)
            .chain(wire::CORS_ALLOW_HEADERS)
            .map(str::to_owned)
            .collect()
    }

    /// Returns the response headers that a CORS layer must expose.
    #[must_use]
    pub fn cors_expose_headers(&self) -> Vec<String> {
        let config = self.config();
        let names = [
            wire::FRONT_TOKEN_HEADER,
            config.access_token_header.as_str(),
            config.refresh_token_header.as_str(),
            wire::ANTI_CSRF_HEADER,
        ];
        names.into_iter().map(str::to_owned).collect()
    }
}

impl Probe {
    fn preflight(config: &Config, cors: Cors, run: Arc<ProbeRun>) -> Self {
        Self {
            method: "OPTIONS",
            path: config.own_path(wire::REFRESH_PATH),
            headers: vec![
                ("origin", cors.origin.clone()),
                ("access-control-request-method", "POST".to_owned()),
                (
                    "access-control-request-headers",
                    cors.allow_headers.join(","),
                ),
            ],
            kind: Kind::Preflight,
            cors: Some(cors),
            run,
        }
    }

    fn refresh(config: &Config, cors: Option<Cors>, run: Arc<ProbeRun>) -> Self {
        let cookie = format!("{}={NO_TOKEN}", config.cookies.refresh.written);
        let mut headers = vec![
            (wire::COOKIE_HEADER, cookie),
            (wire::AUTHORIZATION_HEADER, format!("Bearer {NO_TOKEN}")),
            (wire::RID_HEADER, "session".to_owned()),
            (wire::AUTH_MODE_HEADER, "cookie".to_owned()),
        ];
        headers.extend(cors.iter().map(|cors| ("origin", cors.origin.clone())));
        Self {
            method: "POST",
            path: config.own_path(wire::REFRESH_PATH),
            headers,
            kind: Kind::Refresh,
            cors,
            run,
        }
    }

    fn jwks(config: &Config, run: Arc<ProbeRun>) -> Self {
        Self {
            method: "GET",
            path: config.own_path(wire::JWKS_PATH),
            headers: Vec::new(),
            kind: Kind::Jwks,
            cors: None,
            run,
        }
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method
    }

    /// Returns the path, as it reaches this server.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// Returns the problems of the response to this request, and logs them.
    #[must_use]
    pub fn examine(&self, status: u16, head: &dyn ResponseHead) -> Vec<Finding> {
        let mut findings = Vec::new();
        match self.kind {
            Kind::Preflight => self.examine_preflight(status, head, &mut findings),
            Kind::Refresh => self.examine_refresh(status, head, &mut findings),
            Kind::Jwks => {
                let is_ours = !values(head, "access-control-allow-origin").is_empty();
                if status >= 500 {
                    findings.push(self.in_trouble(status));
                } else if status != 200 || !is_ours && self.reach() == Reach::Never {
                    findings.push(self.unanswered(status));
                }
            }
        }
        findings.iter().for_each(telemetry::found);
        findings
    }

    fn examine_preflight(&self, status: u16, head: &dyn ResponseHead, findings: &mut Vec<Finding>) {
        let Some(cors) = &self.cors else { return };
        if !(200..300).contains(&status) {
            findings.push(Finding::error(
                "cors",
                format!("the preflight of a refresh is answered with {status}"),
                "put a CORS layer around all routes, outside of guards",
            ));
            return;
        }
        check_origin("a preflight", cors, head, findings);
        let allowed = list(head, "access-control-allow-headers");
        let missing: Vec<_> = cors
            .allow_headers
            .iter()
            .filter(|name| !allowed.iter().any(|allowed| allowed == *name))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            findings.push(Finding::error(
                "cors",
                format!("the request headers {} are not allowed", missing.join(", ")),
                "let the CORS layer allow `Sessions::cors_allow_headers()`; `*` does not count for requests with credentials",
            ));
        }
        let methods = list(head, "access-control-allow-methods");
        // POST needs no permission if the response lists no methods (Fetch standard, 4.9).
        if !methods.is_empty() && !methods.iter().any(|method| method == "post") {
            findings.push(Finding::error(
                "cors",
                "the method POST is not allowed",
                "let the CORS layer allow GET, POST, PUT, PATCH and DELETE",
            ));
        }
    }

    fn examine_refresh(&self, status: u16, head: &dyn ResponseHead, findings: &mut Vec<Finding>) {
        let front_token = values(head, wire::FRONT_TOKEN_HEADER);
        // A 401 comes from the built-in route, even if its headers are missing.
        let is_foreign = status != 401 && front_token.is_empty() && self.reach() == Reach::Never;
        if status == 404 || status == 405 || status < 500 && is_foreign {
            findings.push(self.unanswered(status));
            return;
        }
        if status >= 500 {
            findings.push(self.in_trouble(status));
            return;
        }
        if front_token.is_empty() {
            findings.push(Finding::error(
                "layers",
                "a layer of the application, or a proxy, removes the headers of the session",
                "put the session layer outside of layers that drop response headers, and let proxies pass them",
            ));
        }
        let Some(cors) = &self.cors else { return };
        check_origin("an error", cors, head, findings);
        let exposed = list(head, wire::EXPOSE_HEADERS_HEADER);
        if !exposed.iter().any(|name| name == wire::FRONT_TOKEN_HEADER) {
            findings.push(Finding::error(
                "cors",
                "the response header `front-token` is not exposed, so the browser SDK cannot see that it is signed in",
                "let the CORS layer expose `Sessions::cors_expose_headers()`",
            ));
        }
    }

    fn reach(&self) -> Reach {
        self.run.reach(self.method, &self.path)
    }

    /// Returns the reason why a built-in route is not answered as expected.
    fn unanswered(&self, status: u16) -> Finding {
        let Self { method, path, .. } = self;
        match self.reach() {
            Reach::Never => Finding::error(
                "api_base_path",
                format!(
                    "{method} {path} is answered with {status} and did not reach the session layer"
                ),
                "apply the session layer last, after `fallback` and `fallback_service`, and around the whole application rather than a nested router; or add the adapter's `routes`. Set `api_base_path` to the SDK's `apiBasePath`, and `api_gateway_path` if a proxy strips a prefix",
            ),
            Reach::Shortened(seen) => Finding::error(
                "api_base_path",
                format!(
                    "{method} {path} is answered with {status}: the session layer sees it as {seen}, because it is on a nested router, which strips the prefix, so its routes are unreachable"
                ),
                "put the session layer around the outermost router, or add the adapter's `routes` there",
            ),
            Reach::Whole => Finding::error(
                "without_refresh_route",
                format!(
                    "{method} {path} is answered with {status}: the built-in route is disabled, and the application does not serve this path either"
                ),
                "mount a handler there that calls `RequestSessions::refresh`, or leave `without_refresh_route` out",
            ),
        }
    }

    fn in_trouble(&self, status: u16) -> Finding {
        Finding::error(
            "store",
            format!("{} {} is answered with {status}", self.method, self.path),
            "look for the event `supersession.request.fault` in the log",
        )
    }
}

fn check_origin(what: &str, cors: &Cors, head: &dyn ResponseHead, findings: &mut Vec<Finding>) {
    let origin = values(head, "access-control-allow-origin");
    if origin != [cors.origin.as_str()] {
        let found = if origin.is_empty() {
            "nothing".to_owned()
        } else {
            format!("`{}`", origin.join(", "))
        };
        findings.push(Finding::error(
            "cors",
            format!("the answer to {what} allows {found} in place of the origin `{}`", cors.origin),
            "let the CORS layer allow exactly the website's origin, on errors too; `*` does not count for requests with credentials",
        ));
    } else if values(head, "access-control-allow-credentials") != ["true"] {
        findings.push(Finding::error(
            "cors",
            format!(
                "the answer to {what} allows no credentials, so browsers send and keep no cookies"
            ),
            "let the CORS layer allow credentials",
        ));
    }
}

fn values(head: &dyn ResponseHead, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    head.header_values(name, &mut |value| {
        values.push(String::from_utf8_lossy(value).trim().to_owned());
    });
    values
}

/// Returns the members of a list, in lower case.
fn list(head: &dyn ResponseHead, name: &str) -> Vec<String> {
    let values = values(head, name).join(",").to_ascii_lowercase();
    let members = values.split(',').map(str::trim);
    members
        .filter(|member| !member.is_empty())
        .map(str::to_owned)
        .collect()
}
