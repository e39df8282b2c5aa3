//! Calls: the selection of a host, retries, and the handling of responses that are errors.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use supersession::{AppId, Fault, FaultKind, TenantId, wire};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::cdi::{Spoken, Versions};
use crate::documents::Queues;
use crate::hosts::{Host, Hosts};
use crate::http_client::{Answer, HttpClient};
use crate::keys::Keys;
use crate::pauses;
use crate::trouble::{NoAnswer, Troubles};

/// The connection to a core: its hosts, credentials and cached state.
pub(crate) struct Core {
    pub(crate) hosts: Hosts,
    pub(crate) keys: Keys,
    pub(crate) queues: Queues,
    pub(crate) require_atomic_writes: bool,
    http: HttpClient,
    api_key: Option<HeaderValue>,
    app: AppId,
    timeout: Duration,
    retry_step: Duration,
    runtime: Handle,
}

pub(crate) struct CoreParts {
    pub(crate) http: HttpClient,
    pub(crate) hosts: Hosts,
    pub(crate) api_key: Option<HeaderValue>,
    pub(crate) app: AppId,
    pub(crate) timeout: Duration,
    pub(crate) retry_step: Duration,
    pub(crate) runtime: Handle,
    pub(crate) require_atomic_writes: bool,
}

/// States if a call may be repeated after it may have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Repeating the call has no additional effect.
    Safe,
    /// Repeating the call could create a second session, report a refresh token as stolen, or undo
    /// a concurrent write by another client.
    Unsafe,
}

/// A call. Its body may contain tokens, so it does not implement `Debug`.
pub(crate) struct Call {
    method: Method,
    endpoint: &'static str,
    tenant: Option<TenantId>,
    query: String,
    body: Option<Bytes>,
    repeat: Repeat,
    /// If set, the call is sent without CDI version and API key.
    public: bool,
}

impl Call {
    pub(crate) fn get(endpoint: &'static str) -> Self {
        Self {
            method: Method::GET,
            endpoint,
            tenant: None,
            query: String::new(),
            body: None,
            repeat: Repeat::Safe,
            public: false,
        }
    }

    /// Creates a call of a public endpoint.
    pub(crate) fn public(endpoint: &'static str) -> Self {
        Self {
            public: true,
            ..Self::get(endpoint)
        }
    }

    pub(crate) fn post<T: Serialize>(
        endpoint: &'static str,
        body: &T,
        repeat: Repeat,
    ) -> Result<Self, Fault> {
        let body = serde_json::to_vec(body).map_err(|error| {
            Fault::new(FaultKind::Internal, "a call to the core cannot be written")
                .with_source(error)
        })?;
        Ok(Self {
            method: Method::POST,
            body: Some(body.into()),
            repeat,
            ..Self::get(endpoint)
        })
    }

    pub(crate) fn put<T: Serialize>(
        endpoint: &'static str,
        body: &T,
        repeat: Repeat,
    ) -> Result<Self, Fault> {
        Ok(Self {
            method: Method::PUT,
            ..Self::post(endpoint, body, repeat)?
        })
    }

    pub(crate) fn tenant(mut self, tenant: Option<TenantId>) -> Self {
        self.tenant = tenant;
        self
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        let sign = if self.query.is_empty() { '?' } else { '&' };
        // Writing to a `String` cannot fail.
        let _ = write!(
            self.query,
            "{sign}{name}={}",
            utf8_percent_encode(value, NON_ALPHANUMERIC)
        );
        self
    }
}

/// Why a core did not do what was requested.
pub(crate) enum Failure {
    /// A failure of the core, or a misconfiguration.
    Fault(Fault),
    /// The app exists, but the tenant does not.
    UnknownTenant,
    /// The payload contains a protected claim.
    ProtectedClaim,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Fault(fault) => fault,
            Failure::UnknownTenant => misuse(
                "the core does not know the tenant. Fix: create it at the core before sessions are made in it",
            ),
            Failure::ProtectedClaim => misuse(wire::MESSAGE_PROTECTED_FIELD),
        }
    }
}

