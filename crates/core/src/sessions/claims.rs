//! Operations on the claims of a session by handle.

use super::Sessions;
use crate::authority::SessionInformation;
use crate::claims::AnyClaim;
use crate::claims::{Claim, ClaimContext, ClaimFailure, ClaimValidator, failures, refetch};
use crate::error::{Fault, SessionError};
use crate::ids::SessionHandle;
use crate::json::JsonObject;

impl Sessions {
    /// Returns the stored value of a claim: `None` if the session does not exist, `Some(None)` if
    /// the claim is not set.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    #[doc(alias = "getClaimValue")]
    pub async fn claim_value<C: Claim>(
        &self,
        handle: impl Into<SessionHandle>,
        claim: &C,
    ) -> Result<Option<Option<C::Value>>, SessionError> {
        let information = self.information(handle).await?;
        Ok(information.map(|session| {
            let entry = session.access_token_payload.get(claim.key())?;
            claim.value_of_entry(&entry)
        }))
    }

    /// Fetches a claim and stores its value. Returns `false` if the session does not exist.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails or the claim cannot be fetched.
    #[doc(alias = "fetchAndSetClaim")]
    pub async fn fetch_and_set_claim<C: Claim>(
        &self,
        handle: impl Into<SessionHandle>,
        claim: &C,
    ) -> Result<bool, SessionError> {
        let Some(session) = self.information(handle).await? else {
            return Ok(false);
        };
        let patch = self.fetched_claim(claim, context_of(&session)).await?;
        Ok(self
            .merge_into_access_token_payload(session.handle, patch)
            .await?
            .is_some())
    }

    /// Stores a value of a claim. Returns `false` if the session does not exist.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    #[doc(alias = "setClaimValue")]
    pub async fn set_claim_value<C: Claim>(
        &self,
        handle: impl Into<SessionHandle>,
        claim: &C,
        value: &C::Value,
    ) -> Result<bool, SessionError> {
        let patch = self.claim_patch(claim, value)?;
        Ok(self
            .merge_into_access_token_payload(handle, patch)
            .await?
            .is_some())
    }

    /// Removes a claim. Returns `false` if the session does not exist, and `true` even if the claim
    /// was not set.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    #[doc(alias = "removeClaim")]
    pub async fn remove_claim<C: Claim>(
        &self,
        handle: impl Into<SessionHandle>,
        claim: &C,
    ) -> Result<bool, SessionError> {
        let patch = removal_of(claim.key())?;
        Ok(self
            .merge_into_access_token_payload(handle, patch)
            .await?
            .is_some())
    }

    /// Validates claims of a session: refetches stale values, stores changes, and returns all
    /// failures, or `None` if the session does not exist.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails or a claim cannot be fetched.
    #[doc(alias = "validateClaimsForSessionHandle")]
    pub async fn validate_claims(
        &self,
        handle: impl Into<SessionHandle>,
        validators: &[ClaimValidator],
    ) -> Result<Option<Vec<ClaimFailure>>, SessionError> {
        let Some(session) = self.information(handle).await? else {
            return Ok(None);
        };
        let now = self.now();
        let update = refetch(validators, context_of(&session), now).await?;
        let mut payload = session.access_token_payload;
        if !update.is_empty() {
            match self
                .merge_into_access_token_payload(session.handle, update)
                .await?
            {
                Some(merged) => payload = merged,
                None => return Ok(None),
            }
        }
        Ok(Some(failures(validators, &payload, now)))
    }

    /// Returns the validators that guards run unless they override the list.
    #[must_use]
    pub fn global_validators(&self) -> &[ClaimValidator] {
        &self.config().validators
    }

    /// Fetches a claim and returns the patch that sets it. The patch is empty if there is no value.
    pub(crate) async fn fetched_claim<C: Claim>(
        &self,
        claim: &C,
        context: ClaimContext,
    ) -> Result<JsonObject, SessionError> {
        let value = claim
            .fetch(context)
            .await
            .map_err(|error| crate::claims::fetch_fault(claim.key(), error))?;
        match value {
            Some(value) => self.claim_patch(claim, &value),
            None => Ok(JsonObject::empty()),
        }
    }

    /// Returns the patch that sets a claim.
    pub(crate) fn claim_patch<C: Claim>(
        &self,
        claim: &C,
        value: &C::Value,
    ) -> Result<JsonObject, SessionError> {
        member(claim.key(), &claim.entry_of_value(value, self.now()))
    }

    /// Returns a payload with the registered claims of a new session (session specification, 1.9).
    pub(crate) async fn with_registered_claims(
        &self,
        mut context: ClaimContext,
    ) -> Result<JsonObject, SessionError> {
        for claim in &self.config().claims {
            let claim: &AnyClaim = claim;
            if let Some(entry) = claim.fetch_entry(context.clone(), self.now()).await? {
                context.payload = context
                    .payload
                    .with(claim.key(), &entry)
                    .map_err(serialization)?;
            }
        }
        Ok(context.payload)
    }
}

/// Returns the patch that removes a member.
pub(crate) fn removal_of(key: &str) -> Result<JsonObject, SessionError> {
    member(key, &serde_json::Value::Null)
}

fn member(key: &str, value: &serde_json::Value) -> Result<JsonObject, SessionError> {
    JsonObject::empty().with(key, value).map_err(serialization)
}

fn serialization(error: crate::json::JsonObjectError) -> SessionError {
    if error.exceeds_limits() {
        return SessionError::bad_input(format!("a claim cannot be stored: {error}"));
    }
    Fault::internal("a claim cannot be serialized")
        .with_source(error)
        .into()
}

fn context_of(session: &SessionInformation) -> ClaimContext {
    ClaimContext {
        user_id: session.user_id.clone(),
        recipe_user_id: session.recipe_user_id.clone(),
        tenant_id: session.tenant_id.clone(),
        payload: session.access_token_payload.clone(),
    }
}
