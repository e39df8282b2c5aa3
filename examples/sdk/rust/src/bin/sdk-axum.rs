//! The guide's handlers on axum.

use axum::extract::Query;
use axum::routing::{delete, post};
use axum::{Json, Router};
use sdk_rust::Named;
use serde_json::{Value, json};
use supersession_axum::{RequestSessions, Session, SessionLayer, SessionRejection, verify_session};

type Answer = Result<Json<Value>, SessionRejection>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let verified = Router::new()
        .route("/session-data", post(session_data))
        .route("/metadata", post(update_metadata))
        .route("/metadata", delete(clear_metadata))
        .route_layer(verify_session());
    let app = Router::new()
        .route("/login", post(login))
        .route("/offline", post(offline))
        .merge(verified)
        .layer(SessionLayer::new(sdk_rust::sessions().await?));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", sdk_rust::port()?)).await?;
    Ok(axum::serve(listener, app).await?)
}

async fn login(sessions: RequestSessions, Query(named): Query<Named>) -> Answer {
    sessions.create(named.user_id).await?;
    Ok(Json(json!({ "status": "OK" })))
}

async fn session_data(session: Session) -> Answer {
    Ok(Json(sdk_rust::visit(&session).await?))
}

async fn offline(sessions: RequestSessions, Query(named): Query<Named>) -> Answer {
    let told = sdk_rust::notify_all_sessions(sessions.sessions(), &named.user_id).await?;
    Ok(Json(told))
}

async fn update_metadata(sessions: RequestSessions, session: Session) -> Answer {
    let metadata = sdk_rust::update_metadata(sessions.sessions(), session.user_id()).await?;
    Ok(Json(metadata))
}

async fn clear_metadata(sessions: RequestSessions, session: Session) -> Answer {
    let nothing = sdk_rust::clear_metadata(sessions.sessions(), session.user_id()).await?;
    Ok(Json(nothing))
}
