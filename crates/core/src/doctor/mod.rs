//! Misconfigurations that people really hit, each with its fix.
//!
//! Three ways to ask:
//!
//! * [`Sessions::doctor`] looks at the configuration, the store and the clock. What it finds is
//!   also logged when [`Sessions`] are built.
//! * [`Sessions::probes`] are requests to send through the whole application, as a browser would;
//!   [`Probe::examine`] says what is wrong with an answer. This finds what is around the session
//!   layer: CORS, nested routers, proxies. The adapters have a `doctor` function that does it in
//!   the process, for a test of the application's own.
//! * The route `GET {base}/doctor`, if it is turned on with
//!   [`SessionsBuilder::doctor_route`](crate::SessionsBuilder::doctor_route), says what is wrong
//!   with the request that it got, and everything of the first. For development: it tells
//!   strangers about the configuration.
//!
//! A configuration that cannot work at all does not build; what is found here may be meant as it
//! is.

mod configuration;
mod probe;
pub(crate) mod request;
mod sightings;

use std::fmt;

use serde::Serialize;

pub use probe::Probe;
pub(crate) use sightings::Sightings;

use crate::clock::UnixMillis;
use crate::error::SessionError;
use crate::sessions::Sessions;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Works, but not for everybody, or not as safely as it could.
    Warning,
    /// Sessions do not work for browsers this way.
    Error,
}

/// Something that is probably wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: a method of [`SessionsBuilder`](crate::SessionsBuilder), or a part of the
    /// surroundings such as `cors`, `proxy` or `clock`.
    pub subject: &'static str,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl Finding {
    fn error(subject: &'static str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            subject,
            problem: problem.into(),
            fix: fix.into(),
        }
    }

    fn warning(subject: &'static str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(subject, problem, fix)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            problem,
            fix,
            ..
        } = self;
        write!(f, "{subject}: {problem}. Fix: {fix}")
    }
}

/// By how much the clocks of nodes may differ without anybody noticing.
const TOLERABLE_SKEW: std::time::Duration = std::time::Duration::from_secs(5);

/// No clock that is right says less: 2025-01-01.
const EARLIEST: UnixMillis = UnixMillis::new(1_735_689_600_000);

impl Sessions {
    /// What is probably wrong with the configuration, the store and the clock. Empty if all is
    /// well.
    ///
    /// # Examples
    /// ```
    /// # use supersession::{Sessions, store::MemoryStore};
    /// # pollster::block_on(async {
    /// let sessions = Sessions::builder(MemoryStore::new())
    ///     .api_domain("http://api.example.com")
    ///     .website_domain("http://example.com")
    ///     .build()
    ///     .await?;
    /// for finding in sessions.doctor().await {
    ///     println!("{finding}");
    /// }
    /// # assert!(!sessions.doctor().await.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn doctor(&self) -> Vec<Finding> {
        let mut findings = self.config().findings();
        findings.extend(self.clock_findings().await);
        findings
    }

    async fn clock_findings(&self) -> Option<Finding> {
        let now = self.now();
        if now < EARLIEST {
            return Some(Finding::error(
                "clock",
                format!("this machine's clock says {now} milliseconds since 1970"),
                "synchronise it (NTP)",
            ));
        }
        match self.authority().newest_key_made_at().await {
            Ok(Some(made_at)) if made_at > now.after(TOLERABLE_SKEW) => Some(Finding::error(
                "clock",
                format!(
                    "a signing key was made {:?} after this machine's present, so its clock is behind another node's",
                    made_at.since(now)
                ),
                "synchronise the clocks of all nodes (NTP)",
            )),
            Ok(_) => None,
            Err(fault) => Some(Finding::error(
                "store",
                format!("it cannot be read: {}", SessionError::from(fault)),
                "see to the store; until then requests are answered with 503",
            )),
        }
    }
}
