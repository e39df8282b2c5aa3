//! The two handlers of the SuperTokens guide in a minimal program: `cargo run -p guide-axum`.

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use supersession_axum::core::Sessions;
use supersession_axum::{RequestSessions, SessionLayer, SessionRejection, verify_session};
use supersession_sqlite::SqliteStore;

async fn login(sessions: RequestSessions) -> Result<Json<Value>, SessionRejection> {
    let session = sessions.create("alice").await?;
    Ok(Json(json!({ "userId": session.user_id() })))
}

async fn update_info(session: verify_session) -> Result<Json<Value>, SessionRejection> {
    let mut data: Map<String, Value> = session.session_data().await?;
    data.insert("newKey".into(), "newValue".into());
    session.update_session_data(&data).await?;
    Ok(Json(
        json!({ "message": "successfully updated session data" }),
    ))
}

async fn update_metadata(
    sessions: RequestSessions,
    session: verify_session,
) -> Result<Json<Value>, SessionRejection> {
    let update = json!({ "preferences": { "theme": "dark" }, "notifications": { "email": true } });
    sessions
        .sessions()
        .user_metadata()
        .update(session.user_id(), update)
        .await?;
    Ok(Json(
        json!({ "message": "successfully updated user metadata" }),
    ))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions::builder(SqliteStore::open("guide.db").await?)
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .build()
        .await?;
    let app = Router::new()
        .route("/login", post(login))
        .route("/updateinfo", post(update_info))
        .route("/updatemetadata", post(update_metadata))
        .layer(SessionLayer::new(sessions));
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}
