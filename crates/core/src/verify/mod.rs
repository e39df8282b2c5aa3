//! Verification of access tokens: signature, validity period and kind of key.
//!
//! [`verify`] is a pure function of the token, a key and the time. [`TokenCache`] caches the tokens
//! that it has verified.

mod cache;

// For `cache`, which a test compiles a second time against `shuttle`'s primitives.
use std::sync;
use std::sync::{Arc, OnceLock};

pub(crate) use cache::TokenCache;

use crate::clock::{UnixMillis, UnixSeconds};
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::keys::VerifyingKey;
use crate::store::KeyKind;
use crate::token::access::{AccessClaims, CompactClaims, ParsedAccessToken};

/// Longer stored payloads are compared on every request, so that the size of a cache entry is
/// bounded.
const LONGEST_NOTED_PAYLOAD: usize = 1_024;

/// Proof that a token was signed by a live key of this system and had not expired. Only [`verify`]
/// creates one. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct VerifiedToken(Arc<Proof>);

#[derive(Debug)]
struct Proof {
    claims: CompactClaims,
    /// Last instant at which the key verifies tokens.
    key_verifies_until: UnixMillis,
    /// Generation of the key ring at the time of verification.
    key_generation: u64,
    /// All claims as separate values, created on first access.
    values: OnceLock<Box<AccessClaims>>,
    /// A stored payload that was found equal to the token's payload.
    agrees_with: OnceLock<JsonObject>,
}

impl VerifiedToken {
    /// Returns `true` if verification with the keys of this generation would succeed again.
    pub(crate) fn still_holds(&self, key_generation: u64, now: UnixMillis) -> bool {
        let proof = &*self.0;
        proof.key_generation == key_generation
            && proof.claims.expires_at() > now.floor_seconds()
            && proof.key_verifies_until >= now
    }

    fn is_of(&self, token: &[u8]) -> bool {
        self.0.claims.token().as_bytes() == token
    }

    /// Returns the token.
    pub(crate) fn token(&self) -> &str {
        self.0.claims.token()
    }

    fn handle_text(&self) -> &str {
        self.0.claims.handle_text()
    }

    fn size(&self) -> usize {
        size_of::<Proof>() + self.0.claims.size()
    }

    pub(crate) fn anti_csrf(&self) -> Option<&str> {
        self.0.claims.anti_csrf()
    }

    /// Returns `true` if a refresh minted the token and the client has not confirmed that refresh
    /// yet (core 3.2).
    pub(crate) fn has_parent(&self) -> bool {
        self.0.claims.has_parent()
    }

    pub(crate) fn expires_at(&self) -> UnixSeconds {
        self.0.claims.expires_at()
    }

    pub(crate) fn user_id(&self) -> &UserId {
        self.0.claims.user_id()
    }

    pub(crate) fn recipe_user_id(&self) -> &UserId {
        self.0.claims.recipe_user_id()
    }

    pub(crate) fn tenant_id(&self) -> &TenantId {
        self.0.claims.tenant_id()
    }

    pub(crate) fn handle(&self) -> &SessionHandle {
        self.0.claims.handle()
    }

    /// Returns the whole payload, which is decoded on each call.
    pub(crate) fn payload(&self) -> JsonObject {
        self.0.claims.payload()
    }

    pub(crate) fn claims(&self) -> &AccessClaims {
        let proof = &*self.0;
        proof
            .values
            .get_or_init(|| Box::new(proof.claims.to_claims()))
    }

    /// Returns `true` if `stored` equals a stored payload that an earlier comparison found equal to
    /// the token's. This avoids parsing both payloads on every request.
    pub(crate) fn is_known_to_agree_with(&self, stored: &JsonObject) -> bool {
        self.0.agrees_with.get() == Some(stored)
    }

    /// Records that a stored payload equals the token's payload.
    pub(crate) fn note_agreement_with(&self, stored: JsonObject) {
        if stored.as_str().len() <= LONGEST_NOTED_PAYLOAD {
            self.0.agrees_with.get_or_init(|| stored);
        }
    }
}

/// The reason why a well-formed token is rejected. The client receives "try refresh token" for
/// each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the access token is signed by an unknown or retired key")]
    UnknownKey,
    #[error("the access token does not name the algorithm of its key")]
    Algorithm,
    #[error("the signature of the access token is wrong")]
    Signature,
    #[error("the access token is not valid yet")]
    NotYetValid,
    #[error("the access token has expired")]
    Expired,
    #[error("The access token doesn't match the useDynamicAccessTokenSigningKey setting")]
    KeyKind,
}

/// Verifies a parsed token (sessions 1.7, and 5.3 steps 6 and 7).
///
/// `key` is the key that the token names. The caller must read `key_generation` before it looks up
/// that key: if the ring changes in between, the proof then carries the older generation and is not
/// reused.
///
/// The algorithm comes from the key, and the token's header must agree with it. The token cannot
/// choose the algorithm. A token is valid while `now < exp`, in whole seconds, without leeway.
pub(crate) fn verify(
    token: ParsedAccessToken<'_>,
    key: Option<&VerifyingKey>,
    expected_kind: KeyKind,
    key_generation: u64,
    now: UnixMillis,
) -> Result<VerifiedToken, Refusal> {
    let key = key.ok_or(Refusal::UnknownKey)?;
    if !token.named.agrees_with(key.algorithm()) {
        return Err(Refusal::Algorithm);
    }
    if !key.verifies(token.signing_input.as_bytes(), token.signature.get()) {
        return Err(Refusal::Signature);
    }
    let seconds = now.floor_seconds();
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds since the epoch fit a double for 285 million years"
    )]
    if token
        .not_before
        .is_some_and(|not_before| not_before > seconds.get() as f64)
    {
        return Err(Refusal::NotYetValid);
    }
    if token.claims.expires_at() <= seconds {
        return Err(Refusal::Expired);
    }
    if key.kind != expected_kind {
        return Err(Refusal::KeyKind);
    }
    Ok(VerifiedToken(Arc::new(Proof {
        claims: token.claims,
        key_verifies_until: key.verifies_until,
        key_generation,
        values: OnceLock::new(),
        agrees_with: OnceLock::new(),
    })))
}

#[cfg(test)]
mod shuttled;
#[cfg(test)]
mod tests;
