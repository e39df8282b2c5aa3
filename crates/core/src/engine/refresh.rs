//! Exchange of a refresh token: ROTATION rules (core specification, 3.3) with the same-successor
//! rule.
//!
//! | presented token | answer | stored |
//! | --- | --- | --- |
//! | current, or an unconfirmed child of it | its successor | successor becomes current, presented becomes previous |
//! | previous, within the grace period | *the same* successor | unchanged but confirmed; unless another engine minted the current one |
//! | any other token of this session | reuse | the session is deleted |
//!
//! The successor is derived from the presented token, so the second row needs no memory of the
//! first: any node derives it and recognises it by its hash. Tokens are minted before the rotation
//! is stored. The rotation is a compare-and-swap on lineage and payload, even where nothing
//! changes. Therefore a refresh that cannot mint changes nothing, a refresh that lost a race reads
//! again, and a refresh that was overtaken by a revocation returns no tokens.

use super::refresh_key::Presented;
use super::{Dialect, Engine, Format, Issued, MintFailure, Mode, Refresh, RefreshOutcome};
use crate::authority::{self, IssuedSession, RefreshRequest};
use crate::clock::UnixMillis;
use crate::error::{Fault, FaultKind, ReuseClass};
use crate::ids::UserId;
use crate::secret::{AntiCsrfToken, RefreshHash1, RefreshHash2};
use crate::store::{Lineage, PreviousRefresh, RotateOutcome, Rotation, SessionKey, SessionRecord};
use crate::token::access::AccessClaims;
use crate::token::refresh::{MintedRefresh, RefreshClaims};
use crate::wire;

/// Maximum attempts of a refresh that loses races. Each loss means that another request succeeded.
pub(super) const MAX_ATTEMPTS: usize = 64;

/// The message for a refresh of a session that does not exist.
pub(super) const MISSING: &str = "Session missing in db or has expired";

pub(super) const OVER: &str = "the session has reached its absolute lifetime";

/// The relation of a presented token to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Current,
    PreviousInGrace,
    Reused(ReuseClass),
}

/// The outcome of an exchange.
pub(super) enum Exchange {
    Done(Box<IssuedSession>, UnixMillis),
    Unauthorised(&'static str),
    /// Under LEGACY rules, there is no class and the session is not revoked yet.
    Reused {
        record: Box<SessionRecord>,
        class: Option<ReuseClass>,
        report_as_theft: bool,
    },
}

impl Engine {
    /// Exchanges a refresh token for the application in this process.
    pub(crate) async fn refresh(
        &self,
        request: RefreshRequest,
        mode: Mode,
    ) -> Result<authority::RefreshOutcome, Fault> {
        let request = Refresh {
            token: request.token,
            anti_csrf: request.anti_csrf,
            use_anti_csrf: request.use_anti_csrf,
            key_kind: Some(request.key_kind),
            access_token_validity: None,
            longest_access_token: request.longest_access_token,
        };
        let mut exchange = self.exchange(&request, mode, Format::Application).await?;
        if let Exchange::Reused {
            record,
            class: class @ None,
            ..
        } = exchange
        {
            // A core leaves this to its SDK, which is the application here.
            let class = class.unwrap_or(ReuseClass::StaleLineage);
            exchange = self.end_reused(*record, class).await?;
        }
        Ok(match exchange {
            Exchange::Done(issued, _) => authority::RefreshOutcome::Refreshed(issued),
            Exchange::Unauthorised(why) => authority::RefreshOutcome::Unauthorised(why),
            Exchange::Reused {
                record,
                class,
                report_as_theft,
            } => authority::RefreshOutcome::Reused {
                handle: record.key.handle,
                recipe_user_id: record.user_id.clone(),
                user_id: record.user_id,
                class: class.unwrap_or(ReuseClass::StaleLineage),
                report_as_theft,
            },
        })
    }

    /// Exchanges a refresh token.
    ///
    /// # Errors
    /// A fault if the store fails or the keys are unavailable. The token stays valid.
    pub async fn refresh_session(
        &self,
        request: &Refresh,
        dialect: Dialect,
    ) -> Result<RefreshOutcome, Fault> {
        let exchange = self
            .exchange(request, dialect.mode, Format::Core(dialect.version))
            .await?;
        Ok(match exchange {
            Exchange::Done(issued, at) => {
                RefreshOutcome::Refreshed(Box::new(Issued::new(*issued, at)))
            }
            Exchange::Unauthorised(why) => RefreshOutcome::Unauthorised(why),
            Exchange::Reused {
                record,
                class,
                report_as_theft,
            } => RefreshOutcome::Reused {
                handle: record.key.handle,
                user_id: record.user_id,
                class,
                report_as_theft,
            },
        })
    }

