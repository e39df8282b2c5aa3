//! Claims with a single value.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::claim::{Claim, ClaimContext, ClaimFetchError};
use super::validator::{ClaimCheck, Expectation, same_primitive};

type Fetched<T> = Pin<Box<dyn Future<Output = Result<Option<T>, ClaimFetchError>> + Send>>;

/// The key of a claim, its fetch function, and its default maximum age.
pub(super) struct Source<T> {
    key: String,
    fetch: Arc<dyn Fn(ClaimContext) -> Fetched<T> + Send + Sync>,
    pub(super) default_max_age: Option<Duration>,
}

impl<T> Source<T> {
    pub(super) fn new<F, Fut, E>(key: impl Into<String>, fetch: F) -> Self
    where
        F: Fn(ClaimContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<T>, E>> + Send + 'static,
        E: Into<ClaimFetchError>,
        T: 'static,
    {
        let fetch = Arc::new(move |context| -> Fetched<T> {
            let value = fetch(context);
            Box::pin(async move { value.await.map_err(Into::into) })
        });
        Self {
            key: key.into(),
            fetch,
            default_max_age: None,
        }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn fetch(&self, context: ClaimContext) -> Fetched<T> {
        (self.fetch)(context)
    }
}

impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            fetch: Arc::clone(&self.fetch),
            default_max_age: self.default_max_age,
        }
    }
}

impl<T> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.key).finish()
    }
}

/// A claim whose value is a string, a number, a boolean or null. Cheap to clone.
#[derive(Debug)]
pub struct PrimitiveClaim<T>(Source<T>);

impl<T> Clone for PrimitiveClaim<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> PrimitiveClaim<T> {
    /// Creates a claim that is stored under `key`. `fetch` returns its value, or `Ok(None)` to
    /// leave the payload unchanged.
    #[must_use]
    pub fn new<F, Fut, E>(key: impl Into<String>, fetch: F) -> Self
    where
        F: Fn(ClaimContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<T>, E>> + Send + 'static,
        E: Into<ClaimFetchError>,
    {
        Self(Source::new(key, fetch))
    }

    /// Sets the maximum age of the value for checks that set none. Defaults to no limit.
    #[must_use]
    pub fn default_max_age(mut self, max_age: Duration) -> Self {
        self.0.default_max_age = Some(max_age);
        self
    }

    /// Requires the claim to have this value.
    #[must_use]
    #[doc(alias = "hasValue")]
    pub fn has_value(&self, value: T) -> ClaimCheck {
        let expectation = Expectation {
            key_when_wrong: "expectedValue",
            key_when_missing: "expectedValue",
            expected: serde_json::to_value(value).unwrap_or(Value::Null),
            holds: same_primitive,
        };
        ClaimCheck::new(self.clone(), self.0.default_max_age, expectation)
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Claim for PrimitiveClaim<T> {
    type Value = T;

    fn key(&self) -> &str {
        self.0.key()
    }

    fn fetch(
        &self,
        context: ClaimContext,
    ) -> impl Future<Output = Result<Option<T>, ClaimFetchError>> + Send {
        self.0.fetch(context)
    }
}

/// A claim whose value is true or false. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BooleanClaim(PrimitiveClaim<bool>);

impl BooleanClaim {
    /// See [`PrimitiveClaim::new`].
    #[must_use]
    pub fn new<F, Fut, E>(key: impl Into<String>, fetch: F) -> Self
    where
        F: Fn(ClaimContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<bool>, E>> + Send + 'static,
        E: Into<ClaimFetchError>,
    {
        Self(PrimitiveClaim::new(key, fetch))
    }

    /// See [`PrimitiveClaim::default_max_age`].
    #[must_use]
    pub fn default_max_age(self, max_age: Duration) -> Self {
        Self(self.0.default_max_age(max_age))
    }

    /// Requires the value to be true.
    #[must_use]
    #[doc(alias = "isTrue")]
    pub fn is_true(&self) -> ClaimCheck {
        self.0.has_value(true)
    }

    /// Requires the value to be false.
    #[must_use]
    #[doc(alias = "isFalse")]
    pub fn is_false(&self) -> ClaimCheck {
        self.0.has_value(false)
    }
}

impl Deref for BooleanClaim {
    type Target = PrimitiveClaim<bool>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Claim for BooleanClaim {
    type Value = bool;

    fn key(&self) -> &str {
        Claim::key(&self.0)
    }

    fn fetch(
        &self,
        context: ClaimContext,
    ) -> impl Future<Output = Result<Option<bool>, ClaimFetchError>> + Send {
        self.0.fetch(context)
    }
}
