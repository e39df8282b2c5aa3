//! Running validators over a payload (session specification, 9.4).

use super::{ClaimContext, ClaimFailure, ClaimValidator};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;

/// What came of running the validators.
#[derive(Debug)]
pub(crate) struct Evaluation {
    /// The claims that were fetched anew and differ: a patch for the payload. Empty if there are none.
    pub(crate) update: JsonObject,
    /// All that do not hold, in the order of the validators.
    pub(crate) failures: Vec<ClaimFailure>,
}

/// Fetches what wants fetching, then runs every validator on the result. All fetching precedes all validating, so a later
/// fetch cannot invalidate an earlier verdict; the update carries the changed claims only, so that it takes nothing else back.
pub(crate) async fn evaluate(
    validators: &[ClaimValidator],
    mut context: ClaimContext,
    now: UnixMillis,
) -> Result<Evaluation, Fault> {
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
    let failures = validators
        .iter()
        .filter_map(|validator| validator.failure(&context.payload, now))
        .collect();
    Ok(Evaluation {
        update: JsonObject::patch_between(&before, &context.payload),
        failures,
    })
}
