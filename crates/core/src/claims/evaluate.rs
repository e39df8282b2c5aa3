//! Evaluation of validators over a payload (sessions 9.4), in two steps: refetch, then validate.
//!
//! All claims are refetched before any is validated, so a later fetch cannot invalidate an earlier
//! verdict. Between the steps the caller stores the fetched values and takes the stored payload.
//! The verdicts therefore apply to the current state and not to the token in the request.

use super::{ClaimContext, ClaimFailure, ClaimValidator};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;

/// Refetches the claims that need it and returns the changed ones as a patch for the payload, which
/// is empty if nothing changed. The patch contains changed claims only, so that it cannot undo a
/// concurrent change of another member.
pub(crate) async fn refetch(
    validators: &[ClaimValidator],
    mut context: ClaimContext,
    now: UnixMillis,
) -> Result<JsonObject, Fault> {
    let before = context.payload.clone();
    for validator in validators {
        if let Some(claim) = validator.claim_to_refetch(&context.payload, now)
            && let Some(entry) = claim.fetch_entry(context.clone(), now).await?
        {
            context.payload = context.payload.with(claim.key(), &entry).map_err(|error| {
                Fault::internal("a claim cannot be serialized").with_source(error)
            })?;
        }
    }
    Ok(JsonObject::patch_between(&before, &context.payload))
}

/// Returns all failures, in the order of the validators.
pub(crate) fn failures(
    validators: &[ClaimValidator],
    payload: &JsonObject,
    now: UnixMillis,
) -> Vec<ClaimFailure> {
    validators
        .iter()
        .filter_map(|validator| validator.failure(payload, now))
        .collect()
}
