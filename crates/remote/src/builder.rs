//! Settings, each with its default, and every problem at once.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use supersession::{AppId, BuildError, ConfigProblem, Fault, FaultKind, SecretText};
use tokio::runtime::Handle;

use crate::RemoteCore;
use crate::calls::{Core, CoreParts};
use crate::hosts::{Host, Hosts};
use crate::http_client::HttpClient;
use crate::pauses;
use crate::tls::{self, Trust};

const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Builds a [`RemoteCore`]. Only a host must be named.
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

impl RemoteCoreBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            urls: vec![url],
            api_key: None,
            app_id: AppId::default(),
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            retry_step: pauses::STEP,
            require_atomic_writes: false,
            root_certificates: None,
        }
    }

    /// One more host of the same core: hosts share one database and take turns.
    pub fn host(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// One of the core's `api_keys`. Defaults to none.
    #[doc(alias = "apiKey")]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(SecretText::new(key.into().trim()));
        self
    }

    /// The app, where a core has several. Defaults to `public`.
    pub fn app_id(mut self, app_id: AppId) -> Self {
        self.app_id = app_id;
        self
    }

    /// How long a call may take altogether, with all hosts that are tried. Defaults to 5 seconds; a
    /// millisecond to a day.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long making a connection may take. Defaults to 1 second; a millisecond to a
    /// day.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Growth of the pauses after which a host that answers 429 is asked again, five times in one call:
    /// the first pause is 10 ms, each further one is longer by this. Defaults to 250 ms.
    pub fn retry_step(mut self, step: Duration) -> Self {
        self.retry_step = step;
        self
    }

    /// The certificates of the authorities that may vouch for hosts of `https://`, in PEM, instead of
    /// the system's: for a core with a certificate of a private authority. Defaults to the system's.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    /// Whether a core without atomic merges is refused, rather than read, changed and overwritten.
    /// [`Self::build`] asks the core then. Defaults to false.
    pub fn require_atomic_writes(mut self, require: bool) -> Self {
        self.require_atomic_writes = require;
        self
    }

    /// Checks everything. No core is asked yet, unless [`Self::require_atomic_writes`] is set: an
    /// application starts although its core does not yet.
    ///
    /// # Errors
    /// [`BuildError::Config`] with every problem of the configuration; [`BuildError::Fault`] outside
    /// of a tokio runtime, when the certificates of the system cannot be read, or when the core must
    /// be asked and does not answer.
    pub async fn build(self) -> Result<RemoteCore, BuildError> {
        let mut problems = Vec::new();
        let mut hosts = Vec::new();
        for url in &self.urls {
            match Host::parse(url, &self.app_id) {
                Ok(host) => hosts.push(host),
                Err(problem) => problems.push(ConfigProblem::new(
                    "RemoteCore::at",
                    // Without the text, which may hold a password.
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
            if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&timeout) {
                problems.push(ConfigProblem::new(
                    setting,
                    format!("{timeout:?} is out of range"),
                    "choose a millisecond to a day, such as 1 second",
                ));
            }
        }
        let trust = match &self.root_certificates {
            Some(pem) => tls::authorities(pem).map_or_else(
                || {
                    problems.push(ConfigProblem::new(
                        "RemoteCore::root_certificates",
                        "has no certificate, or one that cannot be read",
                        "give the certificate of the authority in PEM, which begins with `-----BEGIN CERTIFICATE-----`",
                    ));
                    Trust::Nobody
                },
                Trust::Only,
            ),
            None if hosts.iter().any(Host::is_https) => Trust::System,
            None => Trust::Nobody,
        };
        let api_key = self.api_key.as_ref().and_then(|key| {
            let value = HeaderValue::from_str(key.expose()).ok();
            if value.is_none() || key.expose().is_empty() {
                problems.push(ConfigProblem::new(
                    "RemoteCore::api_key",
                    "is empty, or has characters that no API key has",
                    "use one of the core's `api_keys`, or leave it out if the core has none",
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
                "a remote core needs a tokio runtime. Fix: call `build` inside of one, such as in a function under `#[tokio::main]` or `#[actix_web::main]`",
            )
        })?;
        let http = HttpClient::new(trust, self.connect_timeout).map_err(|error| {
            Fault::new(
                FaultKind::Internal,
                "the certificates of the system cannot be read. Fix: install them, such as with the package `ca-certificates`",
            )
            .with_source(error)
        })?;
        let core = Core::new(CoreParts {
            http,
            hosts: Hosts::new(hosts),
            api_key,
            app: self.app_id,
            timeout: self.timeout,
            retry_step: self.retry_step,
            runtime,
            require_atomic_writes: self.require_atomic_writes,
        });
        if self.require_atomic_writes
            && !core
                .run(|core| async move { core.has_documents().await })
                .await?
        {
            return Err(BuildError::Config(vec![ConfigProblem::new(
                "RemoteCore::require_atomic_writes",
                "the core has no atomic merges, as SuperTokens' own has none",
                "run `supersession-server` as the core, or leave this setting out and let one process alone merge into a session",
            )]));
        }
        Ok(RemoteCore { core })
    }
}

/// Without the API key, and without what may be a password in a URL.
impl fmt::Debug for RemoteCoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCoreBuilder")
            .field("hosts", &self.urls.len())
            .field("app_id", &self.app_id)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
