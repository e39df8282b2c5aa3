//! The demo's API: JSON requests and responses, below `/api`.

use std::convert::Infallible;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use supersession_axum::core::claims::{Claim as _, ClaimContext, PrimitiveArrayClaim};
use supersession_axum::core::{JsonObject, SessionInformation};
use supersession_axum::{RequestSessions, Session, verify_session};

use crate::error::ApiError;

type Answer = Result<Json<Value>, ApiError>;
type Document = Result<Json<JsonObject>, ApiError>;
type Body<T> = Result<Json<T>, JsonRejection>;

/// The roles of a user. A real application reads them from its database here.
pub(crate) static ROLE: LazyLock<PrimitiveArrayClaim<String>> = LazyLock::new(|| {
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

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/api/login", post(login))
        .route("/api/me", get(me))
        .route("/api/feed", get(feed))
        .route(
            "/api/session-data",
            get(read_data).put(overwrite_data).patch(merge_data),
        )
        .route("/api/metadata", get(read_metadata).patch(merge_metadata))
        .route("/api/payload", patch(merge_payload))
        .route("/api/sessions", get(list_sessions))
        .route("/api/sessions/{handle}", delete(revoke_session))
        .route("/api/sessions/revoke-others", post(revoke_others))
        .route(
            "/api/admin",
            get(admin).route_layer(verify_session().require(ROLE.includes("admin"))),
        )
        .route("/updateinfo", post(update_info))
}

#[derive(Deserialize)]
struct Login {
    name: String,
}

/// Any name can sign in, because this is a demo. A real application verifies a password, a passkey
/// or the response of an identity provider here.
async fn login(sessions: RequestSessions, body: Body<Login>) -> Answer {
    let Json(Login { name }) = body?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_LENGTH {
        return Err(ApiError::bad_request(format!(
            "choose a name of 1 to {MAX_NAME_LENGTH} characters"
        )));
    }
    let session = sessions.create(name).await?;
    Ok(Json(
        json!({ "userId": session.user_id(), "handle": session.handle() }),
    ))
}

async fn me(session: Session) -> Answer {
    let stored = session.information().await?;
    Ok(Json(json!({
        "userId": session.user_id(),
        "recipeUserId": session.recipe_user_id(),
        "tenantId": session.tenant_id(),
        "handle": session.handle(),
        "payload": session.access_token_payload(),
        "accessTokenExpiry": session.access_token_expires_at(),
        "timeCreated": stored.created_at,
        "expiry": stored.expires_at,
    })))
}

async fn feed(session: Option<Session>) -> Json<Value> {
    Json(json!({
        "userId": session.map(|session| session.user_id().clone()),
        "items": [
            { "title": "Sessions that end", "text": "Revoke a session in one browser, and the other is out with its next click." },
            { "title": "No lost updates", "text": "Two tabs may change the session data at once; both changes stay." },
            { "title": "Nobody is logged out by a refresh", "text": "Tabs that renew at the same time get the same successor." },
        ],
    }))
}

async fn read_data(session: Session) -> Document {
    Ok(Json(session.session_data().await?))
}

async fn overwrite_data(session: Session, body: Body<JsonObject>) -> Document {
    let Json(data) = body?;
    session.update_session_data(&data).await?;
    Ok(Json(data))
}

async fn merge_data(session: Session, body: Body<JsonObject>) -> Document {
    let Json(patch) = body?;
    Ok(Json(session.merge_session_data(patch).await?))
}

async fn read_metadata(sessions: RequestSessions, session: Session) -> Document {
    Ok(Json(
        sessions
            .sessions()
            .user_metadata()
            .get(session.user_id())
            .await?,
    ))
}

async fn merge_metadata(
    sessions: RequestSessions,
    session: Session,
    body: Body<JsonObject>,
) -> Document {
    let Json(update) = body?;
    Ok(Json(
        sessions
            .sessions()
            .user_metadata()
            .update(session.user_id(), update)
            .await?,
    ))
}

async fn merge_payload(session: Session, body: Body<JsonObject>) -> Document {
    let Json(patch) = body?;
    // Claims determine the user's permissions, so the user must not set them.
    if patch.contains_key(ROLE.key()) {
        return Err(ApiError::bad_request(format!(
            "`{}` is set by the server only",
            ROLE.key()
        )));
    }
    session.merge_into_access_token_payload(patch).await?;
    Ok(Json(session.access_token_payload()))
}

async fn list_sessions(sessions: RequestSessions, session: Session) -> Answer {
    let all = sessions
        .sessions()
        .sessions_for_user(session.user_id())
        .await?;
    let describe = |other: SessionInformation| {
        json!({
            "current": other.handle == *session.handle(),
            "handle": other.handle,
            "timeCreated": other.created_at,
            "expiry": other.expires_at,
        })
    };
    Ok(Json(all.into_iter().map(describe).collect()))
}

async fn revoke_session(
    sessions: RequestSessions,
    session: Session,
    Path(handle): Path<String>,
) -> Answer {
    if session.handle() == handle.as_str() {
        session.revoke().await?;
        return Ok(Json(json!({ "revoked": true })));
    }
    // Users may revoke only their own sessions, and must not learn if another user's session
    // exists.
    let other = sessions.sessions().information(&handle).await?;
    let own = other.is_some_and(|other| other.user_id == *session.user_id());
    if own && sessions.sessions().revoke(&handle).await? {
        Ok(Json(json!({ "revoked": true })))
    } else {
        Err(ApiError::not_found("you have no such session"))
    }
}

async fn revoke_others(sessions: RequestSessions, session: Session) -> Answer {
    let revoked = sessions
        .sessions()
        .revoke_others_for_user(session.user_id(), session.handle())
        .await?;
    Ok(Json(json!({ "revoked": revoked })))
}

async fn admin(session: Session) -> Answer {
    Ok(Json(json!({
        "message": format!("welcome, {}: this page is for admins", session.user_id()),
        "roles": session.claim_value(&*ROLE),
    })))
}

/// The handler of the SuperTokens guide, in Rust.
async fn update_info(session: Session) -> Answer {
    let mut data: Map<String, Value> = session.session_data().await?;
    data.insert("newKey".into(), "newValue".into());
    session.update_session_data(&data).await?;
    Ok(Json(
        json!({ "message": "successfully updated session data" }),
    ))
}
