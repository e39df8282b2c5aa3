//! Errors of hosts: why a call got no usable response, if it may have arrived, and the fix.

use std::error::Error;
use std::fmt::{Display, Write as _};
use std::io;

use supersession::{Fault, FaultKind};

use crate::tls;

pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// The reason why a host gave no usable response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// The request cannot have arrived.
    #[error("{}", explain(.0.as_ref()))]
    NotSent(#[source] Cause),
    /// The request cannot have arrived.
    #[error(
        "its certificate is not trusted. Fix: pass the certificate of its authority to `RemoteCore::root_certificates` or install it in the system, and use a host name that the certificate contains"
    )]
    Untrusted(#[source] Cause),
    /// The request cannot have arrived, because the negotiation of the version before it failed.
    #[error("{0}")]
    Negotiation(#[source] Box<HostError>),
    /// The request may have arrived.
    #[error("the connection was lost")]
    ConnectionLost(#[source] Cause),
    /// The request may have arrived.
    #[error(
        "its response is not HTTP. Fix: check the port, and use `https://` if the host uses TLS"
    )]
    NotHttp(#[source] Cause),
    /// The request may have arrived.
    #[error("it did not respond in time")]
    TimedOut,
    /// The request may have arrived.
    #[error("it failed (status {0}). Fix: look up the reason in its log")]
    ServerError(u16),
    /// The request may have arrived.
    #[error(
        "{}. Fix: check the URL of the host and its base path, and what is in front of it, such as a proxy or a login page",
        if *is_html { "it responds with an HTML page, which no core does" } else { "its response is not one of a SuperTokens core" }
    )]
    Unreadable { is_html: bool },
}

impl HostError {
    /// Returns the error of a call that was not sent because the negotiation before it failed.
    pub(crate) fn during_negotiation(self) -> Self {
        match self {
            Self::Untrusted(_) | Self::NotSent(_) | Self::Negotiation(_) => self,
            other => Self::Negotiation(Box::new(other)),
        }
    }

    /// Returns `true` if the host may have processed the call.
    pub(crate) fn may_have_arrived(&self) -> bool {
        !matches!(
            self,
            Self::NotSent(_) | Self::Untrusted(_) | Self::Negotiation(_)
        )
    }
}

/// Returns the reason why no connection was established, as far as the error contains it.
fn explain(error: &(dyn Error + 'static)) -> &'static str {
    let mut why = "no connection could be established. Fix: check the URL of the host, and that a core runs there";
    for error in tls::chain(error) {
        if error.to_string().starts_with("dns error") {
            return "its name cannot be resolved. Fix: correct the name in the URL of the host, or the DNS of this machine";
        }
        if let Some(rustls::Error::InvalidMessage(_)) = error.downcast_ref() {
            return "it does not use TLS. Fix: use `http://`, or check the port";
        }
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => {
                why = "it refuses connections. Fix: start the core, or correct the port in the URL of the host";
            }
            Some(io::ErrorKind::TimedOut) => {
                why = "no connection was established in time. Fix: check the URL of the host, and that no firewall drops the packets";
            }
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                why = "there is no route to it. Fix: correct the address in the URL of the host, or the network of this machine";
            }
            _ => {}
        }
    }
    why
}

/// The failures of all hosts that were tried.
#[derive(Default)]
pub(crate) struct HostErrors {
    text: String,
    cause: Option<HostError>,
}

impl HostErrors {
    pub(crate) fn add(&mut self, host: &impl Display, error: HostError) {
        self.note(host, &error.to_string());
        self.cause = Some(error);
    }

    /// Records that the host responded with 429 until no time or no retry was left.
    pub(crate) fn add_rate_limited(&mut self, host: &impl Display) {
        self.note(
            host,
            "it limits the rate of requests (429). Fix: raise the core's rate limit, or send fewer requests",
        );
    }

    fn note(&mut self, host: &impl Display, problem: &str) {
        let separator = if self.text.is_empty() { ": " } else { "; " };
        // Writing to a `String` cannot fail.
        let _ = write!(self.text, "{separator}{host}: {problem}");
    }

    pub(crate) fn into_fault(self) -> Fault {
        let message = format!("the call failed at every host of the core{}", self.text);
        let fault = Fault::new(FaultKind::Unavailable, message);
        match self.cause {
            Some(cause) => fault.with_source(cause),
            None => fault,
        }
    }
}
