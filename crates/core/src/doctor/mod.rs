//! Detects common misconfigurations and reports the fix for each.
//!
//! There are three entry points:
//!
//! * [`Sessions::doctor`] checks the configuration, the store and the clock. Its findings are also
//!   logged when [`Sessions`] are built.
//! * [`Sessions::probes`] returns requests to send through the whole application, as a browser
//!   would. [`Probe::examine`] reports problems of a response. This finds problems around the
//!   session layer: CORS, nested routers, proxies. Each adapter has a `doctor` function that does
//!   this in the process, for a test of the application.
//! * The route `GET {base}/doctor`, if enabled with
//!   [`SessionsBuilder::doctor_route`](crate::SessionsBuilder::doctor_route), reports problems of
//!   the request that it receives, and the findings of [`Sessions::doctor`]. For development only,
//!   because it reveals the configuration to any client.
//!
//! A configuration that cannot work at all is an error of the builder. The findings here may be
//! intended.

mod configuration;
mod probe;
pub(crate) mod request;

pub use probe::Probe;

pub use crate::findings::{Finding, Severity};

use crate::clock::UnixMillis;
use crate::error::SessionError;
use crate::sessions::Sessions;

/// Difference between the clocks of nodes that has no effect.
const TOLERABLE_SKEW: std::time::Duration = std::time::Duration::from_secs(5);

/// Earliest plausible time: 2025-01-01. A clock before it is wrong.
const EARLIEST: UnixMillis = UnixMillis::new(1_735_689_600_000);

impl Sessions {
    /// Returns the probable problems of the configuration, the store and the clock. Empty if there
    /// are none.
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
                    "a signing key was created {:?} in the future of this machine, so its clock is behind another node's",
                    made_at.since(now)
                ),
                "synchronise the clocks of all nodes (NTP)",
            )),
            Ok(_) => None,
            Err(fault) => Some(Finding::error(
                "store",
                format!("it cannot be read: {}", SessionError::from(fault)),
                "restore access to the store; until then requests are answered with 503",
            )),
        }
    }
}
