//! What a guard demands.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::claims::ClaimValidator;
use crate::config::Config;
use crate::session::Session;

type Override = dyn Fn(&[ClaimValidator], &Session) -> Vec<ClaimValidator> + Send + Sync;

/// What a guard demands of a request (session specification, 5.1). Defaults to: a session, whose
/// token is checked without asking the store, anti-CSRF where it is due, and the global claim
/// validators.
#[derive(Clone, Default)]
#[must_use = "options do nothing by themselves; give them to a guard"]
pub struct VerifyOptions {
    optional: bool,
    anti_csrf_check: Option<bool>,
    strictness: Option<Strictness>,
    max_session_age: Option<Duration>,
    override_validators: Option<Arc<Override>>,
    required: Vec<ClaimValidator>,
}

/// How sure a guard makes that a session has not been revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Strictness {
    /// Not at all: an access token stays good until it expires, even if its session was revoked.
    /// Costs nothing.
    TokenOnly,
    /// The store is asked once for each session and tells of endings from then on, so a session
    /// that was revoked on another node is refused a moment later. While the store has no feed of
    /// endings, or has lost it, as [`Self::Database`].
    Feed,
    /// The store is asked at each request: one point read, and a revoked session is refused at
    /// once.
    Database,
}

impl Strictness {
    pub(crate) fn of_check_database(check: bool) -> Self {
        if check {
            Self::Database
        } else {
            Self::TokenOnly
        }
    }
}

/// A guard as a type, for extractors: `Require<Admin>` in a handler's signature.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use supersession::{Guard, VerifyOptions};
///
/// struct FreshLogin;
///
/// impl Guard for FreshLogin {
///     fn options() -> VerifyOptions {
///         VerifyOptions::new().max_session_age(Duration::from_secs(300))
///     }
/// }
/// ```
pub trait Guard: Send + Sync + 'static {
    /// What the guard demands.
    fn options() -> VerifyOptions;
}

impl VerifyOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets requests without a session pass. An expired token, a failed check or a claim that does
    /// not hold still ends the request: the client must refresh, not be taken for a guest.
    #[doc(alias = "sessionRequired")]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Forces or turns off the anti-CSRF check. Defaults to checking every method but GET, where a
    /// mode is in force and the session is in cookies.
    #[doc(alias = "antiCsrfCheck")]
    pub fn anti_csrf_check(mut self, check: bool) -> Self {
        self.anti_csrf_check = Some(check);
        self
    }

    /// How sure to make that the session has not been revoked. Defaults to the setting of
    /// [`SessionsBuilder::strictness`](crate::SessionsBuilder::strictness).
    pub fn strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = Some(strictness);
        self
    }

    /// Whether the store is asked if the session is still live: short for [`Self::strictness`] with
    /// [`Strictness::Database`], or with [`Strictness::TokenOnly`].
    #[doc(alias = "checkDatabase")]
    pub fn check_database(self, check: bool) -> Self {
        self.strictness(Strictness::of_check_database(check))
    }

    /// How long ago the session may have been created at most, for what needs a fresh sign-in. Asks
    /// the store. An older session is answered as a claim that does not hold, with the id
    /// `session-age`.
    #[doc(alias = "freshness")]
    pub fn max_session_age(mut self, age: Duration) -> Self {
        self.max_session_age = Some(age);
        self
    }

    /// Demands that a claim holds, beside the global validators. Can be given several times.
    pub fn require(mut self, validator: impl Into<ClaimValidator>) -> Self {
        self.required.push(validator.into());
        self
    }

    /// Replaces the list of global validators, as a function of it and of the session; an empty
    /// list skips them. What [`Self::require`] demands comes on top.
    #[doc(alias = "overrideGlobalClaimValidators")]
    pub fn override_global_validators<F>(mut self, choose: F) -> Self
    where
        F: Fn(&[ClaimValidator], &Session) -> Vec<ClaimValidator> + Send + Sync + 'static,
    {
        self.override_validators = Some(Arc::new(choose));
        self
    }

    pub(crate) fn is_optional(&self) -> bool {
        self.optional
    }

    pub(crate) fn checks_anti_csrf(&self, by_default: bool) -> bool {
        self.anti_csrf_check.unwrap_or(by_default)
    }

    pub(crate) fn demanded_strictness(&self, config: &Config) -> Strictness {
        if self.max_session_age.is_some() {
            Strictness::Database
        } else {
            self.strictness.unwrap_or(config.strictness)
        }
    }

    pub(crate) fn session_age_limit(&self) -> Option<Duration> {
        self.max_session_age
    }

    /// Whether there may be claims to check.
    pub(crate) fn demands_claims(&self, config: &Config) -> bool {
        let by_default = !config.validators.is_empty();
        by_default || !self.required.is_empty() || self.override_validators.is_some()
    }

    pub(crate) fn validators(&self, config: &Config, session: &Session) -> Vec<ClaimValidator> {
        let mut validators = match &self.override_validators {
            Some(choose) => choose(&config.validators, session),
            None => config.validators.clone(),
        };
        validators.extend_from_slice(&self.required);
        validators
    }
}

impl fmt::Debug for VerifyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyOptions")
            .field("optional", &self.optional)
            .field("anti_csrf_check", &self.anti_csrf_check)
            .field("strictness", &self.strictness)
            .field("max_session_age", &self.max_session_age)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}
