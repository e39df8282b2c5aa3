//! Exchange of a refresh token (core specification, 3). The steps that both sets of rules share are
//! here; `rotation.rs` and `legacy.rs` decide what a token is worth.
//!
//! Both decide the same way, in a loop:
//!
//! 1. Read the session. If it does not exist, the refresh is refused.
//! 2. Compare the presented token with the session's lineage.
//! 3. Mint the new tokens. Minting can fail (keys unavailable, a protected member in the payload, a
//!    token that is too long), so it precedes the write: a refresh that fails changes nothing, and
//!    the presented token stays good.
//! 4. Store the rotation, on condition that lineage and payload are still the ones of step 1
//!    (core specification, 3.7). If another request was faster, start again with its result.

mod legacy;
mod rotation;

use std::time::Duration;

use super::protocol::Format;
use super::refresh_key::Presented;
use super::{Engine, IssuedSession, MintFailure, Protocol, RefreshRules};
use crate::clock::UnixMillis;
use crate::error::{Fault, FaultKind, ReuseClass, TokenTheft};
use crate::secret::{AntiCsrfToken, RefreshHash1, RefreshToken};
use crate::store::{KeyKind, RotateOutcome, Rotation, SessionKey, SessionRecord};
use crate::token::access::AccessClaims;
use crate::token::refresh::{MintedRefresh, RefreshClaims};
use crate::wire;

pub(super) use legacy::FirstUse;

/// Maximum attempts of a refresh that loses races. Each loss means that another request succeeded.
const MAX_ATTEMPTS: usize = 64;

const MISSING: &str = "Session missing in db or has expired";

/// A refresh token to exchange.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RefreshRequest {
    /// The token.
    pub token: RefreshToken,
    /// The anti-CSRF token of the request.
    pub anti_csrf: Option<AntiCsrfToken>,
    /// If set, anti-CSRF tokens are used for this request.
    pub use_anti_csrf: bool,
    /// The kind of key that signs access tokens from now on. `None` keeps the current kind.
    pub key_kind: Option<KeyKind>,
    /// The validity of the access token, if shorter than the configured one.
    pub access_token_validity: Option<Duration>,
    /// Maximum length of an access token that can be delivered. If the new one is longer, the
    /// refresh is a fault. It changes nothing if the length is known before the rotation, which a
    /// remote core does not allow.
    pub longest_access_token: Option<usize>,
}

impl RefreshRequest {
    /// Describes the exchange of this token, without anti-CSRF tokens and limits.
    #[must_use]
    pub fn new(token: RefreshToken) -> Self {
        Self {
            token,
            anti_csrf: None,
            use_anti_csrf: false,
            key_kind: None,
            access_token_validity: None,
            longest_access_token: None,
        }
    }
}

/// The outcome of a refresh. Exhaustive, so that callers answer each verdict.
#[derive(Clone, Debug)]
pub enum RefreshOutcome {
    /// New tokens.
    Refreshed(Box<IssuedSession>),
    /// The session does not exist, or the request does not belong to the client. The text is for
    /// the operator.
    Unauthorised(&'static str),
    /// The token was exchanged before.
    Reused {
        /// The session, which has been revoked. Only an engine under [`RefreshRules::Legacy`] leaves
        /// the revocation to its caller; the class is [`ReuseClass::StaleLineage`] there.
        theft: TokenTheft,
        /// If set, the reuse is reported as theft.
        report_as_theft: bool,
    },
}

/// The next step of a refresh, after the token was compared with the stored session.
enum Decision {
    /// Mint these tokens, then store the rotation.
    Issue(Exchange),
    /// The refresh is over.
    Answer(RefreshOutcome),
}

/// The tokens to mint, and the rotation that must be stored before they are returned.
struct Exchange {
    successor: MintedRefresh,
    /// The parent that the access token names (core specification, 3.2, row A).
    access_parent: Option<RefreshHash1>,
    access_token_validity: Option<Duration>,
    refresh_expires_at: UnixMillis,
    key_kind: KeyKind,
    /// `None` if the stored session stays as it is.
    rotation: Option<Rotation>,
}

impl Engine {
    /// Exchanges a refresh token. Reads the clock itself, because it may need several attempts.
    ///
    /// # Errors
    /// A fault if the store fails or the keys are unavailable. The token stays valid.
    pub async fn refresh(
        &self,
        request: &RefreshRequest,
        protocol: Protocol,
    ) -> Result<RefreshOutcome, Fault> {
        let presented = match self
            .refresh_key
            .open(&request.token, self.keys.loaded_at(), self.clock.now())
            .await?
        {
            Ok(presented) => presented,
            Err(error) => {
                tracing::debug!(reason = %error, "refresh token refused");
                return Ok(RefreshOutcome::Unauthorised(
                    "the refresh token cannot be read",
                ));
            }
        };
        // Before the session is read: a request of another site must not learn whether the session
        // exists, and must not end it by a reuse (core specification, 3.1).
        if request.use_anti_csrf
            && !anti_csrf_matches(&presented.claims, request.anti_csrf.as_ref())
        {
            return Ok(RefreshOutcome::Unauthorised(
                "Anti CSRF token missing, or not matching",
            ));
        }
        let key = SessionKey {
            app: self.app.clone(),
            tenant: presented.claims.tenant_id.clone(),
            handle: presented.claims.handle.clone(),
        };
        for _ in 0..MAX_ATTEMPTS {
            let now = self.clock.now();
            let Some(record) = self.store.session(&key, now).await? else {
                return Ok(RefreshOutcome::Unauthorised(MISSING));
            };
            // The absolute lifetime may have been shortened since the session was stored.
            if self.session_expiry(now, record.created_at) <= now {
                return Ok(RefreshOutcome::Unauthorised(
                    "the session has reached its absolute lifetime",
                ));
            }
            let decision = match protocol.rules {
                RefreshRules::Rotation => self.by_rotation(request, &presented, &record, now).await,
                RefreshRules::Legacy => self.by_legacy_rules(request, &presented, &record, now),
            };
            let exchange = match decision? {
                Decision::Issue(exchange) => exchange,
                Decision::Answer(outcome) => return Ok(outcome),
            };
            let issued = match self.issue(&record, &exchange, protocol.format, now).await {
                Ok(issued) => issued,
                Err(MintFailure::Fault(fault)) => return Err(fault),
                // Another program can store a payload that this format cannot carry (core
                // specification, 3.5).
                Err(MintFailure::ProtectedClaim) => {
                    return Ok(RefreshOutcome::Unauthorised(wire::MESSAGE_PROTECTED_FIELD));
                }
            };
            let bytes = issued.access.token.expose().len();
            if let Some(limit) = request.longest_access_token
                && bytes > limit
            {
                return Err(Fault::undeliverable(&record.key.handle, bytes, limit));
            }
            let stored = match &exchange.rotation {
                None => RotateOutcome::Rotated,
                Some(next) => {
                    self.store
                        .rotate(&key, &record.lineage, &record.payload, next, now)
                        .await?
                }
            };
            match stored {
                RotateOutcome::Rotated => return Ok(RefreshOutcome::Refreshed(Box::new(issued))),
                RotateOutcome::Changed => {}
                RotateOutcome::Gone => return Ok(RefreshOutcome::Unauthorised(MISSING)),
            }
        }
        Err(lost_all_races())
    }

