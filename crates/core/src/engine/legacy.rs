//! LEGACY rules (core specification, 3.2 and 2.5), on the same rows as ROTATION.
//!
//! A refresh returns a child of the presented token and does not change the session. The first use
//! of the returned tokens promotes the child. Every promotion also writes the retired hash and the
//! time, as a rotation does, so that each set of rules finds the values it needs (core
//! specification, 3.6).

use super::refresh::{Exchange, MAX_ATTEMPTS, MISSING, OVER, lost_all_races};
use super::refresh_key::Presented;
use super::{Engine, Format, MintFailure, Refresh};
use crate::authority::{CheckOutcome, Confirmed, IssuedAccess, IssuedSession};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::secret::{RefreshHash1, RefreshHash2};
use crate::store::{Lineage, PreviousRefresh, RotateOutcome, Rotation, SessionKey, SessionRecord};
use crate::token::access::AccessClaims;
use crate::wire;

/// The result of using an access token that may be the first of a refresh.
pub(super) enum FirstUse {
    /// The session does not exist, or not for this user.
    Gone,
    /// The token belongs to an earlier refresh. It is valid until it expires, and is not replaced.
    OlderBranch(Box<SessionRecord>),
    /// The stored session before the change, and the replacement token.
    Renewed(Box<SessionRecord>, Box<IssuedAccess>),
}

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
            // As under ROTATION rules.
            if self.session_expiry(now, record.created_at) <= now {
                return Ok(Exchange::Unauthorised(OVER));
            }
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

    /// Handles the use of an access token that has a parent, or whose payload has changed (core
    /// specification, 2.5). The first use of a refreshed token promotes its refresh token. The
    /// access token is replaced by one without a parent, with the stored payload.
    ///
    /// `record` is the stored session, if the caller has read it.
    pub(super) async fn first_use(
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
            let validity = self.lifetimes.access_token_validity;
            let renewed = AccessClaims {
                parent_refresh_hash1: None,
                issued_at: now.floor_seconds(),
                // Only a refresh extends the time for which access tokens are valid.
                expires_at: next.as_ref().map_or(claims.expires_at, |next| {
                    Self::access_ends(validity, now, next.expires_at)
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

    /// Handles the first use of the application's access token in this process after a refresh.
    pub(crate) async fn confirm_refresh(
        &self,
        claims: &AccessClaims,
        check_database: bool,
    ) -> Result<CheckOutcome, Fault> {
        let confirmed = match self.first_use(claims, None, Format::Application).await {
            Ok(FirstUse::Gone) => return Ok(CheckOutcome::Gone),
            Ok(FirstUse::OlderBranch(stored)) => Confirmed {
                created_at: Some(stored.created_at),
                stored_payload: check_database.then_some(stored.payload),
                replacement: None,
            },
            Ok(FirstUse::Renewed(stored, access)) => Confirmed {
                created_at: Some(stored.created_at),
                stored_payload: None,
                replacement: Some(*access),
            },
            Err(MintFailure::Fault(fault)) => return Err(fault),
            Err(MintFailure::ProtectedClaim) => {
                return Err(Fault::misuse(wire::MESSAGE_PROTECTED_FIELD));
            }
        };
        Ok(CheckOutcome::Live(Box::new(confirmed)))
    }

    /// Returns the session after the use of the refresh token with this hash, a child of the
    /// current one.
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
        // The stored session changes when the child is used.
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