    async fn exchange(
        &self,
        request: &Refresh,
        mode: Mode,
        format: Format,
    ) -> Result<Exchange, Fault> {
        let presented = match self
            .refresh_key
            .open(&request.token, self.keys.loaded_at(), self.clock.now())
            .await?
        {
            Ok(presented) => presented,
            Err(error) => {
                tracing::debug!(reason = %error, "refresh token refused");
                return Ok(Exchange::Unauthorised("the refresh token cannot be read"));
            }
        };
        if request.use_anti_csrf
            && !anti_csrf_matches(&presented.claims, request.anti_csrf.as_ref())
        {
            return Ok(Exchange::Unauthorised(
                "Anti CSRF token missing, or not matching",
            ));
        }
        let key = SessionKey {
            app: self.app.clone(),
            tenant: presented.claims.tenant_id.clone(),
            handle: presented.claims.handle.clone(),
        };
        match mode {
            Mode::Rotation => self.rotating(request, &presented, &key, format).await,
            Mode::Legacy => self.promoting(request, &presented, &key, format).await,
        }
    }

    async fn rotating(
        &self,
        request: &Refresh,
        presented: &Presented,
        key: &SessionKey,
        format: Format,
    ) -> Result<Exchange, Fault> {
        for _ in 0..MAX_ATTEMPTS {
            let now = self.clock.now();
            let Some(record) = self.store.session(key, now).await? else {
                return Ok(Exchange::Unauthorised(MISSING));
            };
            // The absolute lifetime may have been shortened since the session was stored.
            if self.session_expiry(now, record.created_at) <= now {
                return Ok(Exchange::Unauthorised(OVER));
            }
            let hash = RefreshHash2::of(&request.token);
            let standing = self.standing(
                &record.lineage,
                &hash,
                presented.claims.parent_hash1.as_ref(),
                now,
            );
            let plan = match standing {
                Standing::Current => self.rotate(request, presented, &record, hash, now)?,
                Standing::PreviousInGrace => self.replay(request, presented, &record)?,
                Standing::Reused(class) => return self.end_reused(record, class).await,
            };
            let issued = match self.issue(request, &record, &plan, format, now).await {
                Ok(issued) => issued,
                Err(MintFailure::Fault(fault)) => return Err(fault),
                Err(MintFailure::ProtectedClaim) => {
                    return Ok(Exchange::Unauthorised(wire::MESSAGE_PROTECTED_FIELD));
                }
            };
            let bytes = issued.access.token.expose().len();
            if let Some(limit) = request.longest_access_token
                && bytes > limit
            {
                return Err(Fault::undeliverable(&record.key.handle, bytes, limit));
            }
            let outcome = self
                .store
                .rotate(key, &record.lineage, &record.payload, &plan.next, now)
                .await?;
            match outcome {
                RotateOutcome::Rotated => return Ok(Exchange::Done(Box::new(issued), now)),
                RotateOutcome::Changed => {}
                RotateOutcome::Gone => return Ok(Exchange::Unauthorised(MISSING)),
            }
        }
        Err(lost_all_races())
    }

    fn standing(
        &self,
        lineage: &Lineage,
        hash: &RefreshHash2,
        parent: Option<&RefreshHash1>,
        now: UnixMillis,
    ) -> Standing {
        let parent = parent.map(RefreshHash1::second);
        if *hash == lineage.current || parent == Some(&lineage.current) {
            return Standing::Current;
        }
        match &lineage.previous {
            Some(previous) if *hash == previous.hash => {
                if now
                    <= previous
                        .rotated_at
                        .after(self.lifetimes.rotation_grace_period)
                {
                    Standing::PreviousInGrace
                } else {
                    Standing::Reused(ReuseClass::RecentPrev)
                }
            }
            Some(previous) if parent == Some(&previous.hash) => {
                Standing::Reused(ReuseClass::OrphanedBranch)
            }
            _ => Standing::Reused(ReuseClass::StaleLineage),
        }
    }

    fn rotate(
        &self,
        request: &Refresh,
        presented: &Presented,
        record: &SessionRecord,
        hash: RefreshHash2,
        now: UnixMillis,
    ) -> Result<Plan, Fault> {
        let successor =
            self.successor(request, presented, &record.user_id, request.use_anti_csrf)?;
        let expires_at = self.session_expiry(now, record.created_at);
        let lineage = Lineage {
            current: RefreshHash2::of(&successor.token),
            previous: Some(PreviousRefresh {
                hash,
                rotated_at: now,
            }),
        };
        let next = Rotation {
            lineage,
            expires_at,
            key_kind: request.key_kind.unwrap_or(record.key_kind),
        };
        Ok(Plan { successor, next })
    }

