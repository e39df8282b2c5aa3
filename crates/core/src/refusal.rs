//! Refusals of hooks.

use std::fmt;

use serde_json::json;

use crate::http::Reply;

/// The error with which a hook refuses: the status and the body of the response.
///
/// # Examples
/// ```
/// use supersession::hooks::{Hooks, Refusal};
///
/// # async fn is_banned(_: &str) -> bool { true }
/// let hooks = Hooks::new().on_refreshed(|session| async move {
///     if is_banned(&session.user_id).await {
///         return Err(Refusal::new(403, "your account is closed"));
///     }
///     Ok(())
/// });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    body: String,
    pub(crate) clears_tokens: bool,
}

impl Refusal {
    /// Creates a refusal with this status, and `{"message": message}` as its body. A status outside
    /// of 300 to 599 is sent as 403.
    #[must_use]
    pub fn new(status: u16, message: impl AsRef<str>) -> Self {
        Self {
            status: if (300..=599).contains(&status) {
                status
            } else {
                403
            },
            body: json!({ "message": message.as_ref() }).to_string(),
            clears_tokens: false,
        }
    }

    /// Replaces the body, which must be valid JSON.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn reply(&self) -> Reply {
        Reply::json(self.status, self.body.clone())
    }
}

/// Shown to the operator. The client receives the body.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a hook answered with status {}", self.status)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Refusal {}
