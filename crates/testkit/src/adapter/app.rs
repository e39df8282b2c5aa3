//! The logic of the handlers in a [`Driver`](super::Driver)'s application. It is the same for every
//! framework, so it is implemented once.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::{Map, Value, json};
use supersession::claims::{ClaimContext, ClaimFetchError, ClaimValidator, PrimitiveClaim};
use supersession::{Guard, RequestSessions, Session, SessionError, TenantId, VerifyOptions, wire};

/// The application's own headers on `/create-with-headers`, each a separate header line. They must
/// be kept, and list values extended. Headers that contradict the session's tokens must be removed.
pub const OWN_HEADERS: [(&str, &str); 6] = [
    (
        "access-control-expose-headers",
        "x-request-id, X-Front-Token",
    ),
    ("cache-control", "private, max-age=0"),
    ("set-cookie", "theme=dark; Path=/"),
    ("set-cookie", "sAccessToken=own; Path=/"),
    ("set-cookie", "lang=en; Path=/"),
    ("front-token", "own"),
];

/// Maximum age of a session for `/fresh`.
pub const FRESH: Duration = Duration::from_secs(300);

/// The response body of a failed application.
pub const FAILED: &str = r#"{"error":"the handler failed"}"#;

/// The response body of `/guarded` and `/unguarded`.
pub const OPEN: &str = r#"{"open":true}"#;

/// The guard of `/require`.
#[derive(Debug)]
pub struct Admin;

impl Guard for Admin {
    fn options() -> VerifyOptions {
        VerifyOptions::new().require(is_admin())
    }
}

/// Requires the role `admin`, fetched within the last five minutes. The user `admin` has this role,
/// `alice` has the role `user`, `nobody` has none, and fetching the role of `broken` fails.
#[must_use]
pub fn is_admin() -> ClaimValidator {
    let claim = PrimitiveClaim::new("role", |context: ClaimContext| async move {
        match context.user_id.as_ref() {
            "admin" => Ok(Some("admin".to_owned())),
            "nobody" => Ok(None),
            "broken" => Err(ClaimFetchError::from("the directory is away")),
            _ => Ok(Some("user".to_owned())),
        }
    });
    claim.has_value("admin".to_owned()).max_age(FRESH).into()
}

/// Requires the claim `st-ev` to be `true`. Its fetched value is always `false`, and it is never
/// refetched.
#[must_use]
pub fn is_verified() -> ClaimValidator {
    let claim = PrimitiveClaim::new("st-ev", |_| async { Ok::<_, Infallible>(Some(false)) });
    claim.has_value(true).into()
}

/// Creates a session for `userId`, with `payload`, `data` and `tenantId` if present.
///
/// # Errors
/// The errors of creation.
pub async fn create(sessions: &RequestSessions, body: Value) -> Result<Value, SessionError> {
    let user = body["userId"].as_str().unwrap_or("alice");
    let mut new = sessions
        .create(user)
        .payload(&body["payload"])
        .data(&body["data"]);
    if let Some(tenant) = body["tenantId"]
        .as_str()
        .and_then(|tenant| TenantId::new(tenant).ok())
    {
        new = new.tenant(tenant);
    }
    Ok(describe(&new.await?))
}

/// Returns the session's information, with the application's part of the payload.
#[must_use]
pub fn describe(session: &Session) -> Value {
    let mut payload: Map<String, Value> = session
        .access_token_payload_as()
        .expect("any object can be read as a map");
    payload.retain(|name, _| !wire::PROTECTED_CLAIMS.contains(&name.as_str()));
    json!({
        "userId": session.user_id(),
        "tenantId": session.tenant_id(),
        "handle": session.handle(),
        "payload": payload,
    })
}

/// Returns the session's information, if there is a session.
#[must_use]
pub fn tell(session: Option<&Session>) -> Value {
    session.map_or_else(|| json!({ "session": null }), describe)
}

/// Requests the session and handles the error, as an application may do.
pub async fn catch(sessions: &RequestSessions) -> Value {
    match sessions.session().await {
        Ok(session) => describe(&session),
        Err(error) => json!({ "caught": error.to_string() }),
    }
}

/// Merges the body into the access token payload.
///
/// # Errors
/// The errors of the merge.
pub async fn merge(session: &Session, body: Value) -> Result<Value, SessionError> {
    session.merge_into_access_token_payload(body).await?;
    Ok(describe(session))
}

/// Merges the body, then another member. Only the second token must be sent.
///
/// # Errors
/// The errors of the merges.
pub async fn merge_twice(session: &Session, body: Value) -> Result<Value, SessionError> {
    session.merge_into_access_token_payload(body).await?;
    merge(session, json!({ "again": true })).await
}

/// Merges the body into the session data, and returns the stored session data.
///
/// # Errors
/// The errors of the merge.
pub async fn data(session: &Session, body: Value) -> Result<Value, SessionError> {
    let data = session.merge_session_data(body).await?;
    Ok(json!({ "data": data }))
}

/// Revokes the session.
///
/// # Errors
/// The errors of the revocation.
pub async fn revoke(session: &Session) -> Result<Value, SessionError> {
    session.revoke().await?;
    Ok(json!({ "revoked": true }))
}

/// Returns an error with which the application itself rejects the user.
#[must_use]
pub fn unauthorised() -> SessionError {
    SessionError::unauthorised("the application says so")
}

/// The application's own refresh route, reachable only if the built-in route is disabled.
///
/// # Errors
/// The errors of a refresh.
pub async fn own_refresh(sessions: &RequestSessions) -> Result<Value, SessionError> {
    let session = sessions.refresh().await?;
    Ok(json!({ "own": describe(&session) }))
}

/// The application's own sign-out route, reachable only if the built-in route is disabled.
///
/// # Errors
/// The errors of a sign-out.
pub async fn own_sign_out(sessions: &RequestSessions) -> Result<Value, SessionError> {
    sessions.sign_out().await?;
    Ok(json!({ "own": "signed out" }))
}

/// Fallback handler.
#[must_use]
pub fn fallback(method: &str, path: &str) -> Value {
    json!({ "unknown": format!("{method} {path}") })
}
