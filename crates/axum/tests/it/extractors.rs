//! The extractors.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use supersession_axum::verify_session;

use crate::support::World;

/// One `use` imports the guard and the extractor.
#[tokio::test]
async fn verify_session_is_an_extractor_beside_the_guard_of_that_name() {
    async fn me(session: verify_session) -> String {
        session.user_id().to_string()
    }
    async fn feed(session: Option<verify_session>) -> String {
        session.map_or("guest".to_owned(), |session| session.user_id().to_string())
    }
    let world = World::new().await;
    let server = world.serve(
        Router::new()
            .route("/me", get(me))
            .route("/guarded", get(me).layer(verify_session()))
            .route("/feed", get(feed))
            .route("/optional", get(feed).layer(verify_session().optional())),
    );
    let (access, _) = world.tokens("alice").await;
    for path in ["/me", "/guarded"] {
        server.get(path, &access).await.is(StatusCode::OK, "alice");
        let answer = server.get(path, "").await;
        answer.is(StatusCode::UNAUTHORIZED, r#"{"message":"unauthorised"}"#);
    }
    for path in ["/feed", "/optional"] {
        server.get(path, &access).await.is(StatusCode::OK, "alice");
        server.get(path, "").await.is(StatusCode::OK, "guest");
    }
    // An expired session is no guest.
    world.clock.advance(Duration::from_secs(3601));
    let expired = r#"{"message":"try refresh token"}"#;
    for path in ["/me", "/guarded", "/feed", "/optional"] {
        let answer = server.get(path, &access).await;
        answer.is(StatusCode::UNAUTHORIZED, expired);
        assert_eq!(answer.header("front-token"), None, "{path}");
    }
}
