//! Creation of sessions (core specification, 1.2).

use std::time::Duration;

use super::{Create, CreateOutcome, Dialect, Engine, Format, Issued, MintFailure};
use crate::authority::{IssuedSession, NewSession};
use crate::clock::UnixMillis;
use crate::entropy::random_uuid;
use crate::error::Fault;
use crate::ids::SessionHandle;
use crate::secret::{RefreshHash1, RefreshHash2};
use crate::store::{InsertOutcome, Lineage, SessionKey, SessionRecord};
use crate::token::access::AccessClaims;
use crate::wire;

impl Engine {
    /// Mints the tokens, then stores the session. Nothing is stored if minting fails.
    pub(crate) async fn create(
        &self,
        new: NewSession,
        now: UnixMillis,
    ) -> Result<IssuedSession, Fault> {
        self.establish(new, Format::Application, None, now)
            .await
            .map_err(|failure| match failure {
                MintFailure::ProtectedClaim => Fault::misuse(wire::MESSAGE_PROTECTED_FIELD),
                MintFailure::Fault(fault) => fault,
            })
    }

    /// Creates a session. Nothing is stored if minting fails.
    ///
    /// # Errors
    /// A fault if the store fails or the keys are unavailable.
    pub async fn create_session(
        &self,
        new: Create,
        dialect: Dialect,
    ) -> Result<CreateOutcome, Fault> {
        let now = self.clock.now();
        let format = Format::Core(dialect.version);
        let validity = new.access_token_validity;
        match self.establish(new.session(), format, validity, now).await {
            Ok(issued) => Ok(CreateOutcome::Created(Box::new(Issued::new(issued, now)))),
            Err(MintFailure::ProtectedClaim) => Ok(CreateOutcome::ProtectedClaim),
            Err(MintFailure::Fault(fault)) => Err(fault),
        }
    }

    async fn establish(
        &self,
        new: NewSession,
        format: Format,
        access_token_validity: Option<Duration>,
        now: UnixMillis,
    ) -> Result<IssuedSession, MintFailure> {
        let handle = SessionHandle::compose(random_uuid(&*self.entropy)?, &new.tenant_id);
        let expires_at = self.session_expiry(now, now);
        let refresh = self.refresh_key.for_new_session(now).await.mint_first(
            &handle,
            &new.user_id,
            &new.tenant_id,
            new.anti_csrf,
            &*self.entropy,
        )?;
        let claims = AccessClaims {
            user_id: new.user_id.clone(),
            recipe_user_id: new.user_id.clone(),
            tenant_id: new.tenant_id.clone(),
            handle: handle.clone(),
            refresh_hash1: RefreshHash1::of(&refresh.token),
            parent_refresh_hash1: None,
            anti_csrf: refresh.anti_csrf.clone(),
            issued_at: now.floor_seconds(),
            expires_at: self.access_expiry(access_token_validity, now, expires_at)?,
        };
        let access = self
            .mint_access(claims, &new.payload, format, new.key_kind, now)
            .await?;
        let record = SessionRecord {
            key: SessionKey {
                app: self.app.clone(),
                tenant: new.tenant_id,
                handle,
            },
            user_id: new.user_id,
            lineage: Lineage {
                current: RefreshHash2::of(&refresh.token),
                previous: None,
            },
            session_data: new.session_data,
            payload: new.payload,
            expires_at,
            created_at: now,
            key_kind: new.key_kind,
            device: new.device,
        };
        match self.store.insert_session(&record).await? {
            InsertOutcome::Inserted => Ok(IssuedSession {
                access,
                refresh_token: refresh.token,
                refresh_expires_at: expires_at,
                anti_csrf: refresh.anti_csrf,
            }),
            InsertOutcome::HandleTaken => Err(MintFailure::Fault(Fault::internal(
                "a new session handle is already taken; the source of randomness repeats itself",
            ))),
        }
    }
}
