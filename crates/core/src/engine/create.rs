//! Creation of sessions (core specification, 1.2).

use std::time::Duration;

use super::{Engine, IssuedSession, MintFailure, Protocol};
use crate::clock::UnixMillis;
use crate::entropy::random_uuid;
use crate::error::Fault;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::secret::{RefreshHash1, RefreshHash2};
use crate::store::{Device, InsertOutcome, KeyKind, Lineage, SessionKey, SessionRecord};
use crate::token::access::AccessClaims;

/// A session to create.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewSession {
    /// The user.
    pub user_id: UserId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The application's part of the access token payload, including issuer and claims.
    pub payload: JsonObject,
    /// The session data.
    pub session_data: JsonObject,
    /// If set, the session gets an anti-CSRF token.
    pub anti_csrf: bool,
    /// The kind of key that signs its access tokens.
    pub key_kind: KeyKind,
    /// The validity of the access token, if shorter than the configured one.
    pub access_token_validity: Option<Duration>,
    /// The device that creates the session, if it is tracked. A remote core ignores it.
    pub device: Device,
}

impl NewSession {
    /// Describes a session without data, anti-CSRF token and device, signed with a rotating key.
    #[must_use]
    pub fn new(user_id: UserId, tenant_id: TenantId) -> Self {
        Self {
            user_id,
            tenant_id,
            payload: JsonObject::empty(),
            session_data: JsonObject::empty(),
            anti_csrf: false,
            key_kind: KeyKind::Dynamic,
            access_token_validity: None,
            device: Device::default(),
        }
    }
}

/// The outcome of a creation. Exhaustive, so that callers answer each case.
#[derive(Clone, Debug)]
pub enum CreateOutcome {
    /// The session was created.
    Created(Box<IssuedSession>),
    /// The payload contains a protected member of the token; nothing was created.
    ProtectedClaim,
}

impl Engine {
    /// Creates a session. The tokens are minted before the session is stored, so nothing is stored
    /// if minting fails.
    ///
    /// # Errors
    /// A fault if the store fails or the keys are unavailable.
    pub async fn create(
        &self,
        new: NewSession,
        protocol: Protocol,
        now: UnixMillis,
    ) -> Result<CreateOutcome, Fault> {
        match self.mint_and_insert(new, protocol, now).await {
            Ok(issued) => Ok(CreateOutcome::Created(Box::new(issued))),
            Err(MintFailure::ProtectedClaim) => Ok(CreateOutcome::ProtectedClaim),
            Err(MintFailure::Fault(fault)) => Err(fault),
        }
    }

    async fn mint_and_insert(
        &self,
        new: NewSession,
        protocol: Protocol,
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
            expires_at: self.access_expiry(new.access_token_validity, now, expires_at)?,
        };
        let access = self
            .mint_access(claims, &new.payload, protocol.format, new.key_kind, now)
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
                refresh_issued_at: now,
                refresh_expires_at: expires_at,
                anti_csrf: refresh.anti_csrf,
            }),
            InsertOutcome::HandleTaken => Err(MintFailure::Fault(Fault::internal(
                "a new session handle is already taken; the source of randomness repeats itself",
            ))),
        }
    }
}
