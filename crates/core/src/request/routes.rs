//! The built-in routes (session specification, section 7).

use serde_json::json;

use super::RequestSessions;
use crate::config::Config;
use crate::error::SessionError;
use crate::http::Reply;
use crate::wire;

/// A built-in route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// POST `{base}/session/refresh`.
    Refresh,
    /// POST `{base}/signout`.
    SignOut,
    /// GET and HEAD `{base}/jwt/jwks.json`.
    Jwks,
    /// GET and HEAD `{base}/.well-known/openid-configuration`.
    OpenIdConfiguration,
    /// GET and HEAD `{base}/doctor`.
    Doctor,
}

const ROUTES: [(&str, &str, Route); 5] = [
    ("POST", wire::REFRESH_PATH, Route::Refresh),
    ("POST", wire::SIGNOUT_PATH, Route::SignOut),
    ("GET", wire::JWKS_PATH, Route::Jwks),
    (
        "GET",
        wire::OPENID_CONFIGURATION_PATH,
        Route::OpenIdConfiguration,
    ),
    ("GET", wire::DOCTOR_PATH, Route::Doctor),
];

impl Route {
    /// Returns the route of a request, even if it is disabled. An exact match takes precedence over
    /// a match with a leading tenant, which these routes accept and ignore.
    pub(crate) fn of(config: &Config, method: &str, path: &str) -> Option<Self> {
        Self::below_base(config, method, config.route_of(path)?)
    }

    /// Equivalent to [`Self::of`], for a path without the base path.
    pub(crate) fn below_base(config: &Config, method: &str, path: &str) -> Option<Self> {
        // The server omits the body of a response to HEAD (RFC 9110, 9.3.2).
        let method = if method == "HEAD" { "GET" } else { method };
        let find = |path: &str| {
            ROUTES
                .iter()
                .find(|(verb, route, _)| *verb == method && *route == path)
                .map(|(_, _, route)| *route)
        };
        find(path).or_else(|| {
            let (tenant, _) = path.strip_prefix('/')?.split_once('/')?;
            if config.is_path_tenant(tenant) {
                find(&path[1 + tenant.len()..])
            } else {
                None
            }
        })
    }

    fn is_on(self, config: &Config) -> bool {
        match self {
            Self::Refresh => config.refresh_route,
            Self::SignOut => config.signout_route,
            Self::Doctor => config.doctor_route,
            Self::Jwks | Self::OpenIdConfiguration => true,
        }
    }
}

impl RequestSessions {
    /// Returns the built-in route of this request, if it is enabled. The adapter's layer checks
    /// this first and answers with [`Self::serve`]. All other requests are passed to the
    /// application.
    #[must_use]
    pub fn route(&self) -> Option<Route> {
        self.inner.route.filter(|route| route.is_on(self.config()))
    }

    /// Answers a built-in route. Errors are converted to responses.
    pub async fn serve(&self, route: Route) -> Reply {
        match self.try_serve(route).await {
            Ok(reply) => reply,
            Err(error) => self.answer(&error),
        }
    }

    async fn try_serve(&self, route: Route) -> Result<Reply, SessionError> {
        match route {
            Route::Refresh => {
                self.refresh().await?;
                Ok(Reply::json(200, "{}"))
            }
            Route::SignOut => {
                self.sign_out().await?;
                Ok(Reply::json(200, r#"{"status":"OK"}"#))
            }
            Route::Jwks => {
                let jwks = self.sessions().jwks().await?;
                let body = json!({ "keys": jwks.keys }).to_string();
                Ok(public_json(body).with_header(wire::CACHE_CONTROL_HEADER, jwks.cache_control()))
            }
            Route::OpenIdConfiguration => Ok(public_json(self.openid_configuration())),
            Route::Doctor => {
                let mut findings = self.sessions().doctor().await;
                findings.extend(self.inner.findings.get().into_iter().flatten().cloned());
                Ok(Reply::json(
                    200,
                    json!({ "findings": findings }).to_string(),
                ))
            }
        }
    }

    fn openid_configuration(&self) -> String {
        let config = self.config();
        let base = config.public_base_url();
        json!({
            "issuer": config.issuer,
            "jwks_uri": format!("{base}{}", wire::JWKS_PATH),
            "authorization_endpoint": format!("{base}/oauth/auth"),
            "token_endpoint": format!("{base}/oauth/token"),
            "userinfo_endpoint": format!("{base}/oauth/userinfo"),
            "revocation_endpoint": format!("{base}/oauth/revoke"),
            "token_introspection_endpoint": format!("{base}/oauth/introspect"),
            "end_session_endpoint": format!("{base}/oauth/end_session"),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "id_token token"],
        })
        .to_string()
    }
}

/// Returns a JSON response that any site may read.
fn public_json(body: String) -> Reply {
    Reply::json(200, body).with_header("access-control-allow-origin", "*")
}
