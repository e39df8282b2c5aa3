//! The [`Claim`] trait.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::ids::{TenantId, UserId};
use crate::json::JsonObject;

/// The input of a claim's fetch function.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClaimContext {
    /// The session's user.
    pub user_id: UserId,
    /// The user's login method.
    pub recipe_user_id: UserId,
    /// The session's tenant.
    pub tenant_id: TenantId,
    /// The access token payload, including the claims that were refetched before this one.
    pub payload: JsonObject,
}

/// Error of a claim whose value could not be fetched. It is a fault, not a failed validation.
pub type ClaimFetchError = Box<dyn Error + Send + Sync>;

/// A value in the access token payload that can be refetched.
///
/// [`PrimitiveClaim`](super::PrimitiveClaim), [`BooleanClaim`](super::BooleanClaim) and
/// [`PrimitiveArrayClaim`](super::PrimitiveArrayClaim) cover the usual shapes; implement this for
/// others.
///
/// # Examples
/// ```
/// use supersession::claims::{Claim, ClaimContext, ClaimFetchError};
///
/// struct Plan;
///
/// impl Claim for Plan {
///     type Value = String;
///
///     fn key(&self) -> &str {
///         "plan"
///     }
///
///     async fn fetch(&self, user: ClaimContext) -> Result<Option<String>, ClaimFetchError> {
///         Ok((user.tenant_id == "public").then(|| "pro".to_owned()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    note = "see `supersession::claims::Claim`; the built-in claims take a closure that fetches"
)]
pub trait Claim: Send + Sync + 'static {
    /// The type of the value in the application.
    type Value: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Returns the key of the payload member.
    fn key(&self) -> &str;

    /// Fetches the value. `None` leaves the payload unchanged.
    ///
    /// # Errors
    /// Any error that prevents the value from being fetched. The request is answered with status
    /// 500, and no token is cleared.
    fn fetch(
        &self,
        context: ClaimContext,
    ) -> impl Future<Output = Result<Option<Self::Value>, ClaimFetchError>> + Send;

    /// Returns the payload member for a value. Defaults to
    /// `{"v": value, "t": now in milliseconds}`.
    fn entry_of_value(&self, value: &Self::Value, now: UnixMillis) -> Value {
        json!({ "v": value, "t": now })
    }

    /// Extracts the value from the payload member. Defaults to `v`.
    fn value_of_entry(&self, entry: &Value) -> Option<Self::Value> {
        serde_json::from_value(entry.get("v")?.clone()).ok()
    }

    /// Extracts the time of the fetch from the payload member. Defaults to `t`.
    fn fetched_at(&self, entry: &Value) -> Option<UnixMillis> {
        entry.get("t")?.as_u64().map(UnixMillis::new)
    }
}

/// A type-erased claim.
#[derive(Clone)]
pub(crate) struct AnyClaim(Arc<dyn ErasedClaim>);

type FetchedEntry<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Value>, ClaimFetchError>> + Send + 'a>>;

trait ErasedClaim: Send + Sync {
    fn key(&self) -> &str;
    fn fetch_entry(&self, context: ClaimContext, now: UnixMillis) -> FetchedEntry<'_>;
}

impl<C: Claim> ErasedClaim for C {
    fn key(&self) -> &str {
        Claim::key(self)
    }

    fn fetch_entry(&self, context: ClaimContext, now: UnixMillis) -> FetchedEntry<'_> {
        Box::pin(async move {
            Ok(self
                .fetch(context)
                .await?
                .map(|value| self.entry_of_value(&value, now)))
        })
    }
}

impl AnyClaim {
    pub(crate) fn new<C: Claim>(claim: C) -> Self {
        Self(Arc::new(claim))
    }

    pub(crate) fn key(&self) -> &str {
        self.0.key()
    }

    /// Fetches the value and returns the payload member for it.
    pub(crate) async fn fetch_entry(
        &self,
        context: ClaimContext,
        now: UnixMillis,
    ) -> Result<Option<Value>, Fault> {
        self.0
            .fetch_entry(context, now)
            .await
            .map_err(|error| fetch_fault(self.key(), error))
    }
}

/// Converts a failed fetch into a fault of the request.
pub(crate) fn fetch_fault(key: &str, error: ClaimFetchError) -> Fault {
    Fault::internal(format!("the claim `{key}` could not be fetched")).with_source(error)
}

impl fmt::Debug for AnyClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyClaim").field(&self.key()).finish()
    }
}