    fn replay(
        &self,
        request: &Refresh,
        presented: &Presented,
        record: &SessionRecord,
    ) -> Result<Plan, Fault> {
        let derive = |anti_csrf| self.successor(request, presented, &record.user_id, anti_csrf);
        // The first refresh may have used another anti-CSRF setting; its successor takes
        // precedence. If neither is current, the current token was minted by another engine, which
        // does not derive tokens. It is replaced, as the specification requires.
        let (wanted, other) = (
            derive(request.use_anti_csrf)?,
            derive(!request.use_anti_csrf)?,
        );
        let is_current = RefreshHash2::of(&other.token) == record.lineage.current;
        let successor = if is_current { other } else { wanted };
        let lineage = Lineage {
            current: RefreshHash2::of(&successor.token),
            previous: record.lineage.previous.clone(),
        };
        let next = Rotation {
            lineage,
            expires_at: record.expires_at,
            key_kind: request.key_kind.unwrap_or(record.key_kind),
        };
        Ok(Plan { successor, next })
    }

    pub(super) fn successor(
        &self,
        request: &Refresh,
        presented: &Presented,
        user_id: &UserId,
        anti_csrf: bool,
    ) -> Result<MintedRefresh, Fault> {
        Ok(presented.tokens.mint_successor(
            &request.token,
            &presented.claims.handle,
            user_id,
            &presented.claims.tenant_id,
            anti_csrf,
        )?)
    }

    async fn issue(
        &self,
        request: &Refresh,
        record: &SessionRecord,
        plan: &Plan,
        format: Format,
        now: UnixMillis,
    ) -> Result<IssuedSession, MintFailure> {
        let claims = AccessClaims {
            user_id: record.user_id.clone(),
            recipe_user_id: record.user_id.clone(),
            tenant_id: record.key.tenant.clone(),
            handle: record.key.handle.clone(),
            refresh_hash1: RefreshHash1::of(&plan.successor.token),
            parent_refresh_hash1: None,
            anti_csrf: plan.successor.anti_csrf.clone(),
            issued_at: now.floor_seconds(),
            expires_at: self.access_expiry(
                request.access_token_validity,
                now,
                plan.next.expires_at,
            )?,
        };
        let access = self
            .mint_access(claims, &record.payload, format, plan.next.key_kind, now)
            .await?;
        Ok(IssuedSession {
            access,
            refresh_token: plan.successor.token.clone(),
            refresh_expires_at: plan.next.expires_at,
            anti_csrf: plan.successor.anti_csrf.clone(),
        })
    }

    /// Revokes the session of a reused token. If several requests do so at the same time, the one
    /// that deletes the session reports the theft.
    async fn end_reused(
        &self,
        record: SessionRecord,
        class: ReuseClass,
    ) -> Result<Exchange, Fault> {
        match self
            .store
            .delete_sessions(std::slice::from_ref(&record.key))
            .await
        {
            Ok(deleted) if deleted.is_empty() => {
                // Another request has deleted the session since it was read. If that request
                // handled the same reuse, it has reported the theft.
                tracing::debug!(
                    handle = %record.key.handle, user_id = %record.user_id, class = class.as_str(),
                    "a refresh token was used again, and its session is already gone"
                );
                return Ok(Exchange::Unauthorised(MISSING));
            }
            Ok(_) => {}
            Err(error) => {
                // The session may or may not be deleted. If it is, no later request can detect the
                // reuse.
                tracing::warn!(
                    handle = %record.key.handle, user_id = %record.user_id, class = class.as_str(),
                    "a refresh token was used again, and its session could not be deleted"
                );
                return Err(error.into());
            }
        }
        let report_as_theft =
            class == ReuseClass::StaleLineage || self.lifetimes.recent_reuse_is_theft;
        Ok(Exchange::Reused {
            record: Box::new(record),
            class: Some(class),
            report_as_theft,
        })
    }
}

pub(super) fn lost_all_races() -> Fault {
    Fault::new(
        FaultKind::Unavailable,
        "a request kept losing races for its session; try again",
    )
}

/// The answer of a refresh, and the rotation that must be stored first.
struct Plan {
    successor: MintedRefresh,
    next: Rotation,
}

/// A refresh token without an anti-CSRF token was minted while the check was disabled, and passes
/// (core specification, 3.1).
fn anti_csrf_matches(presented: &RefreshClaims, sent: Option<&AntiCsrfToken>) -> bool {
    match &presented.anti_csrf {
        None => true,
        Some(own) => sent.is_some_and(|sent| own.ct_eq(sent.expose())),
    }
}