/// The failure of a call at one host, and how to proceed.
enum Step {
    /// Do not retry this host. The next host may be tried.
    Next(NoAnswer),
    /// The host responded with 429, with the pause that it requested, if any.
    Later(Option<Duration>),
    /// Do not try other hosts.
    Stop(Failure),
}

const VERSION_REFUSED: &str = "cdi-version";
const SCOPE_UNKNOWN: &str = "AppId or tenantId not found";

impl Core {
    pub(crate) fn new(parts: CoreParts) -> Arc<Self> {
        Arc::new(Self {
            hosts: parts.hosts,
            keys: Keys::default(),
            queues: Queues::default(),
            require_atomic_writes: parts.require_atomic_writes,
            http: parts.http,
            api_key: parts.api_key,
            app: parts.app,
            timeout: parts.timeout,
            retry_step: parts.retry_step,
            runtime: parts.runtime,
        })
    }

    /// Runs a future on the runtime in which the core was built, because callers may be outside of
    /// any runtime.
    ///
    /// # Cancellation
    /// The future runs to completion even if the caller is dropped.
    pub(crate) async fn run<T, F>(
        self: &Arc<Self>,
        work: impl FnOnce(Arc<Self>) -> F,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let task = self.runtime.spawn(work(Arc::clone(self)));
        task.await.unwrap_or_else(|error| {
            let message = if error.is_panic() {
                "a call to the core panicked"
            } else {
                "the runtime that the remote core was built in has stopped"
            };
            Err(Fault::new(FaultKind::Internal, message))
        })
    }

