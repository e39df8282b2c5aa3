//! LEGACY rules (core specification, 3.2 and 2.5), on the same rows as ROTATION.
//!
//! A refresh hands out a child of the presented token and leaves the session as it is; the first
//! use of what was handed out promotes the child. Every promotion writes the retired hash and the
//! time too, as a rotation does, so that each set of rules finds what it needs (core specification,
//! 3.6).

use super::refresh::{Exchange, MAX_ATTEMPTS, MISSING, lost_all_races};
use super::refresh_key::Presented;
use super::{Engine, Format, MintFailure, Refresh};
use crate::authority::IssuedSession;
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::secret::{RefreshHash1, RefreshHash2};
use crate::store::{Lineage, PreviousRefresh, RotateOutcome, Rotation, SessionKey, SessionRecord};
use crate::token::access::AccessClaims;
use crate::wire;

impl Engine {
    pub(super) async fn promoting(
        &self,
        request: &Refresh,
        presented: &Presented,
        key: &SessionKey,
        format: Format,
    ) -> Result<Exchange, Fault> {
        let hash = RefreshHash2::of(&request.token);
        let parent = presented
            .claims
            .parent_hash1
            .as_ref()
            .map(RefreshHash1::second);
        for _ in 0..MAX_ATTEMPTS {
            let now = self.clock.now();
            let Some(record) = self.store.session(key, now).await? else {
                return Ok(Exchange::Unauthorised(MISSING));
            };
            let current = &record.lineage.current;
            let is_current = hash == *current;
            if !is_current && parent != Some(current) {
                return Ok(Exchange::Reused {
                    record: Box::new(record),
                    class: None,
                    report_as_theft: true,
                });
            }
            let next = if is_current {
                Rotation {
                    lineage: record.lineage.clone(),
                    expires_at: record.expires_at,
                    key_kind: request.key_kind.unwrap_or(record.key_kind),
                }
            } else {
                let mut next = self.promotion(&record, hash.clone(), now);
                next.key_kind = request.key_kind.unwrap_or(record.key_kind);
                next
            };
            let issued = match self
                .child(request, presented, &record, &next, format, now)
                .await
            {
                Ok(issued) => issued,
                Err(MintFailure::Fault(fault)) => return Err(fault),
                Err(MintFailure::ProtectedClaim) => {
                    return Ok(Exchange::Unauthorised(wire::MESSAGE_PROTECTED_FIELD));
                }
            };
            if is_current && next.key_kind == record.key_kind {
                return Ok(Exchange::Done(Box::new(issued), now));
            }
            match self
                .store
                .rotate(key, &record.lineage, &record.payload, &next, now)
                .await?
            {
                RotateOutcome::Rotated => return Ok(Exchange::Done(Box::new(issued), now)),
                RotateOutcome::Changed => {}
                RotateOutcome::Gone => return Ok(Exchange::Unauthorised(MISSING)),
            }
        }
        Err(lost_all_races())
    }

    /// The session after the refresh token of this hash, a child of the current one, was used.
    pub(super) fn promotion(
        &self,
        record: &SessionRecord,
        hash: RefreshHash2,
        now: UnixMillis,
    ) -> Rotation {
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

    async fn child(
        &self,
        request: &Refresh,
        presented: &Presented,
        record: &SessionRecord,
        next: &Rotation,
        format: Format,
        now: UnixMillis,
    ) -> Result<IssuedSession, MintFailure> {
        let child = self.successor(request, presented, &record.user_id, request.use_anti_csrf)?;
        // The session itself moves on when the child is used.
        let refresh_expires_at = self.session_expiry(now, record.created_at);
        let claims = AccessClaims {
            user_id: record.user_id.clone(),
            recipe_user_id: record.user_id.clone(),
            tenant_id: record.key.tenant.clone(),
            handle: record.key.handle.clone(),
            refresh_hash1: RefreshHash1::of(&child.token),
            parent_refresh_hash1: Some(RefreshHash1::of(&request.token)),
            anti_csrf: child.anti_csrf.clone(),
            issued_at: now.floor_seconds(),
            expires_at: self.access_expiry(None, now, refresh_expires_at)?,
        };
        let access = self
            .mint_access(claims, &record.payload, format, next.key_kind, now)
            .await?;
        Ok(IssuedSession {
            access,
            refresh_token: child.token,
            refresh_expires_at,
            anti_csrf: child.anti_csrf,
        })
    }
}
