//! Calls of the core: the order in which hosts are tried, retries and deadlines.

use std::collections::VecDeque;
use std::time::Duration;

use http::StatusCode;
use serde::de::DeserializeOwned;
use supersession::Fault;
use tokio::time::Instant;

use crate::backoff;
use crate::call::{Call, Retry};
use crate::call_error::{AttemptError, CallError};
use crate::cdi::Capabilities;
use crate::host_error::HostErrors;
use crate::hosts::{Host, Hosts};
use crate::http_client::Response;
use crate::negotiation;
use crate::sender::Sender;

/// A client of all hosts of a core.
pub(crate) struct Client {
    pub(crate) sender: Sender,
    pub(crate) hosts: Hosts,
    pub(crate) timeout: Duration,
    pub(crate) retry_step: Duration,
}

/// The message of a core that does not support the CDI version of the request.
const UNSUPPORTED_VERSION: &str = "cdi-version";

impl Client {
    /// Makes a call and reads its response. A response that cannot be read counts as a failure of
    /// the host.
    ///
    /// A host that responds with 429 goes to the end of the queue with a retry count of its own, so
    /// the other hosts are tried before it is tried again.
    pub(crate) async fn call<T>(
        &self,
        call: &Call,
        read: impl Fn(&Response) -> Option<T>,
    ) -> Result<T, CallError> {
        let deadline = Instant::now() + self.timeout;
        let mut hosts: VecDeque<_> = self
            .hosts
            .in_order()
            .into_iter()
            .map(|host| (host, 0))
            .collect();
        let mut errors = HostErrors::default();
        while let Some((host, retries)) = hosts.pop_front() {
            let share = fair_share(deadline, hosts.len());
            match self.call_host(host, call, share, deadline, &read).await {
                Ok(value) => {
                    host.record_success();
                    return Ok(value);
                }
                Err(AttemptError::Stop(error)) => return Err(error),
                Err(AttemptError::RateLimited(retry_after)) => {
                    if backoff::wait(retries, self.retry_step, retry_after, deadline).await {
                        hosts.push_back((host, retries + 1));
                    } else {
                        errors.add_rate_limited(host);
                    }
                }
                Err(AttemptError::NextHost(error)) => {
                    host.record_failure();
                    let may_have_arrived = error.may_have_arrived();
                    errors.add(host, error);
                    if may_have_arrived && call.retry == Retry::Unsafe {
                        break;
                    }
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(errors.into_fault().into())
    }

    /// Like [`Self::call`], for a JSON response.
    pub(crate) async fn call_json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, CallError> {
        self.call(call, |response| serde_json::from_slice(&response.body).ok())
            .await
    }

    async fn call_host<T>(
        &self,
        host: &Host,
        call: &Call,
        share: Instant,
        deadline: Instant,
        read: impl Fn(&Response) -> Option<T>,
    ) -> Result<T, AttemptError> {
        let mut capabilities = if call.public {
            None
        } else {
            Some(negotiation::capabilities(&self.sender, host, share).await?)
        };
        // If no other host may be tried after this one, it gets all the remaining time.
        let until = match call.retry {
            Retry::Safe => share,
            Retry::Unsafe => deadline,
        };
        loop {
            let response = self
                .sender
                .send(host, call, capabilities, until)
                .await
                .map_err(AttemptError::NextHost)?;
            let unsupported = response.status == StatusCode::BAD_REQUEST
                && response.contains(UNSUPPORTED_VERSION);
            if let (true, Some(before)) = (unsupported, capabilities) {
                // The host was replaced by one with another version.
                host.set_capabilities(None);
                let now = negotiation::capabilities(&self.sender, host, share).await?;
                if now.cdi != before.cdi {
                    capabilities = Some(now);
                    continue;
                }
            }
            self.sender.check_status(host, call, &response)?;
            return read(&response).ok_or_else(|| AttemptError::NextHost(response.unreadable()));
        }
    }

    /// Returns `true` if the core supports conditional and merging writes.
    pub(crate) async fn has_documents(&self) -> Result<bool, Fault> {
        let deadline = Instant::now() + self.timeout;
        let mut errors = HostErrors::default();
        let hosts = self.hosts.in_order();
        for (at, host) in hosts.iter().enumerate() {
            let until = fair_share(deadline, hosts.len() - at - 1);
            match self.capabilities(host, until).await {
                Ok(capabilities) => return Ok(capabilities.documents),
                Err(AttemptError::Stop(error)) => return Err(error.into()),
                Err(AttemptError::RateLimited(_)) => errors.add_rate_limited(host),
                Err(AttemptError::NextHost(error)) => {
                    host.record_failure();
                    errors.add(host, error);
                }
            }
        }
        Err(errors.into_fault())
    }

    /// Negotiates with every host. Stops at the first problem.
    pub(crate) async fn check_hosts(&self) -> Result<(), Fault> {
        for host in self.hosts.iter() {
            let until = Instant::now() + self.timeout;
            let mut errors = HostErrors::default();
            match self.capabilities(host, until).await {
                Ok(_) => continue,
                Err(AttemptError::Stop(error)) => return Err(error.into()),
                Err(AttemptError::RateLimited(_)) => errors.add_rate_limited(host),
                Err(AttemptError::NextHost(error)) => errors.add(host, error),
            }
            return Err(errors.into_fault());
        }
        Ok(())
    }

    /// Returns the capabilities of this host. Retries if the host responds with 429.
    async fn capabilities(
        &self,
        host: &Host,
        until: Instant,
    ) -> Result<Capabilities, AttemptError> {
        let mut retries = 0;
        loop {
            match negotiation::capabilities(&self.sender, host, until).await {
                Err(AttemptError::RateLimited(retry_after))
                    if backoff::wait(retries, self.retry_step, retry_after, until).await =>
                {
                    retries += 1;
                }
                result => return result,
            }
        }
    }
}

/// Returns the deadline for one host, which leaves an equal share of the time for each of the
/// others.
fn fair_share(deadline: Instant, others: usize) -> Instant {
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    now + left / u32::try_from(others + 1).unwrap_or(u32::MAX)
}
