//! The errors of a call: at one host, and as a whole.

use std::borrow::Cow;
use std::time::Duration;

use supersession::{Fault, FaultKind, wire};

use crate::host_error::HostError;

/// Why a core did not do what was requested.
pub(crate) enum CallError {
    /// A failure of the core, or a misconfiguration.
    Fault(Fault),
    /// The app exists, but the tenant does not.
    UnknownTenant,
    /// The payload contains a protected claim.
    ProtectedClaim,
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Fault(fault) => fault,
            CallError::UnknownTenant => misuse(
                "the core does not know the tenant. Fix: create the tenant in the core before sessions are created in it",
            ),
            CallError::ProtectedClaim => misuse(wire::MESSAGE_PROTECTED_FIELD),
        }
    }
}

/// The failure of a call at one host, and how to proceed.
pub(crate) enum AttemptError {
    /// Do not retry this host. The next host may be tried.
    NextHost(HostError),
    /// The host responded with 429, with the pause that it requested, if any.
    RateLimited(Option<Duration>),
    /// Do not try other hosts.
    Stop(CallError),
}

pub(crate) fn misuse(text: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(FaultKind::Misuse, text)
}
