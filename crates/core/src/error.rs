//! Errors of a request's session: the client must act (a rejection), or the server failed (a
//! fault).
//!
//! The two never mix. A fault is answered with 503 or 500, clears no tokens and shows no details to
//! the client. It is never reported as "not logged in".

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::ids::{SessionHandle, UserId};
use crate::keys::KeyFault;
use crate::refusal::Refusal;
use crate::store::StoreError;

/// The reason why a request has no session, or why an operation on a session failed.
///
/// `Display` is for the operator. The client receives a fixed body for each variant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// 401 `unauthorised`: there is no session, or it was revoked or has expired.
    #[error("unauthorised: {0}")]
    Unauthorised(Unauthorised),
    /// 401 `try refresh token`: the client should refresh and try again.
    #[error("try refresh token: {0}")]
    TryRefreshToken(Cow<'static, str>),
    /// 401 `token theft detected`: a refresh token was reused, and the session is revoked.
    #[error("token theft detected: {0}")]
    TokenTheftDetected(TokenTheft),
    /// 403 `invalid claim`: the session is valid, but a claim failed validation.
    #[error("invalid claims: {}", ClaimFailure::ids(.0))]
    InvalidClaims(Vec<ClaimFailure>),
    /// 200: cookies of an older domain were cleared, and the client should try again. The SDKs use
    /// the same text.
    #[error(
        "The request contains multiple session cookies. We are clearing the cookie from older_cookie_domain. Session will be refreshed in the next refresh call."
    )]
    ClearDuplicateSessionCookies,
    /// 500 at a refresh: the request contains two cookies of one name, and no
    /// [`older_cookie_domain`](crate::SessionsBuilder::older_cookie_domain) identifies the outdated
    /// one (session specification, 3.11). Nothing is cleared. The SDKs use the same text, and the
    /// client receives it.
    #[error(
        "The request contains multiple session cookies. This may happen if you've changed the 'cookie_domain' setting in your configuration. To clear tokens from the previous domain, set 'older_cookie_domain' in your config."
    )]
    DuplicateSessionCookies,
    /// 403: a page of another site made the request
    /// ([`AntiCsrf::ViaOrigin`](crate::AntiCsrf::ViaOrigin)). Nothing is cleared.
    #[error(
        "the request comes from a page of another site. Fix: if it is the application's own, set `api_domain` and `website_domain` to its origins, or `trust_same_site`"
    )]
    ForeignOrigin,
    /// 400: the access token payload is too large to be delivered; nothing is stored.
    #[error(transparent)]
    PayloadTooLarge(#[from] PayloadTooLarge),
    /// 400: the caller's input is invalid. The client receives the text.
    #[error("bad input: {0}")]
    BadInput(Cow<'static, str>),
    /// A hook of the application refused the operation, with its own status and body.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// 503 or 500: not caused by the client.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The access token payload is too large to be delivered. Browsers drop cookies of more than 4,096
/// bytes, and servers and proxies reject header fields of more than 8 KB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the access token payload is too large: {bytes} bytes, of which the tokens of this session can carry {limit}. Fix: keep long values, such as lists of groups, in the session data"
)]
#[non_exhaustive]
pub struct PayloadTooLarge {
    /// Length of the payload as JSON, in bytes, without the token's own claims.
    pub bytes: usize,
    /// Longest payload that can be delivered.
    pub limit: usize,
}

/// The circumstances of a 401 `unauthorised`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unauthorised {
    reason: Cow<'static, str>,
    clear_tokens: bool,
}

impl Unauthorised {
    /// Returns `true` if the response clears the client's tokens.
    #[must_use]
    pub fn clears_tokens(&self) -> bool {
        self.clear_tokens
    }
}

impl fmt::Display for Unauthorised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// A refresh token was reused after its grace period. The session has been revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenTheft {
    /// The session.
    pub handle: SessionHandle,
    /// Its user.
    pub user_id: UserId,
    /// The login method of the user.
    pub recipe_user_id: UserId,
    /// The relation of the token to the session.
    pub class: ReuseClass,
}

impl TokenTheft {
    /// Describes a theft from a user whose login method has the same id.
    #[must_use]
    pub fn new(handle: SessionHandle, user_id: UserId, class: ReuseClass) -> Self {
        Self {
            handle,
            recipe_user_id: user_id.clone(),
            user_id,
            class,
        }
    }
}

impl fmt::Display for TokenTheft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "session {} of user {}: {}",
            self.handle,
            self.user_id,
            self.class.as_str()
        )
    }
}

/// The relation of a rejected refresh token to its session (core specification, 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReuseClass {
    /// The previous token, after the grace period.
    RecentPrev,
    /// A sibling of the current token: minted from the previous token, but never adopted.
    OrphanedBranch,
    /// Any older or unknown token.
    StaleLineage,
}

