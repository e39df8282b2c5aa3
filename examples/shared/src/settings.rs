//! The settings: environment variables, each with a default.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use supersession::{AntiCsrf, CookiePrefix, SessionsBuilder};

/// The settings of a demo.
///
/// | variable | default | meaning |
/// | --- | --- | --- |
/// | `PORT` | 3000 | the port on the loopback interface |
/// | `DATABASE` | `demo.db` | the SQLite file |
/// | `ACCESS_TOKEN_VALIDITY_SECONDS` | 3600 | validity of access tokens, after which the page refreshes |
/// | `ROTATION_GRACE_PERIOD_SECONDS` | 30 | grace period for reusing a rotated refresh token |
/// | `API_DOMAIN` | `http://localhost:PORT` | the origin at which browsers see this server |
/// | `WEBSITE_DOMAIN` | the API's | the origin whose pages may call this server |
/// | `ANTI_CSRF` | derived from the domains | `NONE`, `VIA_CUSTOM_HEADER` or `VIA_TOKEN` |
/// | `COOKIE_DOMAIN` | none | the `Domain` of the cookies |
/// | `OLDER_COOKIE_DOMAIN` | none | the previous `Domain` of the cookies; empty for none |
/// | `COOKIE_PREFIX` | `off` | cookie name prefixes that browsers enforce: `off`, `accept`, `prefer` or `require` |
/// | `COOKIE_PARTITIONED` | `false` | if `true`, separate cookies for each site that embeds this one |
/// | `HEADER_TIMEOUT_SECONDS` | 10 | maximum time to receive a request head |
/// | `REQUEST_TIMEOUT_SECONDS` | 30 | maximum time to receive and answer a request; then 408 |
/// | `DRAIN_SECONDS` | 10 | maximum time that requests in flight may take after SIGTERM or SIGINT |
/// | `RUST_LOG` | `info` | the log filter |
#[derive(Clone, Debug)]
pub struct Settings {
    /// The port on the loopback interface.
    pub port: u16,
    /// The SQLite file.
    pub database: String,
    /// The origin at which browsers see this server.
    pub api_domain: String,
    /// The origin whose pages may call this server.
    pub website_domain: String,
    /// Maximum time to receive a request head.
    pub header_timeout: Duration,
    /// Maximum time to receive and answer a request.
    pub request_timeout: Duration,
    /// Maximum time that requests in flight may take after a shutdown began.
    pub drain: Duration,
    access_token_validity: Duration,
    rotation_grace_period: Duration,
    anti_csrf: Option<AntiCsrf>,
    cookie_domain: Option<String>,
    older_cookie_domain: Option<String>,
    cookie_prefix: CookiePrefix,
    cookie_partitioned: bool,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// If a variable has an invalid value.
    pub fn from_environment() -> anyhow::Result<Self> {
        let port = variable("PORT")?.unwrap_or(3000);
        let api_domain =
            variable("API_DOMAIN")?.unwrap_or_else(|| format!("http://localhost:{port}"));
        let seconds =
            |name, default| anyhow::Ok(Duration::from_secs(variable(name)?.unwrap_or(default)));
        Ok(Self {
            port,
            database: variable("DATABASE")?.unwrap_or_else(|| "demo.db".to_owned()),
            website_domain: variable("WEBSITE_DOMAIN")?.unwrap_or_else(|| api_domain.clone()),
            api_domain,
            header_timeout: seconds("HEADER_TIMEOUT_SECONDS", 10)?,
            request_timeout: seconds("REQUEST_TIMEOUT_SECONDS", 30)?,
            drain: seconds("DRAIN_SECONDS", 10)?,
            access_token_validity: seconds("ACCESS_TOKEN_VALIDITY_SECONDS", 3600)?,
            rotation_grace_period: seconds("ROTATION_GRACE_PERIOD_SECONDS", 30)?,
            anti_csrf: variable("ANTI_CSRF")?,
            cookie_domain: variable("COOKIE_DOMAIN")?,
            older_cookie_domain: variable("OLDER_COOKIE_DOMAIN")?,
            cookie_prefix: variable("COOKIE_PREFIX")?.unwrap_or_default(),
            cookie_partitioned: variable("COOKIE_PARTITIONED")?.unwrap_or_default(),
        })
    }

    /// Applies these settings to the builder. Unset ones keep the builder's defaults.
    pub fn apply(&self, mut sessions: SessionsBuilder) -> SessionsBuilder {
        if let Some(mode) = self.anti_csrf {
            sessions = sessions.anti_csrf(mode);
        }
        if let Some(domain) = &self.cookie_domain {
            sessions = sessions.cookie_domain(domain);
        }
        if let Some(domain) = &self.older_cookie_domain {
            sessions = sessions.older_cookie_domain(domain);
        }
        sessions
            .api_domain(&self.api_domain)
            .website_domain(&self.website_domain)
            .access_token_validity(self.access_token_validity)
            .refresh_token_rotation_grace_period(self.rotation_grace_period)
            .cookie_prefix(self.cookie_prefix)
            .cookie_partitioned(self.cookie_partitioned)
    }
}

/// Reads an environment variable, if it is set.
fn variable<T>(name: &str) -> anyhow::Result<Option<T>>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .map(Some)
            .with_context(|| format!("{name}={text} is not a valid value")),
        Err(_) => Ok(None),
    }
}