    /// Spawns a background task on that runtime.
    pub(crate) fn start<F>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.runtime.spawn(work(Arc::clone(self)));
    }

    /// Makes a call and reads its response. A response that cannot be read counts as a failure of
    /// the host.
    pub(crate) async fn ask<T>(
        &self,
        call: &Call,
        read: impl Fn(&Answer) -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut hosts: VecDeque<_> = self
            .hosts
            .in_order()
            .into_iter()
            .map(|host| (host, 0))
            .collect();
        let mut troubles = Troubles::default();
        while let Some((host, retries)) = hosts.pop_front() {
            let fair = fair_share(deadline, hosts.len());
            match self.ask_host(host, call, fair, deadline, &read).await {
                Ok(value) => {
                    host.answered();
                    return Ok(value);
                }
                Err(Step::Stop(failure)) => return Err(failure),
                Err(Step::Later(asked)) => {
                    if pauses::before_retry(retries, self.retry_step, asked, deadline).await {
                        hosts.push_back((host, retries + 1));
                    } else {
                        troubles.busy(host);
                    }
                }
                Err(Step::Next(trouble)) => {
                    host.failed();
                    let may_have_arrived = trouble.may_have_arrived();
                    troubles.add(host, trouble);
                    if may_have_arrived && call.repeat == Repeat::Unsafe {
                        break;
                    }
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(troubles.into_fault().into())
    }

    /// Like [`Self::ask`], for a JSON response.
    pub(crate) async fn ask_json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        self.ask(call, |answer| serde_json::from_slice(&answer.body).ok())
            .await
    }

    async fn ask_host<T>(
        &self,
        host: &Host,
        call: &Call,
        fair: Instant,
        deadline: Instant,
        read: impl Fn(&Answer) -> Option<T>,
    ) -> Result<T, Step> {
        let mut spoken = if call.public {
            None
        } else {
            Some(self.spoken(host, fair).await?)
        };
        // If no other host may be tried after this one, it gets all the remaining time.
        let until = match call.repeat {
            Repeat::Safe => fair,
            Repeat::Unsafe => deadline,
        };
        loop {
            let answer = self
                .send(host, call, spoken, until)
                .await
                .map_err(Step::Next)?;
            let refused = answer.status == StatusCode::BAD_REQUEST && answer.says(VERSION_REFUSED);
            if let (true, Some(before)) = (refused, spoken) {
                // The host was replaced by one with another version.
                host.set_spoken(None);
                let now = self.spoken(host, fair).await?;
                if now.cdi != before.cdi {
                    spoken = Some(now);
                    continue;
                }
            }
            self.judge(host, call, &answer)?;
            return read(&answer).ok_or_else(|| Step::Next(NoAnswer::unreadable(&answer)));
        }
    }

    /// Classifies a response by its status.
    fn judge(&self, host: &Host, call: &Call, answer: &Answer) -> Result<(), Step> {
        let endpoint = call.endpoint;
        let text = match answer.status.as_u16() {
            200 => return Ok(()),
            429 => return Err(Step::Later(answer.retry_after())),
            status @ 500.. => return Err(Step::Next(NoAnswer::Failed(status))),
            401 if self.api_key.is_none() => format!(
                "the core at {host} asks for an API key, and none is configured. Fix: give one of its `api_keys` to `RemoteCore::api_key`"
            ),
            401 => format!(
                "the core at {host} refuses the API key. Fix: give one of its `api_keys` to `RemoteCore::api_key`"
            ),
            400 if answer.says(wire::MESSAGE_PROTECTED_FIELD) => {
                return Err(Step::Stop(Failure::ProtectedClaim));
            }
            400 if answer.says(SCOPE_UNKNOWN) => {
                if host.spoken().is_some() {
                    // The app existed when the versions were requested, so the tenant is unknown.
                    return Err(Step::Stop(Failure::UnknownTenant));
                }
                format!(
                    "the core has no app `{}`. Fix: create it there, or correct `RemoteCore::app_id`",
                    self.app
                )
            }
            404 => format!(
                "the core at {host} has no {endpoint}. Fix: check the URL of the host, its base path included, and that a core of SuperTokens 5 or later or `supersession-server` runs there"
            ),
            403 => format!(
                "the core at {host} forbids {endpoint}. Fix: check its rules for addresses (`ip_allow_regex`, `ip_deny_regex`), and what stands between"
            ),
            status @ 300..=399 => format!(
                "the core at {host} redirects (status {status}). Fix: name the host where it redirects to"
            ),
            status => format!(
                "the core at {host} refuses {endpoint} (status {status}). Fix: check that a SuperTokens-compatible core runs there; its log says why"
            ),
        };
        Err(Step::Stop(misuse(text).into()))
    }

    async fn send(
        &self,
        host: &Host,
        call: &Call,
        spoken: Option<Spoken>,
        until: Instant,
    ) -> Result<Answer, NoAnswer> {
        let not_sent = |error: http::Error| NoAnswer::NotSent(error.into());
        let path = format!("{}{}", call.endpoint, call.query);
        let uri = host.uri(call.tenant.as_ref(), &path).map_err(not_sent)?;
        let mut request = Request::builder().method(call.method.clone()).uri(uri);
        if let (false, Some(key)) = (call.public, &self.api_key) {
            request = request.header(wire::API_KEY_HEADER, key);
        }
        if let Some(spoken) = spoken {
            request = request.header(wire::CDI_VERSION_HEADER, spoken.cdi.name);
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        }
        let body = Full::new(call.body.clone().unwrap_or_default());
        let request = request.body(body).map_err(not_sent)?;
        self.http.send(request, until).await
    }

    /// Returns the protocol of this host, which is negotiated if it is not known.
    async fn spoken(&self, host: &Host, until: Instant) -> Result<Spoken, Step> {
        if let Some(spoken) = host.spoken() {
            return Ok(spoken);
        }
        let _one_at_a_time = tokio::time::timeout_at(until, host.negotiating.lock())
            .await
            .map_err(|_| unasked(NoAnswer::Late))?;
        if let Some(spoken) = host.spoken() {
            return Ok(spoken);
        }
        let call = Call::get("/apiversion");
        let answer = self.send(host, &call, None, until).await.map_err(unasked)?;
        self.judge(host, &call, &answer).map_err(not_asked)?;
        let versions: Versions = serde_json::from_slice(&answer.body)
            .map_err(|_| unasked(NoAnswer::unreadable(&answer)))?;
        let cdi = versions.common().ok_or_else(|| {
            Step::Stop(
                misuse(format!(
                    "the core at {host} speaks no version of the core driver interface from 3.0 to 5.6, only {}. Fix: upgrade the core, or this crate if the core is newer; check the core's `supertokens_max_cdi_version` and `supertokens_min_cdi_version`",
                    versions.offered()
                ))
                .into(),
            )
        })?;
        let mut spoken = Spoken {
            cdi,
            documents: false,
        };
        let call = Call::get(wire::DOCUMENT_PATH);
        let answer = self
            .send(host, &call, Some(spoken), until)
            .await
            .map_err(unasked)?;
        // This is also the first call with the API key. `/apiversion` does not need one.
        spoken.documents = match self.judge(host, &call, &answer) {
            Ok(()) => true,
            Err(Step::Stop(failure)) if is_no_access(&answer) => return Err(Step::Stop(failure)),
            // Other cores do not have this endpoint.
            Err(Step::Stop(_)) => false,
            Err(trouble) => return Err(not_asked(trouble)),
        };
        host.set_spoken(Some(spoken));
        tracing::debug!(target: "supersession", %host, cdi = cdi.name, documents = spoken.documents, "a core was asked what it speaks");
        Ok(spoken)
    }

    /// Returns `true` if the core supports conditional and merging writes.
    pub(crate) async fn has_documents(&self) -> Result<bool, Fault> {
        let deadline = Instant::now() + self.timeout;
        let mut troubles = Troubles::default();
        let hosts = self.hosts.in_order();
        for (at, host) in hosts.iter().enumerate() {
            let until = fair_share(deadline, hosts.len() - at - 1);
            match self.spoken_patiently(host, until).await {
                Ok(spoken) => return Ok(spoken.documents),
                Err(Step::Stop(failure)) => return Err(failure.into()),
                Err(Step::Later(_)) => troubles.busy(host),
                Err(Step::Next(trouble)) => {
                    host.failed();
                    troubles.add(host, trouble);
                }
            }
        }
        Err(troubles.into_fault())
    }

    /// Negotiates the protocol with every host. Stops at the first problem.
    pub(crate) async fn check_hosts(&self) -> Result<(), Fault> {
        for host in self.hosts.iter() {
            let until = Instant::now() + self.timeout;
            let mut troubles = Troubles::default();
            match self.spoken_patiently(host, until).await {
                Ok(_) => continue,
                Err(Step::Stop(failure)) => return Err(failure.into()),
                Err(Step::Later(_)) => troubles.busy(host),
                Err(Step::Next(trouble)) => troubles.add(host, trouble),
            }
            return Err(troubles.into_fault());
        }
        Ok(())
    }

    /// Like [`Self::spoken`], but retries if the host responds with 429.
    async fn spoken_patiently(&self, host: &Host, until: Instant) -> Result<Spoken, Step> {
        let mut retries = 0;
        loop {
            match self.spoken(host, until).await {
                Err(Step::Later(asked))
                    if pauses::before_retry(retries, self.retry_step, asked, until).await =>
                {
                    retries += 1;
                }
                result => return result,
            }
        }
    }
}

/// Returns `true` if the response rejects the client for any request.
fn is_no_access(answer: &Answer) -> bool {
    matches!(
        answer.status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    ) || answer.says(SCOPE_UNKNOWN)
}

/// Returns the deadline for one host, which leaves an equal share of the time for each of the
/// others.
fn fair_share(deadline: Instant, others: usize) -> Instant {
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    now + left / u32::try_from(others + 1).unwrap_or(u32::MAX)
}

/// Marks a failure of the negotiation, before which the call itself is never sent.
fn unasked(trouble: NoAnswer) -> Step {
    Step::Next(trouble.before_the_call())
}

fn not_asked(step: Step) -> Step {
    match step {
        Step::Next(trouble) => unasked(trouble),
        other => other,
    }
}

fn misuse(text: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(FaultKind::Misuse, text)
}
