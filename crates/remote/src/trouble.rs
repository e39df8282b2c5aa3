//! Calls without a usable response: the reasons, whether the call can have arrived, and the fix.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use http::header::CONTENT_TYPE;
use supersession::{Fault, FaultKind};

use crate::hosts::Host;
use crate::http_client::Answer;
use crate::tls;

pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// The reason why a host gave no usable response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The request cannot have arrived.
    #[error("{}", explain(.0.as_ref()))]
    NotSent(#[source] Cause),
    /// The request cannot have arrived.
    #[error(
        "its certificate is not trusted. Fix: give the authority's to `RemoteCore::root_certificates`, or install it in the system, and name the host as the certificate does"
    )]
    Untrusted(#[source] Cause),
    /// The request cannot have arrived, because the negotiation of the version before it failed.
    #[error("{0}")]
    Unasked(#[source] Box<NoAnswer>),
    /// The request may have arrived.
    #[error("the connection was lost")]
    Lost(#[source] Cause),
    /// The request may have arrived.
    #[error(
        "its answer is not HTTP. Fix: check the port, and name the host with `https://` if it uses TLS"
    )]
    NotHttp(#[source] Cause),
    /// The request may have arrived.
    #[error("no answer came in time")]
    Late,
    /// The request may have arrived.
    #[error("it has trouble of its own (status {0}). Fix: its log names the reason")]
    Failed(u16),
    /// The request may have arrived.
    #[error(
        "{}. Fix: check the URL of the host, its base path included, and what is in front of it, such as a proxy or a login page",
        if *page { "it answers with an HTML page, which no core does" } else { "its answer is not one of a SuperTokens core" }
    )]
    Unreadable { page: bool },
}

impl NoAnswer {
    /// Returns the reason for a response that cannot be read.
    pub(crate) fn unreadable(answer: &Answer) -> Self {
        let is_html = |value: &http::HeaderValue| value.as_bytes().starts_with(b"text/html");
        let start = answer.body.trim_ascii_start();
        Self::Unreadable {
            page: answer.headers.get(CONTENT_TYPE).is_some_and(is_html) || start.starts_with(b"<"),
        }
    }

    /// Converts the reason for a call that was not sent because of it.
    pub(crate) fn before_the_call(self) -> Self {
        match self {
            Self::Untrusted(_) | Self::NotSent(_) | Self::Unasked(_) => self,
            other => Self::Unasked(Box::new(other)),
        }
    }

    /// Returns `true` if the host may have processed the call.
    pub(crate) fn may_have_arrived(&self) -> bool {
        !matches!(
            self,
            Self::NotSent(_) | Self::Untrusted(_) | Self::Unasked(_)
        )
    }
}

/// Returns the reason why no connection was established, as far as the error contains it.
fn explain(error: &(dyn Error + 'static)) -> &'static str {
    let mut why =
        "no connection could be made. Fix: check the URL of the host, and that a core runs there";
    for error in tls::chain(error) {
        if error.to_string().starts_with("dns error") {
            return "its name cannot be resolved. Fix: correct the name in the URL of the host, or the DNS of this machine";
        }
        if let Some(rustls::Error::InvalidMessage(_)) = error.downcast_ref() {
            return "it does not speak TLS. Fix: name the host with `http://`, or check the port";
        }
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => {
                why = "it refuses connections. Fix: start the core, or correct the port in the URL of the host";
            }
            Some(io::ErrorKind::TimedOut) => {
                why = "no connection was made in time. Fix: check the URL of the host, and that no firewall drops the packets";
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
pub(crate) struct Troubles {
    text: String,
    cause: Option<NoAnswer>,
}

impl Troubles {
    pub(crate) fn add(&mut self, host: &Host, trouble: NoAnswer) {
        self.note(host, &trouble.to_string());
        self.cause = Some(trouble);
    }

    /// Records that the host responded with 429 until no time or no retry was left.
    pub(crate) fn busy(&mut self, host: &Host) {
        self.note(
            host,
            "it is asked too often (429). Fix: raise the core's rate limit, or ask it less often",
        );
    }

    fn note(&mut self, host: &Host, what: &str) {
        let sign = if self.text.is_empty() { ": " } else { "; " };
        // Writing to a `String` cannot fail.
        let _ = write!(self.text, "{sign}{host}: {what}");
    }

    pub(crate) fn into_fault(self) -> Fault {
        let message = format!("no core did what it was asked{}", self.text);
        let fault = Fault::new(FaultKind::Unavailable, message);
        match self.cause {
            Some(cause) => fault.with_source(cause),
            None => fault,
        }
    }
}