    async fn issue(
        &self,
        record: &SessionRecord,
        exchange: &Exchange,
        format: Format,
        now: UnixMillis,
    ) -> Result<IssuedSession, MintFailure> {
        let successor = &exchange.successor;
        let claims = AccessClaims {
            user_id: record.user_id.clone(),
            recipe_user_id: record.user_id.clone(),
            tenant_id: record.key.tenant.clone(),
            handle: record.key.handle.clone(),
            refresh_hash1: RefreshHash1::of(&successor.token),
            parent_refresh_hash1: exchange.access_parent.clone(),
            anti_csrf: successor.anti_csrf.clone(),
            issued_at: now.floor_seconds(),
            expires_at: self.access_expiry(
                exchange.access_token_validity,
                now,
                exchange.refresh_expires_at,
            )?,
        };
        let access = self
            .mint_access(claims, &record.payload, format, exchange.key_kind, now)
            .await?;
        Ok(IssuedSession {
            access,
            refresh_token: successor.token.clone(),
            refresh_issued_at: now,
            refresh_expires_at: exchange.refresh_expires_at,
            anti_csrf: successor.anti_csrf.clone(),
        })
    }

    fn successor(
        &self,
        request: &RefreshRequest,
        presented: &Presented,
        record: &SessionRecord,
        anti_csrf: bool,
    ) -> Result<MintedRefresh, Fault> {
        Ok(presented.tokens.mint_successor(
            &request.token,
            &presented.claims.handle,
            &record.user_id,
            &presented.claims.tenant_id,
            anti_csrf,
        )?)
    }

    /// Revokes the session of a reused token. If several requests do so at the same time, the one
    /// that deletes the session reports the theft.
    pub(crate) async fn revoke_reused(
        &self,
        key: &SessionKey,
        theft: TokenTheft,
    ) -> Result<RefreshOutcome, Fault> {
        match self.store.delete_sessions(std::slice::from_ref(key)).await {
            Ok(deleted) if deleted.is_empty() => {
                // Another request has deleted the session since it was read. If that request
                // handled the same reuse, it has reported the theft.
                tracing::debug!(
                    handle = %theft.handle, user_id = %theft.user_id, class = theft.class.as_str(),
                    "a refresh token was reused, and its session is already revoked"
                );
                return Ok(RefreshOutcome::Unauthorised(MISSING));
            }
            Ok(_) => {}
            Err(error) => {
                // The session may or may not be deleted. If it is, no later request can detect the
                // reuse.
                tracing::warn!(
                    handle = %theft.handle, user_id = %theft.user_id, class = theft.class.as_str(),
                    "a refresh token was reused, and its session could not be revoked"
                );
                return Err(error.into());
            }
        }
        let report_as_theft = theft.class == ReuseClass::StaleLineage
            || self.settings.report_recent_token_reuse_as_theft;
        Ok(RefreshOutcome::Reused {
            theft,
            report_as_theft,
        })
    }
}

fn theft(record: &SessionRecord, class: ReuseClass) -> TokenTheft {
    TokenTheft::new(record.key.handle.clone(), record.user_id.clone(), class)
}

fn lost_all_races() -> Fault {
    Fault::new(
        FaultKind::Unavailable,
        "a request kept losing races for its session; try again",
    )
}

/// A refresh token without an anti-CSRF token was minted while the check was disabled, and passes
/// (core specification, 3.1).
fn anti_csrf_matches(presented: &RefreshClaims, sent: Option<&AntiCsrfToken>) -> bool {
    match &presented.anti_csrf {
        None => true,
        Some(own) => sent.is_some_and(|sent| own.ct_eq(sent.expose())),
    }
}
