//! The guide's handlers on actix-web.

use actix_web::web::{Json, Query, ServiceConfig, delete, post, resource};
use actix_web::{App, HttpServer};
use sdk_rust::Named;
use serde_json::{Value, json};
use supersession_actix::{
    RequestSessions, Session, SessionMiddleware, SessionRejection, verify_session,
};

type Answer = Result<Json<Value>, SessionRejection>;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let sessions = sdk_rust::sessions().await?;
    let app = move || {
        App::new()
            .configure(routes)
            .wrap(SessionMiddleware::new(sessions.clone()))
    };
    let server = HttpServer::new(app).workers(2);
    server.bind(("127.0.0.1", sdk_rust::port()?))?.run().await?;
    Ok(())
}

fn routes(config: &mut ServiceConfig) {
    let session_data = resource("/session-data")
        .route(post().to(session_data))
        .wrap(verify_session());
    let metadata = resource("/metadata")
        .route(post().to(update_metadata))
        .route(delete().to(clear_metadata))
        .wrap(verify_session());
    config
        .route("/login", post().to(login))
        .route("/offline", post().to(offline))
        .service(session_data)
        .service(metadata);
}

async fn login(sessions: RequestSessions, named: Query<Named>) -> Answer {
    sessions.create(named.user_id.as_str()).await?;
    Ok(Json(json!({ "status": "OK" })))
}

async fn session_data(session: Session) -> Answer {
    Ok(Json(sdk_rust::visit(&session).await?))
}

async fn offline(sessions: RequestSessions, named: Query<Named>) -> Answer {
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
