//! LEGACY rules (core specification, 3.2 and 2.5), on the same rows as ROTATION.
//!
//! A refresh returns a child of the presented token and does not change the session, so a lost
//! response does no harm. The first use of the returned tokens, at a refresh or at a verification,
//! promotes the child. Every promotion also writes the retired hash and the time, as a rotation
//! does, so that each set of rules finds the values it needs (core specification, 3.6).

use super::{Decision, Exchange, MAX_ATTEMPTS, RefreshOutcome, RefreshRequest};
use super::{lost_all_races, theft};
use crate::clock::UnixMillis;
use crate::engine::protocol::Format;
use crate::engine::refresh_key::Presented;
use crate::engine::{Engine, IssuedAccess, MintFailure};
use crate::error::{Fault, ReuseClass};
use crate::secret::{RefreshHash1, RefreshHash2};
use crate::store::{Lineage, PreviousRefresh, RotateOutcome, Rotation, SessionRecord};
use crate::token::access::AccessClaims;

/// The result of using an access token that may be the first of a refresh.
pub(in crate::engine) enum FirstUse {
    /// The session does not exist, or not for this user.
    Gone,
    /// The token belongs to an earlier refresh. It is valid until it expires, and is not replaced.
    OlderBranch(Box<SessionRecord>),
    /// The stored session before the change, and the replacement token.
    Renewed(Box<SessionRecord>, Box<IssuedAccess>),
}

impl Engine {
    pub(super) fn by_legacy_rules(
        &self,
        request: &RefreshRequest,
        presented: &Presented,
        record: &SessionRecord,
        now: UnixMillis,
    ) -> Result<Decision, Fault> {
        let hash = RefreshHash2::of(&request.token);
        let parent = presented.claims.parent_hash1.as_ref();
        let current = &record.lineage.current;
        let mut rotation = if hash == *current {
            // Row A: the session stays as it is. The answered expiry is the one that the promotion
            // of the child will store.
            Rotation {
                lineage: record.lineage.clone(),
                expires_at: record.expires_at,
                key_kind: record.key_kind,
            }
        } else if parent.map(RefreshHash1::second) == Some(current) {
            // Row B: the first use of a child promotes it.
            self.promotion(record, hash, now)
        } else {
            // Row C: reuse. The SDK revokes the session.
            return Ok(Decision::Answer(RefreshOutcome::Reused {
                theft: theft(record, ReuseClass::StaleLineage),
                report_as_theft: true,
            }));
        };
        rotation.key_kind = request.key_kind.unwrap_or(record.key_kind);
        let is_unchanged =
            rotation.lineage == record.lineage && rotation.key_kind == record.key_kind;
        Ok(Decision::Issue(Exchange {
            successor: self.successor(request, presented, record, request.use_anti_csrf)?,
            access_parent: Some(RefreshHash1::of(&request.token)),
            // SDKs of this protocol cannot ask for a shorter validity.
            access_token_validity: None,
            refresh_expires_at: self.session_expiry(now, record.created_at),
            key_kind: rotation.key_kind,
            rotation: (!is_unchanged).then_some(rotation),
        }))
    }

    /// Handles the use of an access token that has a parent, or whose payload has changed (core
    /// specification, 2.5). The first use of a refreshed token promotes its refresh token. The
    /// access token is replaced by one without a parent, with the stored payload.
    ///
    /// `record` is the stored session, if the caller has read it.
    pub(in crate::engine) async fn first_use(
        &self,
        claims: &AccessClaims,
        mut record: Option<SessionRecord>,
        format: Format,
    ) -> Result<FirstUse, MintFailure> {
        let key = self.key_of(claims);
        let own = claims.refresh_hash1.second();
        let parent = claims
            .parent_refresh_hash1
            .as_ref()
            .map(RefreshHash1::second);
        for _ in 0..MAX_ATTEMPTS {
            let now = self.clock.now();
            let found = match record.take() {
                Some(record) => Some(record),
                None => self.store.session(&key, now).await?,
            };
            // A signed token that names another user's session was not made by this engine.
            let Some(stored) = found.filter(|record| record.user_id == claims.recipe_user_id)
            else {
                return Ok(FirstUse::Gone);
            };
            let current = &stored.lineage.current;
            let promotes = parent == Some(current);
            if !promotes && own != current {
                return Ok(FirstUse::OlderBranch(Box::new(stored)));
            }
            let next = promotes.then(|| self.promotion(&stored, own.clone(), now));
            let validity = self.settings.access_token_validity;
            let renewed = AccessClaims {
                parent_refresh_hash1: None,
                issued_at: now.floor_seconds(),
                // Only a refresh extends the time for which access tokens are valid.
                expires_at: next.as_ref().map_or(claims.expires_at, |next| {
                    Self::access_expiry_after(validity, now, next.expires_at)
                }),
                ..claims.clone()
            };
            let minted = self
                .mint_access(renewed, &stored.payload, format, stored.key_kind, now)
                .await?;
            let outcome = match &next {
                Some(next) => {
                    self.store
                        .rotate(&key, &stored.lineage, &stored.payload, next, now)
                        .await?
                }
                None => RotateOutcome::Rotated,
            };
            match outcome {
                RotateOutcome::Rotated => {
                    return Ok(FirstUse::Renewed(Box::new(stored), Box::new(minted)));
                }
                RotateOutcome::Changed => {}
                RotateOutcome::Gone => return Ok(FirstUse::Gone),
            }
        }
        Err(lost_all_races().into())
    }

    /// Returns the session after the use of the refresh token with this hash, a child of the
    /// current one.
    fn promotion(&self, record: &SessionRecord, hash: RefreshHash2, now: UnixMillis) -> Rotation {
        Rotation {
            lineage: Lineage {
                current: hash,
                previous: Some(PreviousRefresh {
                    hash: record.lineage.current.clone(),
                    rotated_at: now,
                }),
            },
            expires_at: self.session_expiry(now, record.created_at),
            key_kind: record.key_kind,
        }
    }
}
