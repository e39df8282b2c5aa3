//! The guard, wherever it can be put.

use std::time::Duration;

use actix_web::test::TestRequest;
use actix_web::{App, HttpMessage as _, HttpRequest, web};
use supersession::VerifyOptions;
use supersession::store::StoreErrorKind;
use supersession_actix::{Session, SessionMiddleware, VerifySession, verify_session};
use supersession_testkit::{PlannedFault, Verb};

use crate::support::{World, bearer, serve};

async fn name(request: HttpRequest) -> String {
    let extensions = request.extensions();
    let session = extensions.get::<supersession::Session>();
    session.map_or("nobody".to_owned(), |session| session.user_id().to_string())
}

#[actix_web::test]
async fn it_guards_routes_resources_and_scopes() {
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config
                .route("/route", web::get().to(name).wrap(verify_session()))
                .service(
                    web::resource("/resource")
                        .route(web::get().to(name))
                        .wrap(verify_session()),
                )
                .service(
                    web::scope("/scope")
                        .route("/inner", web::get().to(name))
                        .wrap(verify_session()),
                )
                .route("/open", web::get().to(name));
        })
        .await;
    let (access, _) = world.tokens("alice").await;
    for path in ["/route", "/resource", "/scope/inner"] {
        server.get(path, &access).await.is(200, "alice");
        let answer = server.get(path, "").await;
        answer.is_message(401, "unauthorised");
        answer.has_no_token_headers();
        let answer = server.get(path, "no token").await;
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
    }
    server.get("/open", "").await.is(200, "nobody");
}

#[actix_web::test]
async fn it_guards_the_whole_application() {
    let world = World::new().await;
    let app = App::new()
        .route("/anything", web::get().to(name))
        .wrap(verify_session())
        .wrap(SessionMiddleware::new(world.sessions.clone()));
    let server = serve(app).await;
    let (access, refresh) = world.tokens("alice").await;
    server.get("/anything", &access).await.is(200, "alice");
    server
        .get("/anything", "")
        .await
        .is_message(401, "unauthorised");
    // The built-in routes are outside of the guard.
    server
        .post("/auth/session/refresh", &refresh)
        .await
        .is(200, "{}");
}

#[actix_web::test]
async fn its_options_are_cores() {
    let world = World::new().await;
    let guarded = |guard: VerifySession| web::get().to(name).wrap(guard);
    let server = world
        .serve(|config| {
            config
                .route("/optional", guarded(verify_session().optional()))
                .route("/database", guarded(verify_session().check_database(true)))
                .route(
                    "/fresh",
                    guarded(verify_session().max_session_age(Duration::from_secs(60))),
                )
                .route("/options", guarded(VerifyOptions::new().optional().into()));
        })
        .await;
    let (access, _) = world.tokens("alice").await;
    for path in ["/optional", "/options"] {
        server.get(path, "").await.is(200, "nobody");
        server.get(path, &access).await.is(200, "alice");
    }
    server.get("/fresh", &access).await.is(200, "alice");
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(server.get("/fresh", &access).await.status, 403);

    world
        .store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Session));
    let answer = server.get("/database", &access).await;
    answer.is_message(503, "service unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    answer.has_no_token_headers();

    server.get("/database", &access).await.is(200, "alice");
    world.sessions.revoke_all_for_user("alice").await.unwrap();
    server.get("/optional", &access).await.is(200, "alice");
    let answer = server.get("/database", &access).await;
    answer.is_message(401, "unauthorised");
    answer.clears_everything();

    world.clock.advance(Duration::from_secs(3600));
    let answer = server.get("/optional", &access).await;
    answer.is_message(401, "try refresh token");
    answer.has_no_token_headers();
}

#[actix_web::test]
async fn the_body_is_still_there_behind_it() {
    async fn echo(session: Session, body: web::Bytes) -> String {
        format!("{}: {}", session.user_id(), String::from_utf8_lossy(&body))
    }
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config.route("/echo", web::post().to(echo).wrap(verify_session()));
        })
        .await;
    let (access, _) = world.tokens("alice").await;
    let body = "x".repeat(100_000);
    let request = TestRequest::post().uri("/echo").set_payload(body.clone());
    server
        .send(bearer(request, &access))
        .await
        .is(200, &format!("alice: {body}"));
}

#[actix_web::test]
async fn it_answers_before_the_body_is_parsed() {
    async fn parse(_: web::Json<serde_json::Value>) -> &'static str {
        "parsed"
    }
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config.route("/parse", web::post().to(parse).wrap(verify_session()));
        })
        .await;
    let request = TestRequest::post().uri("/parse").set_payload("no JSON");
    server.send(request).await.is_message(401, "unauthorised");
}
