//! Operations on the claims of a session.

use super::{Delivery, Session};
use crate::claims::{Claim, ClaimContext, ClaimValidator, failures, refetch};
use crate::error::SessionError;

impl Session {
    /// Returns the value of a claim in the access token payload, or `None` if it is missing or has
    /// another type.
    #[must_use]
    #[doc(alias = "getClaimValue")]
    pub fn claim_value<C: Claim>(&self, claim: &C) -> Option<C::Value> {
        claim.value_of_entry(&self.access_token_payload().get(claim.key())?)
    }

    /// Fetches a claim and adds its value to the payload.
    ///
    /// # Errors
    /// Those of [`Self::merge_into_access_token_payload`]; also if the claim cannot be fetched.
    #[doc(alias = "fetchAndSetClaim")]
    pub async fn fetch_and_set_claim<C: Claim>(&self, claim: &C) -> Result<Delivery, SessionError> {
        let patch = self
            .sessions()
            .fetched_claim(claim, self.claim_context())
            .await?;
        self.merge_into_access_token_payload(patch).await
    }

    /// Sets the value of a claim in the payload.
    ///
    /// # Errors
    /// Those of [`Self::merge_into_access_token_payload`].
    #[doc(alias = "setClaimValue")]
    pub async fn set_claim_value<C: Claim>(
        &self,
        claim: &C,
        value: &C::Value,
    ) -> Result<Delivery, SessionError> {
        let patch = self.sessions().claim_patch(claim, value)?;
        self.merge_into_access_token_payload(patch).await
    }

    /// Removes a claim from the payload.
    ///
    /// # Errors
    /// Those of [`Self::merge_into_access_token_payload`].
    #[doc(alias = "removeClaim")]
    pub async fn remove_claim<C: Claim>(&self, claim: &C) -> Result<Delivery, SessionError> {
        self.merge_into_access_token_payload(crate::sessions::removal_of(claim.key())?)
            .await
    }

    /// Validates claims: refetches stale values, stores changes, and fails with all failures.
    ///
    /// # Errors
    /// [`SessionError::InvalidClaims`] if a claim fails validation. Otherwise those of
    /// [`Self::merge_into_access_token_payload`].
    #[doc(alias = "assertClaims")]
    pub async fn assert_claims(&self, validators: &[ClaimValidator]) -> Result<(), SessionError> {
        let verdict = self.check_claims(validators).await;
        self.deliver();
        verdict
    }

    /// Equivalent to [`Self::assert_claims`], but keeps a new access token in the handle.
    pub(crate) async fn check_claims(
        &self,
        validators: &[ClaimValidator],
    ) -> Result<(), SessionError> {
        if validators.is_empty() {
            return Ok(());
        }
        let now = self.sessions().now();
        let update = refetch(validators, self.claim_context(), now).await?;
        if !update.is_empty() {
            // A guard acts on no input of the client, so the client did not cause this error.
            let merged = self.merge_and_reissue(&update).await;
            merged.map_err(SessionError::blaming_application)?;
        }
        let failures = failures(validators, &self.access_token_payload(), now);
        if failures.is_empty() {
            Ok(())
        } else {
            Err(SessionError::InvalidClaims(failures))
        }
    }

    fn claim_context(&self) -> ClaimContext {
        ClaimContext {
            user_id: self.user_id().clone(),
            recipe_user_id: self.recipe_user_id().clone(),
            tenant_id: self.tenant_id().clone(),
            payload: self.access_token_payload(),
        }
    }
}
