//! ROTATION rules (core specification, 3.3) with the same-successor rule.
//!
//! | presented token | answer | stored |
//! | --- | --- | --- |
//! | current, or an unconfirmed child of it (cases 1 and 2) | its successor | successor becomes current, presented becomes previous |
//! | previous, within the grace period (case 3) | *the same* successor | unchanged but confirmed; unless another engine minted the current one |
//! | any other token of this session (cases 4a to 4c) | reuse | the session is deleted |
//!
//! The second row differs from the specification, which mints a sibling there. Of two refreshes at
//! once, a client may keep the tokens of the first, which are then an orphan, and be signed out at
//! its next refresh (core specification, 3.8). The successor is derived from the presented token, so
//! the second refresh needs no memory of the first: any node derives it and recognises it by its
//! hash.

use super::{Decision, Exchange, RefreshRequest, theft};
use crate::clock::UnixMillis;
use crate::engine::Engine;
use crate::engine::refresh_key::Presented;
use crate::error::{Fault, ReuseClass};
use crate::secret::{RefreshHash1, RefreshHash2};
use crate::store::{Lineage, PreviousRefresh, Rotation, SessionRecord};
use crate::token::refresh::MintedRefresh;

/// The relation of a presented token to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// Cases 1 and 2.
    Current,
    /// Case 3.
    PreviousInGrace,
    /// The previous token after its grace period, within
    /// [`lost_response_window`](crate::engine::EngineSettings::lost_response_window).
    PreviousInWindow,
    /// Cases 4a, 4b and 4c.
    Reused(ReuseClass),
}

impl Engine {
    pub(super) async fn by_rotation(
        &self,
        request: &RefreshRequest,
        presented: &Presented,
        record: &SessionRecord,
        now: UnixMillis,
    ) -> Result<Decision, Fault> {
        let hash = RefreshHash2::of(&request.token);
        let parent = presented.claims.parent_hash1.as_ref();
        let (successor, previous, expires_at) =
            match self.relation(&record.lineage, &hash, parent, now) {
                Relation::Current => {
                    let previous = PreviousRefresh {
                        hash,
                        rotated_at: now,
                    };
                    let successor =
                        self.successor(request, presented, record, request.use_anti_csrf)?;
                    let expires_at = self.session_expiry(now, record.created_at);
                    (successor, Some(previous), expires_at)
                }
                // The time of the rotation stays, or each retry would prolong the grace period. So
                // does the expiry: only a new token extends the session.
                Relation::PreviousInGrace => (
                    self.repeated_successor(request, presented, record)?,
                    record.lineage.previous.clone(),
                    record.expires_at,
                ),
                Relation::PreviousInWindow => {
                    // The client never received the response: its token is one behind, and the
                    // successor was never exchanged. The latter follows from the lineage, which
                    // would otherwise name the successor as the previous token.
                    let Some(successor) = self.current_successor(request, presented, record)?
                    else {
                        let stolen = theft(record, ReuseClass::RecentPrev);
                        let outcome = self.revoke_reused(&record.key, stolen).await?;
                        return Ok(Decision::Answer(outcome));
                    };
                    (
                        successor,
                        record.lineage.previous.clone(),
                        record.expires_at,
                    )
                }
                Relation::Reused(class) => {
                    let outcome = self
                        .revoke_reused(&record.key, theft(record, class))
                        .await?;
                    return Ok(Decision::Answer(outcome));
                }
            };
        let key_kind = request.key_kind.unwrap_or(record.key_kind);
        // The rotation is stored even where nothing changes (case 3): the compare-and-swap detects a
        // revocation that overtook this refresh, whose client must then get no tokens.
        let rotation = Rotation {
            lineage: Lineage {
                current: RefreshHash2::of(&successor.token),
                previous,
            },
            expires_at,
            key_kind,
        };
        Ok(Decision::Issue(Exchange {
            successor,
            access_parent: None,
            access_token_validity: request.access_token_validity,
            refresh_expires_at: expires_at,
            key_kind,
            rotation: Some(rotation),
        }))
    }

    /// Compares a presented token with the session's lineage, in the order of core specification,
    /// 3.3. The first match counts:
    ///
    /// * The current token is good (case 1).
    /// * A child of the current token was minted under LEGACY rules and not used yet (case 2). The
    ///   session does not know its hash, so this precedes every case of reuse.
    /// * The previous token is good until the end of the grace period, inclusive (case 3). After
    ///   it, until the end of the window for lost responses, it is good if the current token is its
    ///   own successor.
    /// * Every other token was used before. The class says how recent it is: the previous token
    ///   itself (4a), a sibling of the current one, whose parent is the previous one (4b), or an
    ///   older one (4c).
    fn relation(
        &self,
        lineage: &Lineage,
        hash: &RefreshHash2,
        parent: Option<&RefreshHash1>,
        now: UnixMillis,
    ) -> Relation {
        let parent = parent.map(RefreshHash1::second);
        if *hash == lineage.current || parent == Some(&lineage.current) {
            return Relation::Current;
        }
        match &lineage.previous {
            Some(previous) if *hash == previous.hash => {
                let has_passed = |period| now > previous.rotated_at.after(period);
                if !has_passed(self.settings.refresh_token_rotation_grace_period) {
                    Relation::PreviousInGrace
                } else if let Some(window) = self.settings.lost_response_window
                    && !has_passed(window)
                {
                    Relation::PreviousInWindow
                } else {
                    Relation::Reused(ReuseClass::RecentPrev)
                }
            }
            Some(previous) if parent == Some(&previous.hash) => {
                Relation::Reused(ReuseClass::OrphanedBranch)
            }
            _ => Relation::Reused(ReuseClass::StaleLineage),
        }
    }

    /// Returns the successor that the first refresh with this token returned.
    ///
    /// If the current token is not derived from this one, another engine minted it, which does not
    /// derive tokens. It is replaced, as the specification requires.
    fn repeated_successor(
        &self,
        request: &RefreshRequest,
        presented: &Presented,
        record: &SessionRecord,
    ) -> Result<MintedRefresh, Fault> {
        match self.current_successor(request, presented, record)? {
            Some(successor) => Ok(successor),
            None => self.successor(request, presented, record, request.use_anti_csrf),
        }
    }

    /// Returns the successor of this token, if it is the session's current token. The first refresh
    /// may have used another anti-CSRF setting.
    fn current_successor(
        &self,
        request: &RefreshRequest,
        presented: &Presented,
        record: &SessionRecord,
    ) -> Result<Option<MintedRefresh>, Fault> {
        for anti_csrf in [!request.use_anti_csrf, request.use_anti_csrf] {
            let successor = self.successor(request, presented, record, anti_csrf)?;
            if RefreshHash2::of(&successor.token) == record.lineage.current {
                return Ok(Some(successor));
            }
        }
        Ok(None)
    }
}
