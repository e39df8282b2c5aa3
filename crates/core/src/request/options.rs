//! Requirements that a guard checks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::claims::ClaimValidator;
use crate::config::{Config, Strictness};
use crate::session::Session;

type Override = dyn Fn(&[ClaimValidator], &Session) -> Vec<ClaimValidator> + Send + Sync;

/// Requirements that a guard checks (session specification, 5.1). By default, a guard requires a
/// session, runs the anti-CSRF check where it applies, runs the global claim validators, and checks
/// for revocation as configured by
/// [`SessionsBuilder::strictness`](crate::SessionsBuilder::strictness).
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
    /// Returns the guard's requirements.
    fn options() -> VerifyOptions;
}

impl VerifyOptions {
    /// Creates the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts requests without a session. An expired token, a failed check or a failed claim still
    /// rejects the request, because such a client must refresh and is not a guest.
    #[doc(alias = "sessionRequired")]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Enables or disables the anti-CSRF check. By default, the check applies to every method
    /// except GET, if an anti-CSRF mode is configured and the session travels in cookies.
    #[doc(alias = "antiCsrfCheck")]
    pub fn anti_csrf_check(mut self, check: bool) -> Self {
        self.anti_csrf_check = Some(check);
        self
    }

    /// Sets how strictly the guard checks for revocation. Defaults to the setting of
    /// [`SessionsBuilder::strictness`](crate::SessionsBuilder::strictness).
    pub fn strictness(mut self, strictness: Strictness) -> Self {
        self.strictness = Some(strictness);
        self
    }

    /// If set to `true`, the guard asks the store for the session at each request. Shorthand for
    /// [`Self::strictness`] with [`Strictness::Database`] or [`Strictness::TokenOnly`].
    #[doc(alias = "checkDatabase")]
    pub fn check_database(self, check: bool) -> Self {
        self.strictness(Strictness::of_check_database(check))
    }

    /// Sets the maximum time since the creation of the session, for operations that need a recent
    /// sign-in. Reads the store. An older session is rejected as a failed claim with the id
    /// `session-age`.
    #[doc(alias = "freshness")]
    pub fn max_session_age(mut self, age: Duration) -> Self {
        self.max_session_age = Some(age);
        self
    }

    /// Requires a claim, in addition to the global validators. Can be called several times.
    pub fn require(mut self, validator: impl Into<ClaimValidator>) -> Self {
        self.required.push(validator.into());
        self
    }

    /// Replaces the global validators by the result of a function of them and the session. An empty
    /// list skips them. Validators of [`Self::require`] are added afterwards.
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
