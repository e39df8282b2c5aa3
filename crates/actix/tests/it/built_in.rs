//! The built-in routes, with and without the middleware.

use actix_web::test::TestRequest;
use actix_web::{App, HttpResponse, web};
use supersession::SessionsBuilder;
use supersession_actix::routes;

use crate::support::{Server, World, bearer, serve};

async fn answers_all_built_in_routes(world: &World, server: &Server) {
    let (_, refresh) = world.tokens("alice").await;
    let post = |path: &str, token: &str| bearer(TestRequest::post().uri(path), token);
    let answer = server.send(post("/auth/session/refresh", &refresh)).await;
    answer.is(200, "{}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let access = answer.header("st-access-token").unwrap().to_owned();
    assert_ne!(answer.header("st-refresh-token"), Some(&*refresh));

    // A tenant in front is accepted.
    let answer = server.send(post("/auth/public/signout", &access)).await;
    answer.is(200, r#"{"status":"OK"}"#);
    assert_eq!(answer.header("front-token"), Some("remove"));

    let answer = server.get("/auth/jwt/jwks.json", "").await;
    assert!(answer.text.starts_with(r#"{"keys":[{"#), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    // The server leaves the body of an answer to HEAD out.
    let head = TestRequest::default()
        .method(actix_web::http::Method::HEAD)
        .uri("/auth/jwt/jwks.json");
    let head = server.send(head).await;
    assert_eq!(head.text, answer.text);
    let answer = server
        .get("/auth/.well-known/openid-configuration", "")
        .await;
    assert!(
        answer
            .text
            .contains("https://api.example.com/auth/jwt/jwks.json")
    );

    let answer = server.send(post("/auth/session/refresh", "")).await;
    answer.is_message(401, "unauthorised");
    answer.clears_everything();

    // Anything else is the application's.
    server.get("/auth/session/refresh", "").await.is(404, "");
    server.get("/own", "").await.is(200, "own");
}

#[actix_web::test]
async fn the_middleware_answers_them() {
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config.route("/own", web::get().to(|| async { "own" }));
        })
        .await;
    answers_all_built_in_routes(&world, &server).await;
}

#[actix_web::test]
async fn they_can_be_used_without_the_middleware() {
    let world = World::new().await;
    let app = App::new()
        .configure(routes(world.sessions.clone()))
        .route("/own", web::get().to(|| async { "own" }));
    answers_all_built_in_routes(&world, &serve(app).await).await;
}

#[actix_web::test]
async fn a_route_that_is_turned_off_is_the_applications() {
    let world = World::with(SessionsBuilder::without_signout_route).await;
    let own = || web::post().to(|| async { HttpResponse::Accepted().finish() });
    let with = world
        .serve(|config| {
            config.route("/auth/signout", own());
        })
        .await;
    let without = App::new()
        .configure(routes(world.sessions.clone()))
        .route("/auth/signout", own());
    for server in [with, serve(without).await] {
        assert_eq!(server.post("/auth/signout", "").await.status, 202);
    }
}
