//! The demo's API: JSON requests and responses, below `/api`.

use actix_web::web::{Json, Path, ServiceConfig, delete, get, patch, post, put, resource};
use demo_shared::{Login, ROLE, UserError};
use serde_json::{Map, Value, json};
use supersession_actix::core::JsonObject;
use supersession_actix::{OptionalSession, RequestSessions, Session, verify_session};

use crate::error::ApiError;

type Answer = Result<Json<Value>, ApiError>;
type Document = Result<Json<JsonObject>, ApiError>;
/// The body. The handler checks it, so that a missing session is reported first.
type Body<T> = Result<Json<T>, actix_web::Error>;

pub(crate) fn routes(config: &mut ServiceConfig) {
    let is_admin = verify_session().require(ROLE.includes("admin"));
    config
        .service(resource("/api/login").route(post().to(login)))
        .service(resource("/api/me").route(get().to(me)))
        .service(resource("/api/feed").route(get().to(feed)))
        .service(
            resource("/api/session-data")
                .route(get().to(read_data))
                .route(put().to(overwrite_data))
                .route(patch().to(merge_data)),
        )
        .service(
            resource("/api/metadata")
                .route(get().to(read_metadata))
                .route(patch().to(merge_metadata)),
        )
        .service(resource("/api/payload").route(patch().to(merge_payload)))
        .service(resource("/api/sessions").route(get().to(list_sessions)))
        .service(resource("/api/sessions/revoke-others").route(post().to(revoke_others)))
        .service(resource("/api/sessions/{handle}").route(delete().to(revoke_session)))
        .service(resource("/api/admin").route(get().to(admin).wrap(is_admin)))
        .service(resource("/updateinfo").route(post().to(update_info)));
}

async fn login(sessions: RequestSessions, body: Body<Login>) -> Answer {
    let Json(login) = body?;
    let session = sessions.create(login.user_id()?).await?;
    Ok(Json(demo_shared::signed_in(&session)))
}

async fn me(session: Session) -> Answer {
    let stored = session.information().await?;
    Ok(Json(demo_shared::describe_current(&session, &stored)))
}

async fn feed(session: OptionalSession) -> Json<Value> {
    let user = session.as_ref().map(|session| session.user_id());
    Json(demo_shared::feed(user))
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
    demo_shared::check_payload_patch(&patch)?;
    session.merge_into_access_token_payload(patch).await?;
    Ok(Json(session.access_token_payload()))
}

async fn list_sessions(sessions: RequestSessions, session: Session) -> Answer {
    let all = sessions
        .sessions()
        .sessions_for_user(session.user_id())
        .await?;
    Ok(Json(demo_shared::describe_all(all, session.handle())))
}

async fn revoke_session(
    sessions: RequestSessions,
    session: Session,
    handle: Path<String>,
) -> Answer {
    let handle = handle.into_inner();
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
        Err(UserError::not_found("you have no such session").into())
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
    Ok(Json(demo_shared::admin_page(&session)))
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
