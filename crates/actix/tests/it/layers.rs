//! Other middleware around the session middleware and the guard, and inside.

use actix_web::middleware::{Compress, Logger, NormalizePath};
use actix_web::test::TestRequest;
use actix_web::{App, web};
use serde_json::json;
use supersession_actix::core::SessionError;
use supersession_actix::{Require, Session, SessionMiddleware, SessionRejection, verify_session};
use supersession_testkit::adapter::app::Admin;

use crate::support::{World, bearer, serve};

async fn merge(session: Session) -> Result<String, SessionRejection> {
    let patch = json!({"plan": "pro"});
    session.merge_into_access_token_payload(patch).await?;
    Ok("x".repeat(1_000))
}

#[actix_web::test]
async fn middleware_that_changes_bodies_composes() {
    let world = World::new().await;
    let app = App::new()
        .service(
            web::resource("/merge")
                .wrap(Compress::default())
                .wrap(Logger::default())
                .wrap(verify_session())
                .wrap(Compress::default())
                .route(web::post().to(merge)),
        )
        .wrap(Logger::default())
        .wrap(Compress::default())
        .wrap(SessionMiddleware::new(world.sessions.clone()))
        .wrap(NormalizePath::trim())
        .wrap(Compress::default())
        .wrap(Logger::default());
    let server = serve(app).await;
    let (access, refresh) = world.tokens("alice").await;
    let answer = server.post("/merge", &access).await;
    answer.is(200, &"x".repeat(1_000));
    assert_ne!(answer.header("st-access-token").unwrap(), access);
    let answer = server.post("/merge", "").await;
    answer.is_message(401, "unauthorised");
    let refresh = bearer(TestRequest::post().uri("/auth/session/refresh"), &refresh);
    server.send(refresh).await.is(200, "{}");
}

/// The body of a rejection is written by the session middleware, after the middleware inside has
/// encoded the one before.
#[actix_web::test]
async fn a_rejection_that_was_compressed_is_readable() {
    async fn refuse() -> Result<String, SessionRejection> {
        Err(SessionError::BadInput("x".repeat(1_000).into()).into())
    }
    let world = World::new().await;
    let app = App::new()
        .route("/", web::get().to(refuse))
        .wrap(Compress::default())
        .wrap(SessionMiddleware::new(world.sessions.clone()));
    let server = serve(app).await;
    let request = TestRequest::get().insert_header(("accept-encoding", "gzip"));
    let answer = server.send(request).await;
    assert_eq!(answer.header("content-encoding"), None);
    answer.is_message(400, &"x".repeat(1_000));
}

/// A handler behind `Require` is tested without a guard.
#[actix_web::test]
async fn require_can_be_made_for_a_test() {
    async fn admin(session: Require<Admin>) -> String {
        session.user_id().to_string()
    }
    let world = World::new().await;
    let session = world.sessions.create("alice").await.unwrap();
    assert_eq!(admin(Require::unchecked(session)).await, "alice");
    drop(App::new().route("/", web::get().to(admin)));
}
