//! Claim validators, and the checks of the built-in claims.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::AnyClaim;
use super::claim::Claim;
use crate::clock::UnixMillis;
use crate::error::ClaimFailure;
use crate::json::JsonObject;

/// Checks the access token payload.
///
/// Implement this trait for custom checks. The built-in claims provide [`ClaimCheck`].
pub trait Validate: Send + Sync + 'static {
    /// Returns the validator id, which the client receives with a failure.
    fn id(&self) -> &str;

    /// Returns `true` if the value must be refetched before validation. Only called for validators
    /// of a claim.
    fn should_refetch(&self, payload: &JsonObject, now: UnixMillis) -> bool;

    /// Validates the payload.
    fn validate(&self, payload: &JsonObject, now: UnixMillis) -> Verdict;
}

/// The result of a validation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The payload is valid.
    Valid,
    /// The payload is invalid. The reason can be any JSON, and the client receives it.
    Invalid(Option<Value>),
}

/// A validator for a guard. Cheap to clone.
#[derive(Clone)]
pub struct ClaimValidator {
    check: Arc<dyn Validate>,
    claim: Option<AnyClaim>,
}

impl ClaimValidator {
    /// Creates a validator that never refetches.
    #[must_use]
    pub fn new(check: impl Validate) -> Self {
        Self {
            check: Arc::new(check),
            claim: None,
        }
    }

    /// Creates a validator that can refetch `claim` before it validates.
    #[must_use]
    pub fn of_claim<C: Claim>(claim: C, check: impl Validate) -> Self {
        Self {
            check: Arc::new(check),
            claim: Some(AnyClaim::new(claim)),
        }
    }

    /// Creates a validator from a closure over the payload. It never refetches.
    #[must_use]
    pub fn from_fn<F>(id: impl Into<String>, validate: F) -> Self
    where
        F: Fn(&JsonObject) -> Verdict + Send + Sync + 'static,
    {
        Self::new(FnValidator {
            id: id.into(),
            validate,
        })
    }

    /// Returns the validator id, which the client receives with a failure.
    #[must_use]
    pub fn id(&self) -> &str {
        self.check.id()
    }

    pub(super) fn claim_to_refetch(
        &self,
        payload: &JsonObject,
        now: UnixMillis,
    ) -> Option<&AnyClaim> {
        self.claim
            .as_ref()
            .filter(|_| self.check.should_refetch(payload, now))
    }

    pub(super) fn failure(&self, payload: &JsonObject, now: UnixMillis) -> Option<ClaimFailure> {
        match self.check.validate(payload, now) {
            Verdict::Valid => None,
            Verdict::Invalid(reason) => Some(ClaimFailure {
                id: self.id().to_owned(),
                reason,
            }),
        }
    }
}

impl fmt::Debug for ClaimValidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimValidator")
            .field("id", &self.id())
            .field("claim", &self.claim)
            .finish()
    }
}

struct FnValidator<F> {
    id: String,
    validate: F,
}

impl<F: Fn(&JsonObject) -> Verdict + Send + Sync + 'static> Validate for FnValidator<F> {
    fn id(&self) -> &str {
        &self.id
    }

    fn should_refetch(&self, _payload: &JsonObject, _now: UnixMillis) -> bool {
        false
    }

    fn validate(&self, payload: &JsonObject, _now: UnixMillis) -> Verdict {
        (self.validate)(payload)
    }
}

/// A check of a built-in claim's value, with its options.
#[derive(Clone)]
pub struct ClaimCheck {
    id: String,
    key: String,
    claim: AnyClaim,
    max_age: Option<Duration>,
    expectation: Expectation,
}

/// The expected value, and the names under which a failure reports it (sessions 9.3).
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    pub(super) key_when_wrong: &'static str,
    pub(super) key_when_missing: &'static str,
    pub(super) expected: Value,
    pub(super) holds: fn(actual: &Value, expected: &Value) -> bool,
}

impl ClaimCheck {
    pub(super) fn new<C: Claim>(
        claim: C,
        max_age: Option<Duration>,
        expectation: Expectation,
    ) -> Self {
        let key = claim.key().to_owned();
        Self {
            id: key.clone(),
            key,
            claim: AnyClaim::new(claim),
            max_age,
            expectation,
        }
    }

    /// Sets the maximum age of the value. An older value is refetched, and the check fails if the
    /// refetch returns nothing. Defaults to the claim's default maximum age, which is unlimited
    /// unless set.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Sets the id that a failure reports. Defaults to the claim's key.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    fn entry(&self, payload: &JsonObject) -> Option<Value> {
        payload.get(&self.key)
    }
}

/// Returns the value of an entry in the default format. Null counts as a value.
fn value_of(entry: Option<&Value>) -> Option<&Value> {
    entry?.get("v")
}

fn age_in_seconds(entry: Option<&Value>, now: UnixMillis) -> Option<f64> {
    let fetched_at = entry?.get("t")?.as_u64()?;
    Some(now.since(UnixMillis::new(fetched_at)).as_secs_f64())
}

impl Validate for ClaimCheck {
    fn id(&self) -> &str {
        &self.id
    }

    fn should_refetch(&self, payload: &JsonObject, now: UnixMillis) -> bool {
        let entry = self.entry(payload);
        value_of(entry.as_ref()).is_none() || self.is_too_old(entry.as_ref(), now).is_some()
    }

    fn validate(&self, payload: &JsonObject, now: UnixMillis) -> Verdict {
        let entry = self.entry(payload);
        let expectation = &self.expectation;
        let Some(actual) = value_of(entry.as_ref()) else {
            return invalid(
                "value does not exist",
                [(expectation.key_when_missing, expectation.expected.clone())],
            );
        };
        if let Some((age, max_age)) = self.is_too_old(entry.as_ref(), now) {
            return invalid(
                "expired",
                [("ageInSeconds", age.into()), ("maxAgeInSeconds", max_age)],
            );
        }
        if (expectation.holds)(actual, &expectation.expected) {
            return Verdict::Valid;
        }
        invalid(
            "wrong value",
            [
                (expectation.key_when_wrong, expectation.expected.clone()),
                ("actualValue", actual.clone()),
            ],
        )
    }
}

impl ClaimCheck {
    /// Returns the age and the limit if the value is too old. A value without a time is never too
    /// old.
    fn is_too_old(&self, entry: Option<&Value>, now: UnixMillis) -> Option<(f64, Value)> {
        let max_age = self.max_age?;
        let age = age_in_seconds(entry, now)?;
        // Whole seconds, the usual configuration, are shown as an integer.
        let shown = if max_age.subsec_nanos() == 0 {
            max_age.as_secs().into()
        } else {
            max_age.as_secs_f64().into()
        };
        (age > max_age.as_secs_f64()).then_some((age, shown))
    }
}

fn invalid<const N: usize>(message: &str, details: [(&str, Value); N]) -> Verdict {
    let mut reason = Map::new();
    reason.insert("message".to_owned(), message.into());
    reason.extend(
        details
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value)),
    );
    Verdict::Invalid(Some(Value::Object(reason)))
}

impl From<ClaimCheck> for ClaimValidator {
    fn from(check: ClaimCheck) -> Self {
        let claim = Some(check.claim.clone());
        Self {
            check: Arc::new(check),
            claim,
        }
    }
}

impl fmt::Debug for ClaimCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimCheck")
            .field("id", &self.id)
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}

/// Compares primitives as the reference does: numbers by value, everything else by equality.
pub(super) fn same_primitive(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        #[expect(
            clippy::float_cmp,
            reason = "the question is whether they are the same number"
        )]
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
