//! What a validator is, and the checks that the built-in claims make.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::AnyClaim;
use super::claim::Claim;
use crate::clock::UnixMillis;
use crate::json::JsonObject;

/// Looks at the access token payload and says whether it holds.
///
/// Implement it for checks of your own; [`ClaimCheck`] is what the built-in claims make.
pub trait Validate: Send + Sync + 'static {
    /// The id that a failure reports to the client.
    fn id(&self) -> &str;

    /// Whether the value should be fetched anew before validating. Only asked of validators of a
    /// claim.
    fn should_refetch(&self, payload: &JsonObject, now: UnixMillis) -> bool;

    /// The verdict.
    fn validate(&self, payload: &JsonObject, now: UnixMillis) -> Verdict;
}

/// Whether a claim holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It holds.
    Valid,
    /// It does not, for this reason (any JSON), which the client gets to read.
    Invalid(Option<Value>),
}

/// A validator, ready for a guard: cheap to clone.
#[derive(Clone)]
pub struct ClaimValidator {
    check: Arc<dyn Validate>,
    claim: Option<AnyClaim>,
}

impl ClaimValidator {
    /// A validator that never fetches anything.
    #[must_use]
    pub fn new(check: impl Validate) -> Self {
        Self {
            check: Arc::new(check),
            claim: None,
        }
    }

    /// A validator that may fetch `claim` anew first.
    #[must_use]
    pub fn of_claim<C: Claim>(claim: C, check: impl Validate) -> Self {
        Self {
            check: Arc::new(check),
            claim: Some(AnyClaim::new(claim)),
        }
    }

    /// A validator from a closure over the payload, which never fetches anything.
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

    /// The id that a failure reports to the client.
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

/// A claim that does not hold, as the client gets to read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClaimFailure {
    /// The validator's id.
    pub id: String,
    /// Why, if the validator says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Value>,
}

impl ClaimFailure {
    /// A failure that no validator reports, but the engine itself.
    pub(crate) fn new(id: &str, reason: Value) -> Self {
        Self {
            id: id.to_owned(),
            reason: Some(reason),
        }
    }

    pub(crate) fn ids(failures: &[Self]) -> String {
        failures
            .iter()
            .map(|failure| failure.id.as_str())
            .collect::<Vec<_>>()
            .join(", ")
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

/// What the value is held against, and under which names a failure tells it (session specification,
/// 9.3).
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

    /// How old the value may be: an older one is fetched anew, and fails if that brings nothing.
    /// Defaults to the claim's own limit, which is none unless it was given one.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The id that a failure reports. Defaults to the claim's key.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    fn entry(&self, payload: &JsonObject) -> Option<Value> {
        payload.get(&self.key)
    }
}

/// The value of an entry of the usual shape; null counts as a value.
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
    /// The age and the limit, if the one exceeds the other. A value without a time is never too
    /// old.
    fn is_too_old(&self, entry: Option<&Value>, now: UnixMillis) -> Option<(f64, Value)> {
        let max_age = self.max_age?;
        let age = age_in_seconds(entry, now)?;
        // Whole seconds, as configured by most, are shown as such.
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

/// Equality of primitives as the reference has it: numbers by value, everything else as it is.
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
