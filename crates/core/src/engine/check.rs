//! Checks of an access token that was verified before: is its session live, and is the token on a
//! live branch (core specification, 2.4 to 2.6)?

use super::protocol::{Format, RefreshRules};
use super::refresh::FirstUse;
use super::{Engine, IssuedAccess, MintFailure};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;
use crate::store::SessionKey;
use crate::token::access::AccessClaims;
use crate::wire;

/// The outcome of a check. Exhaustive, so that callers answer each verdict.
#[derive(Clone, Debug)]
pub enum CheckOutcome {
    /// The token is valid.
    Live(Box<LiveSession>),
    /// The session was revoked or has expired.
    Gone,
    /// The session is on a newer branch than the token.
    RotatedOut,
    /// The authority rejects the token, and a refresh may help. The text is for the operator.
    TryRefreshToken(&'static str),
}

/// Further facts about the session of a valid token.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LiveSession {
    /// The stored payload, if it may differ from the token's.
    pub stored_payload: Option<JsonObject>,
    /// The session's time of creation, if it is known without another request.
    pub created_at: Option<UnixMillis>,
    /// A token that replaces the checked one.
    pub replacement: Option<IssuedAccess>,
}

impl Engine {
    /// Checks the application's access token. With `check_database`, its session must be live and
    /// the token on a live branch.
    pub(crate) async fn check(
        &self,
        claims: &AccessClaims,
        check_database: bool,
        rules: RefreshRules,
        now: UnixMillis,
    ) -> Result<CheckOutcome, Fault> {
        if rules == RefreshRules::Legacy && claims.parent_refresh_hash1.is_some() {
            return self.confirm_refresh(claims, check_database).await;
        }
        if !check_database {
            return Ok(CheckOutcome::Live(Box::default()));
        }
        let key = SessionKey::new(&self.app, claims.handle.clone());
        self.check_stored(&key, claims, rules, now).await
    }

    /// Compares a token with the stored session.
    pub(super) async fn check_stored(
        &self,
        key: &SessionKey,
        claims: &AccessClaims,
        rules: RefreshRules,
        now: UnixMillis,
    ) -> Result<CheckOutcome, Fault> {
        let stored = self.store.session_status(key, now).await?;
        // A signed token that names another user's session was not made by this engine.
        let Some(stored) = stored.filter(|stored| stored.user_id == claims.recipe_user_id) else {
            return Ok(CheckOutcome::Gone);
        };
        let parent = claims.parent_refresh_hash1.as_ref();
        // Under LEGACY rules only the existence of the session counts (core specification, 2.4).
        if rules == RefreshRules::Rotation && !stored.lineage.covers(&claims.refresh_hash1, parent)
        {
            return Ok(CheckOutcome::RotatedOut);
        }
        Ok(CheckOutcome::Live(Box::new(LiveSession {
            stored_payload: Some(stored.payload),
            created_at: Some(stored.created_at),
            replacement: None,
        })))
    }

    /// LEGACY: handles the first use of an access token after a refresh.
    async fn confirm_refresh(
        &self,
        claims: &AccessClaims,
        check_database: bool,
    ) -> Result<CheckOutcome, Fault> {
        let live = match self.first_use(claims, None, Format::Application).await {
            Ok(FirstUse::Gone) => return Ok(CheckOutcome::Gone),
            Ok(FirstUse::OlderBranch(stored)) => LiveSession {
                created_at: Some(stored.created_at),
                stored_payload: check_database.then_some(stored.payload),
                replacement: None,
            },
            Ok(FirstUse::Renewed(stored, access)) => LiveSession {
                created_at: Some(stored.created_at),
                stored_payload: None,
                replacement: Some(*access),
            },
            Err(MintFailure::Fault(fault)) => return Err(fault),
            Err(MintFailure::ProtectedClaim) => {
                return Err(Fault::misuse(wire::MESSAGE_PROTECTED_FIELD));
            }
        };
        Ok(CheckOutcome::Live(Box::new(live)))
    }

    pub(super) fn key_of(&self, claims: &AccessClaims) -> SessionKey {
        SessionKey {
            app: self.app.clone(),
            tenant: claims.tenant_id.clone(),
            handle: claims.handle.clone(),
        }
    }
}
