//! Rules and response bodies of the demo's API.

use std::convert::Infallible;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};
use supersession::claims::{Claim as _, ClaimContext, PrimitiveArrayClaim};
use supersession::{JsonObject, Session, SessionHandle, SessionInformation, UserId};

/// The roles of a user. A real application reads them from its database here.
pub static ROLE: LazyLock<PrimitiveArrayClaim<String>> = LazyLock::new(|| {
    PrimitiveArrayClaim::new("st-role", |user: ClaimContext| async move {
        let roles = if user.user_id == "admin" {
            vec!["admin".to_owned()]
        } else {
            Vec::new()
        };
        Ok::<_, Infallible>(Some(roles))
    })
});

const MAX_NAME_LENGTH: usize = 64;

/// An error that the application itself returns to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    /// The HTTP status.
    pub status: u16,
    /// The message for the user.
    pub message: String,
}

impl UserError {
    /// A request that must be corrected.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
        }
    }

    /// A missing resource.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self {
            status: 404,
            message: message.into(),
        }
    }

    /// Returns the response body.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({ "message": self.message })
    }
}

/// The body of a sign-in.
#[derive(Clone, Debug, Deserialize)]
pub struct Login {
    /// The name as entered.
    pub name: String,
}

impl Login {
    /// Returns the user id. Any name can sign in, because this is a demo. A real application
    /// verifies a password, a passkey or the response of an identity provider here.
    ///
    /// # Errors
    /// If the name is empty or too long.
    pub fn user_id(&self) -> Result<&str, UserError> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME_LENGTH {
            return Err(UserError::bad_request(format!(
                "choose a name of 1 to {MAX_NAME_LENGTH} characters"
            )));
        }
        Ok(name)
    }
}

/// Rejects a change of the payload that sets a claim. Claims determine the user's permissions, so
/// the user must not set them.
///
/// # Errors
/// If the patch contains a claim.
pub fn check_payload_patch(patch: &JsonObject) -> Result<(), UserError> {
    if patch.contains_key(ROLE.key()) {
        return Err(UserError::bad_request(format!(
            "`{}` is set by the server only",
            ROLE.key()
        )));
    }
    Ok(())
}

/// Returns the response to a sign-in.
#[must_use]
pub fn signed_in(session: &Session) -> Value {
    json!({ "userId": session.user_id(), "handle": session.handle() })
}

/// Describes the current session: the facts of its access token, and those that the store adds.
#[must_use]
pub fn describe_current(session: &Session, stored: &SessionInformation) -> Value {
    json!({
        "userId": session.user_id(),
        "recipeUserId": session.recipe_user_id(),
        "tenantId": session.tenant_id(),
        "handle": session.handle(),
        "payload": session.access_token_payload(),
        "accessTokenExpiry": session.access_token_expires_at(),
        "timeCreated": stored.created_at,
        "expiry": stored.expires_at,
    })
}

/// Describes all sessions of a user.
#[must_use]
pub fn describe_all(sessions: Vec<SessionInformation>, current: &SessionHandle) -> Value {
    let describe = |session: SessionInformation| {
        json!({
            "current": session.handle == *current,
            "handle": session.handle,
            "timeCreated": session.created_at,
            "expiry": session.expires_at,
        })
    };
    sessions.into_iter().map(describe).collect()
}

/// Returns the feed, which guests can read too.
#[must_use]
pub fn feed(user: Option<&UserId>) -> Value {
    json!({
        "userId": user,
        "items": [
            { "title": "Sessions that end", "text": "Revoke a session in one browser, and the other is signed out with its next click." },
            { "title": "No lost updates", "text": "Two tabs can change the session data concurrently; both changes are kept." },
            { "title": "A refresh never signs a user out", "text": "Tabs that refresh concurrently get the same new tokens." },
        ],
    })
}

/// Returns the page for admins.
#[must_use]
pub fn admin_page(session: &Session) -> Value {
    json!({
        "message": format!("welcome, {}: this page is for admins", session.user_id()),
        "roles": session.claim_value(&*ROLE),
    })
}
