//! The demo's settings: environment variables, each with a default. `main.rs` lists them.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use supersession_actix::core::{AntiCsrf, CookiePrefix, SessionsBuilder};

pub(crate) struct Settings {
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) api_domain: String,
    pub(crate) website_domain: String,
    pub(crate) header_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) drain: Duration,
    access_token_validity: Duration,
    rotation_grace_period: Duration,
    anti_csrf: Option<AntiCsrf>,
    cookie_domain: Option<String>,
    older_cookie_domain: Option<String>,
    cookie_prefix: CookiePrefix,
    cookie_partitioned: bool,
}

impl Settings {
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
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
    pub(crate) fn apply(&self, mut sessions: SessionsBuilder) -> SessionsBuilder {
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
            .with_context(|| format!("{name}={text} is not usable")),
        Err(_) => Ok(None),
    }
}
