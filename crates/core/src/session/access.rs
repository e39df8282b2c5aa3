//! The access token of a session, and its contents.

use std::sync::Arc;

use crate::authority::IssuedAccess;
use crate::clock::UnixSeconds;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::secret::{AccessToken, AntiCsrfToken, FrontToken};
use crate::token::access::{AccessClaims, custom_payload};
use crate::token::front;
use crate::verify::VerifiedToken;

/// The access token of a session, and its contents.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// A token that the client sent.
    Verified(VerifiedToken),
    /// A token that this process minted.
    Issued(Arc<IssuedAccess>),
}

impl Access {
    pub(super) fn token(&self) -> AccessToken {
        AccessToken::new(self.token_text())
    }

    pub(crate) fn token_text(&self) -> &str {
        match self {
            Self::Verified(verified) => verified.token(),
            Self::Issued(issued) => issued.token.expose(),
        }
    }

    /// Returns `true` if a refresh minted the token and its use has not been confirmed yet.
    pub(crate) fn has_parent(&self) -> bool {
        match self {
            Self::Verified(verified) => verified.has_parent(),
            Self::Issued(issued) => issued.claims.parent_refresh_hash1.is_some(),
        }
    }

    pub(crate) fn expires_at(&self) -> UnixSeconds {
        match self {
            Self::Verified(verified) => verified.expires_at(),
            Self::Issued(issued) => issued.claims.expires_at,
        }
    }

    pub(crate) fn anti_csrf(&self) -> Option<&str> {
        match self {
            Self::Verified(verified) => verified.anti_csrf(),
            Self::Issued(issued) => issued.claims.anti_csrf.as_ref().map(AntiCsrfToken::expose),
        }
    }

    pub(crate) fn payload(&self) -> JsonObject {
        match self {
            Self::Verified(verified) => verified.payload(),
            Self::Issued(issued) => issued.payload.clone(),
        }
    }

    pub(crate) fn claims(&self) -> &AccessClaims {
        match self {
            Self::Verified(verified) => verified.claims(),
            Self::Issued(issued) => &issued.claims,
        }
    }

    pub(crate) fn user_id(&self) -> &UserId {
        match self {
            Self::Verified(verified) => verified.user_id(),
            Self::Issued(issued) => &issued.claims.user_id,
        }
    }

    pub(crate) fn recipe_user_id(&self) -> &UserId {
        match self {
            Self::Verified(verified) => verified.recipe_user_id(),
            Self::Issued(issued) => &issued.claims.recipe_user_id,
        }
    }

    pub(crate) fn tenant_id(&self) -> &TenantId {
        match self {
            Self::Verified(verified) => verified.tenant_id(),
            Self::Issued(issued) => &issued.claims.tenant_id,
        }
    }

    pub(crate) fn handle(&self) -> &SessionHandle {
        match self {
            Self::Verified(verified) => verified.handle(),
            Self::Issued(issued) => &issued.claims.handle,
        }
    }

    /// Returns `true` if a stored payload equals the application's part of the token's payload.
    pub(crate) fn agrees_with(&self, stored: &JsonObject) -> bool {
        if let Self::Verified(verified) = self
            && verified.is_known_to_agree_with(stored)
        {
            return true;
        }
        let agrees = custom_payload(stored).same_json(&custom_payload(&self.payload()));
        if let Self::Verified(verified) = self
            && agrees
        {
            verified.note_agreement_with(stored.clone());
        }
        agrees
    }

    pub(super) fn front_token(&self) -> FrontToken {
        front::mint(self.user_id(), self.expires_at(), &self.payload())
    }
}
