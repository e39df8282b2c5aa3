//! Running validators over a payload (session specification, 9.4), in two steps: fetch, then judge.
//!
//! All fetching precedes all judging, so a later fetch cannot invalidate an earlier verdict. In
//! between, the caller stores what was fetched and takes the stored payload, so the verdicts are on
//! what is true now and not on what the token in the request says.

use super::{ClaimContext, ClaimFailure, ClaimValidator};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;

/// Fetches what wants fetching, and returns the claims that differ: a patch for the payload, empty
/// if there are none. It carries the changed claims only, so that it takes nothing else back.
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

/// All that do not hold, in the order of the validators.
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
