//! Claims with an array value.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::claim::{Claim, ClaimContext, ClaimFetchError};
use super::primitive::Source;
use super::validator::{ClaimCheck, Expectation, same_primitive};

/// A claim whose value is an array of strings, numbers or booleans, such as roles. Cheap to clone.
#[derive(Debug)]
pub struct PrimitiveArrayClaim<T>(Source<Vec<T>>);

impl<T> Clone for PrimitiveArrayClaim<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> PrimitiveArrayClaim<T> {
    /// Creates a claim that is stored under `key`. `fetch` returns its values, or `Ok(None)` to
    /// leave the payload unchanged.
    #[must_use]
    pub fn new<F, Fut, E>(key: impl Into<String>, fetch: F) -> Self
    where
        F: Fn(ClaimContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Vec<T>>, E>> + Send + 'static,
        E: Into<ClaimFetchError>,
    {
        Self(Source::new(key, fetch))
    }

    /// Sets the maximum age of the values for checks that set none. Defaults to no limit.
    #[must_use]
    pub fn default_max_age(mut self, max_age: Duration) -> Self {
        self.0.default_max_age = Some(max_age);
        self
    }

    /// Requires the value to be present.
    #[must_use]
    pub fn includes(&self, value: impl Serialize) -> ClaimCheck {
        self.check("expectedToInclude", "expectedToInclude", value, has)
    }

    /// Requires the value to be absent. The check fails if the payload does not contain the claim.
    #[must_use]
    pub fn excludes(&self, value: impl Serialize) -> ClaimCheck {
        self.check(
            "expectedToNotInclude",
            "expectedToNotInclude",
            value,
            |actual, expected| !has(actual, expected),
        )
    }

    /// Requires all of these values to be present.
    #[must_use]
    #[doc(alias = "includesAll")]
    pub fn includes_all<V: Serialize>(&self, values: impl IntoIterator<Item = V>) -> ClaimCheck {
        self.check(
            "expectedToInclude",
            "expectedToInclude",
            collect(values),
            |actual, expected| each(expected).iter().all(|value| has(actual, value)),
        )
    }

    /// Requires at least one of these values to be present.
    #[must_use]
    #[doc(alias = "includesAny")]
    pub fn includes_any<V: Serialize>(&self, values: impl IntoIterator<Item = V>) -> ClaimCheck {
        // Quirk: the reference reports the expectation under a different name if the claim is
        // missing (sessions 9.3).
        self.check(
            "expectedToIncludeAtLeastOneOf",
            "expectedToNotInclude",
            collect(values),
            |actual, expected| each(expected).iter().any(|value| has(actual, value)),
        )
    }

    /// Requires all of these values to be absent. The check fails if the payload does not contain
    /// the claim.
    #[must_use]
    #[doc(alias = "excludesAll")]
    pub fn excludes_all<V: Serialize>(&self, values: impl IntoIterator<Item = V>) -> ClaimCheck {
        self.check(
            "expectedToNotInclude",
            "expectedToNotInclude",
            collect(values),
            |actual, expected| !each(expected).iter().any(|value| has(actual, value)),
        )
    }

    fn check(
        &self,
        key_when_wrong: &'static str,
        key_when_missing: &'static str,
        expected: impl Serialize,
        holds: fn(&Value, &Value) -> bool,
    ) -> ClaimCheck {
        let expected = serde_json::to_value(expected).unwrap_or(Value::Null);
        let expectation = Expectation {
            key_when_wrong,
            key_when_missing,
            expected,
            holds,
        };
        ClaimCheck::new(self.clone(), self.0.default_max_age, expectation)
    }
}

fn collect<V: Serialize>(values: impl IntoIterator<Item = V>) -> Vec<Value> {
    values
        .into_iter()
        .map(|value| serde_json::to_value(value).unwrap_or(Value::Null))
        .collect()
}

fn each(array: &Value) -> &[Value] {
    array.as_array().map_or(&[], Vec::as_slice)
}

fn has(array: &Value, value: &Value) -> bool {
    each(array)
        .iter()
        .any(|member| same_primitive(member, value))
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Claim for PrimitiveArrayClaim<T> {
    type Value = Vec<T>;

    fn key(&self) -> &str {
        self.0.key()
    }

    fn fetch(
        &self,
        context: ClaimContext,
    ) -> impl Future<Output = Result<Option<Vec<T>>, ClaimFetchError>> + Send {
        self.0.fetch(context)
    }
}
