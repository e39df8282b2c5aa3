//! What the handlers of a [`Driver`](super::Driver)'s application do and answer. All of it is the
//! same for every framework, so it is written once.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::{Map, Value, json};
use supersession::claims::{ClaimContext, ClaimFetchError, ClaimValidator, PrimitiveClaim};
use supersession::{Guard, RequestSessions, Session, SessionError, TenantId, VerifyOptions, wire};

/// The application's own headers on `/create-with-headers`, each a line of its own. They stay, and
/// lists are added to; but what says something else about the session than we do must go.
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

/// How old a session may be for `/fresh`.
pub const FRESH: Duration = Duration::from_secs(300);

/// The body of an answer that says that the application failed.
pub const FAILED: &str = r#"{"error":"the handler failed"}"#;

/// The body of `/guarded` and `/unguarded`.
pub const OPEN: &str = r#"{"open":true}"#;

/// The guard of `/require`.
#[derive(Debug)]
pub struct Admin;

impl Guard for Admin {
    fn options() -> VerifyOptions {
        VerifyOptions::new().require(is_admin())
    }
}

/// Demands the role `admin`, no older than five minutes. The user `admin` has it, `alice` has the
/// role `user`, `nobody` has none, and that of `broken` cannot be fetched.
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

/// The claim behind [`is_admin`] for users without a directory: never fetched anew.
#[must_use]
pub fn is_verified() -> ClaimValidator {
    let claim = PrimitiveClaim::new("st-ev", |_| async { Ok::<_, Infallible>(Some(false)) });
    claim.has_value(true).into()
}

/// Creates a session for `userId`, with `payload`, `data` and `tenantId` if they are there.
///
/// # Errors
/// Those of creation.
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

/// The facts of a session, with the application's part of the payload.
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

/// The facts of a session, if there is one.
#[must_use]
pub fn tell(session: Option<&Session>) -> Value {
    session.map_or_else(|| json!({ "session": null }), describe)
}

/// Asks for the session and catches the error, as an application may.
pub async fn catch(sessions: &RequestSessions) -> Value {
    match sessions.session().await {
        Ok(session) => describe(&session),
        Err(error) => json!({ "caught": error.to_string() }),
    }
}

/// Merges the body into the access token payload.
///
/// # Errors
/// Those of the merge.
pub async fn merge(session: &Session, body: Value) -> Result<Value, SessionError> {
    session.merge_into_access_token_payload(body).await?;
    Ok(describe(session))
}

/// Merges the body, then one more member: the second token is the one to be sent.
///
/// # Errors
/// Those of the merges.
pub async fn merge_twice(session: &Session, body: Value) -> Result<Value, SessionError> {
    session.merge_into_access_token_payload(body).await?;
    merge(session, json!({ "again": true })).await
}

/// Merges the body into the session data, and answers what is stored then.
///
/// # Errors
/// Those of the merge.
pub async fn data(session: &Session, body: Value) -> Result<Value, SessionError> {
    let data = session.merge_session_data(body).await?;
    Ok(json!({ "data": data }))
}

/// Ends the session.
///
/// # Errors
/// Those of the revocation.
pub async fn revoke(session: &Session) -> Result<Value, SessionError> {
    session.revoke().await?;
    Ok(json!({ "revoked": true }))
}

/// The application's own verdict: this user is out.
#[must_use]
pub fn unauthorised() -> SessionError {
    SessionError::unauthorised("the application says so")
}

/// A refresh route of the application's own, reached only where the built-in one is off.
///
/// # Errors
/// Those of a refresh.
pub async fn own_refresh(sessions: &RequestSessions) -> Result<Value, SessionError> {
    let session = sessions.refresh().await?;
    Ok(json!({ "own": describe(&session) }))
}

/// A sign-out route of the application's own, reached only where the built-in one is off.
///
/// # Errors
/// Those of a sign-out.
pub async fn own_sign_out(sessions: &RequestSessions) -> Result<Value, SessionError> {
    sessions.sign_out().await?;
    Ok(json!({ "own": "signed out" }))
}

/// What the application answers to everything that it does not know.
#[must_use]
pub fn fallback(method: &str, path: &str) -> Value {
    json!({ "unknown": format!("{method} {path}") })
}
