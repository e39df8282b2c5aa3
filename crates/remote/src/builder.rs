//! The builder. It reports all configuration problems at once.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use supersession::{AppId, BuildError, ConfigProblem, Fault, FaultKind, SecretText};
use tokio::runtime::Handle;

use crate::backoff;
use crate::client::Client;
use crate::hosts::{Host, Hosts};
use crate::http_client::HttpClient;
use crate::remote_core::RemoteCore;
use crate::sender::Sender;
use crate::tls::{self, Trust};

const MIN_TIMEOUT: Duration = Duration::from_millis(1);
const MAX_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Builds a [`RemoteCore`]. Only a host is required.
#[must_use = "a builder does nothing until `build` is called"]
pub struct RemoteCoreBuilder {
    urls: Vec<String>,
    api_key: Option<SecretText>,
    app_id: AppId,
    timeout: Duration,
    connect_timeout: Duration,
    retry_step: Duration,
    require_atomic_writes: bool,
    root_certificates: Option<Vec<u8>>,
}

impl RemoteCore {
    /// Starts the configuration with the first host, such as `http://core:3567`, including its base
    /// path if it has one.
    pub fn at(url: impl Into<String>) -> RemoteCoreBuilder {
        RemoteCoreBuilder::new(url.into())
    }
}

impl RemoteCoreBuilder {
    fn new(url: String) -> Self {
        Self {
            urls: vec![url],
            api_key: None,
            app_id: AppId::default(),
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            retry_step: backoff::DEFAULT_STEP,
            require_atomic_writes: false,
            root_certificates: None,
        }
    }

    /// Adds another host of the same core. All hosts share one database and are used in turn.
    pub fn host(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Sets the API key, which is one of the core's `api_keys`. Defaults to none.
    #[doc(alias = "apiKey")]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(SecretText::new(key.into().trim()));
        self
    }

    /// Sets the app, for a core with several apps. Defaults to `public`.
    pub fn app_id(mut self, app_id: AppId) -> Self {
        self.app_id = app_id;
        self
    }

    /// Sets the maximum duration of a call, including all hosts that are tried. Defaults to 5
    /// seconds. Valid values range from a millisecond to a day.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the maximum time to establish a connection. Defaults to 1 second. Valid values range
    /// from a millisecond to a day.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the increment of the pauses before retries of a host that responds with 429. A call
    /// makes up to five such retries. The first pause is 10 ms, and each further pause is longer by
    /// this increment. Defaults to 250 ms.
    pub fn retry_step(mut self, step: Duration) -> Self {
        self.retry_step = step;
        self
    }

    /// Sets the trusted certificate authorities for `https://` hosts, in PEM. They replace the
    /// system's. Needed for a core with a certificate of a private authority. Defaults to the
    /// system's authorities.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    /// If set, a core without atomic merges is rejected. Otherwise, documents of such a core are
    /// read, changed and overwritten. [`Self::build`] then calls the core. Defaults to `false`.
    pub fn require_atomic_writes(mut self, require: bool) -> Self {
        self.require_atomic_writes = require;
        self
    }

    /// Checks the configuration. Does not call the core unless [`Self::require_atomic_writes`] is
    /// set, so an application can start before its core.
    ///
    /// # Errors
    /// [`BuildError::Config`] with all problems of the configuration. [`BuildError::Fault`] if
    /// there is no tokio runtime, if the system's certificates cannot be read, or if the core must
    /// be called and does not respond.
    pub async fn build(self) -> Result<RemoteCore, BuildError> {
        let mut problems = Vec::new();
        let mut hosts = Vec::new();
        for url in &self.urls {
            match Host::parse(url, &self.app_id) {
                Ok(host) => hosts.push(host),
                Err(problem) => problems.push(ConfigProblem::new(
                    "RemoteCore::at",
                    // Omits the URL, which may contain a password.
                    format!("a host {problem}"),
                    problem.fix(),
                )),
            }
        }
        for (setting, timeout) in [
            ("RemoteCore::timeout", self.timeout),
            ("RemoteCore::connect_timeout", self.connect_timeout),
            ("RemoteCore::retry_step", self.retry_step),
        ] {
            if !(MIN_TIMEOUT..=MAX_TIMEOUT).contains(&timeout) {
                problems.push(ConfigProblem::new(
                    setting,
                    format!("{timeout:?} is out of range"),
                    "use a value from a millisecond to a day, such as 1 second",
                ));
            }
        }
        let trust = match &self.root_certificates {
            Some(pem) => tls::authorities(pem).map_or_else(
                || {
                    problems.push(ConfigProblem::new(
                        "RemoteCore::root_certificates",
                        "contains no certificate, or one that cannot be read",
                        "pass the certificate of the authority in PEM, which begins with `-----BEGIN CERTIFICATE-----`",
                    ));
                    Trust::None
                },
                Trust::Only,
            ),
            None if hosts.iter().any(Host::is_https) => Trust::System,
            None => Trust::None,
        };
        let api_key = self.api_key.as_ref().and_then(|key| {
            let value = HeaderValue::from_str(key.expose()).ok();
            if value.is_none() || key.expose().is_empty() {
                problems.push(ConfigProblem::new(
                    "RemoteCore::api_key",
                    "is empty, or contains characters that are not allowed in an API key",
                    "use one of the core's `api_keys`, or do not set it if the core has none",
                ));
            }
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        if !problems.is_empty() {
            return Err(BuildError::Config(problems));
        }
        let runtime = Handle::try_current().map_err(|_| {
            Fault::new(
                FaultKind::Misuse,
                "a remote core needs a tokio runtime. Fix: call `build` within a runtime, such as in a function with `#[tokio::main]` or `#[actix_web::main]`",
            )
        })?;
        let http = HttpClient::new(trust, self.connect_timeout).map_err(|error| {
            Fault::new(
                FaultKind::Internal,
                "the certificates of the system cannot be read. Fix: install them, such as with the package `ca-certificates`",
            )
            .with_source(error)
        })?;
        let client = Client {
            sender: Sender {
                http,
                api_key,
                app: self.app_id,
            },
            hosts: Hosts::new(hosts),
            timeout: self.timeout,
            retry_step: self.retry_step,
        };
        let core = RemoteCore::new(client, self.require_atomic_writes, runtime);
        if self.require_atomic_writes
            && !core
                .run(|core| async move { core.client.has_documents().await })
                .await?
        {
            return Err(BuildError::Config(vec![ConfigProblem::new(
                "RemoteCore::require_atomic_writes",
                "the core has no atomic merges; SuperTokens' own core has none",
                "run `supersession-server` as the core, or do not set this and merge into a session from one process only",
            )]));
        }
        Ok(core)
    }
}

/// Omits the API key, and the URLs, which may contain passwords.
impl fmt::Debug for RemoteCoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCoreBuilder")
            .field("hosts", &self.urls.len())
            .field("app_id", &self.app_id)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
