//! Reissue of the application's access token with another payload (core specification, 7.4).

use super::protocol::Format;
use super::{Engine, IssuedAccess, MintFailure};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;
use crate::store::KeyKind;
use crate::token::access::AccessClaims;
use crate::wire;

/// The outcome of a reissue. Exhaustive, so that callers answer each case.
#[derive(Clone, Debug)]
pub enum ReissueOutcome {
    /// The new token.
    Issued(Box<IssuedAccess>),
    /// The token has expired: the payload reaches the client with its next refresh.
    Expired,
    /// The session was revoked or has expired.
    Gone,
}

impl Engine {
    /// Mints an access token with another application payload: same session, same lineage, same
    /// expiry, new `iat`.
    pub(crate) async fn reissue(
        &self,
        claims: &AccessClaims,
        payload: &JsonObject,
        kind: KeyKind,
        now: UnixMillis,
    ) -> Result<ReissueOutcome, Fault> {
        let issued_at = now.floor_seconds();
        if issued_at >= claims.expires_at {
            return Ok(ReissueOutcome::Expired);
        }
        let claims = AccessClaims {
            issued_at,
            ..claims.clone()
        };
        match self
            .mint_access(claims, payload, Format::Application, kind, now)
            .await
        {
            Ok(issued) => Ok(ReissueOutcome::Issued(Box::new(issued))),
            Err(MintFailure::Fault(fault)) => Err(fault),
            Err(MintFailure::ProtectedClaim) => Err(Fault::misuse(wire::MESSAGE_PROTECTED_FIELD)),
        }
    }
}