impl ReuseClass {
    /// Returns the name used between a backend SDK and the core.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RecentPrev => "RECENT_PREV",
            Self::OrphanedBranch => "ORPHANED_BRANCH",
            Self::StaleLineage => "STALE_LINEAGE",
        }
    }
}

impl SessionError {
    /// Creates a 401 `unauthorised` that ends the session at the client: the response clears all
    /// tokens. Applications can use it too.
    #[must_use]
    pub fn unauthorised(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Unauthorised(Unauthorised {
            reason: reason.into(),
            clear_tokens: true,
        })
    }

    /// Creates a 401 `unauthorised` that keeps the client's tokens.
    #[must_use]
    pub fn unauthorised_keeping_tokens(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Unauthorised(Unauthorised {
            reason: reason.into(),
            clear_tokens: false,
        })
    }

    pub(crate) fn gone() -> Self {
        Self::unauthorised(crate::wire::MESSAGE_SESSION_GONE)
    }

    pub(crate) fn try_refresh(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::TryRefreshToken(reason.into())
    }

    /// Converts an error that blames the client into one that blames the application.
    pub(crate) fn blaming_application(self) -> Self {
        match self {
            Self::PayloadTooLarge(error) => {
                Fault::misuse("the claims of a session make its payload too large")
                    .with_source(error)
                    .into()
            }
            other => other,
        }
    }

    pub(crate) fn bad_input(text: impl Into<Cow<'static, str>>) -> Self {
        Self::BadInput(text.into())
    }

    /// Returns the same rejection, with the client's tokens cleared.
    pub(crate) fn clearing(mut self) -> Self {
        match &mut self {
            Self::Unauthorised(unauthorised) => unauthorised.clear_tokens = true,
            Self::Refused(refusal) => refusal.clears_tokens = true,
            _ => {}
        }
        self
    }

    /// Returns `true` if the response must clear the client's tokens (session specification, 5.5).
    #[must_use]
    pub fn clears_tokens(&self) -> bool {
        match self {
            Self::Unauthorised(unauthorised) => unauthorised.clear_tokens,
            Self::TokenTheftDetected(_) => true,
            Self::Refused(refusal) => refusal.clears_tokens,
            Self::TryRefreshToken(_)
            | Self::InvalidClaims(_)
            | Self::ClearDuplicateSessionCookies
            | Self::DuplicateSessionCookies
            | Self::ForeignOrigin
            | Self::PayloadTooLarge(_)
            | Self::BadInput(_)
            | Self::Fault(_) => false,
        }
    }
}

/// A failure of the server or of a service that it depends on. The cause is for the operator only.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    kind: FaultKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The cause of a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The store, the keys or the network failed: 503. A retry may succeed.
    Unavailable,
    /// A bug, corrupt data, or a failed hook of the application: 500.
    Internal,
    /// The application or its configuration is wrong: 500. The message names the fix.
    Misuse,
    /// The adapter's layer is missing: 500. The client receives the message too, which names the
    /// layer.
    MissingLayer,
}

impl Fault {
    /// Creates a fault. The message is for the operator.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind of fault.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    pub(crate) fn misuse(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FaultKind::Misuse, message)
    }

    /// Creates the fault for an access token that is too long for its transport.
    pub(crate) fn undeliverable(handle: &SessionHandle, bytes: usize, limit: usize) -> Self {
        Self::misuse(format!(
            "the access token of session {handle} has {bytes} bytes, of which its cookie or header can carry {limit}. Fix: shorten the payload with `merge_into_access_token_payload`, and keep long values in the session data"
        ))
    }

    pub(crate) fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FaultKind::Internal, message)
    }

    /// Returns the message and all causes, for the log.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

fn kind_of(error: &StoreError) -> FaultKind {
    if error.is_transient() {
        FaultKind::Unavailable
    } else {
        FaultKind::Internal
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::new(kind_of(&error), "the session store failed").with_source(error)
    }
}

impl From<KeyFault> for Fault {
    fn from(fault: KeyFault) -> Self {
        let kind = match &fault {
            KeyFault::Store(error) => kind_of(error),
            KeyFault::Worker(_) | KeyFault::LookUpFailed | KeyFault::Missing => {
                FaultKind::Unavailable
            }
            KeyFault::Key(_) | KeyFault::Entropy(_) => FaultKind::Internal,
        };
        Self::new(kind, "the signing keys are not available").with_source(fault)
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

/// A failed validation, as the client receives it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClaimFailure {
    /// The validator's id.
    pub id: String,
    /// The reason, if the validator gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Value>,
}

impl ClaimFailure {
    /// Creates a failure that the engine reports itself, without a validator.
    pub(crate) fn new(id: &str, reason: Value) -> Self {
        Self {
            id: id.to_owned(),
            reason: Some(reason),
        }
    }

    pub(crate) fn ids(failures: &[Self]) -> String {
        failures
            .iter()
            .map(|failure| failure.id.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}
