//! The extractors, with the middleware and without it.

use std::time::Duration;

use actix_web::{App, web};
use serde_json::{Value, json};
use supersession::claims::{Claim as _, PrimitiveClaim};
use supersession::store::StoreErrorKind;
use supersession::{Guard, VerifyOptions};
use supersession_actix::{
    OptionalSession, RequestSessions, Require, Session, SessionRejection, verify_session,
};
use supersession_testkit::{PlannedFault, Verb};

use crate::support::{World, serve};

fn assert_send_sync_clone<T: Send + Sync + Clone + 'static>() {}

#[actix_web::test]
async fn a_session_may_move_into_a_task() {
    assert_send_sync_clone::<Session>();
    assert_send_sync_clone::<OptionalSession>();

    async fn elsewhere(session: Session) -> String {
        let mine = session.clone();
        let task = std::thread::spawn(move || mine.user_id().to_string());
        let spawned = tokio::task::spawn(async move {
            let data = json!({"from": "a task"});
            session.merge_session_data(data).await.map(|_| ())
        });
        spawned.await.unwrap().unwrap();
        task.join().unwrap()
    }
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config.route("/", web::get().to(elsewhere));
        })
        .await;
    let (access, _) = world.tokens("alice").await;
    server.get("/", &access).await.is(200, "alice");
    let handles = world.sessions.handles_for_user("alice").await.unwrap();
    let data: Option<Value> = world.sessions.session_data(&handles[0]).await.unwrap();
    assert_eq!(data, Some(json!({"from": "a task"})));
}

#[actix_web::test]
async fn a_handler_creates_a_session() {
    async fn login(sessions: RequestSessions) -> Result<String, SessionRejection> {
        let session = sessions.create("alice").await?;
        Ok(session.user_id().to_string())
    }
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config.route("/login", web::post().to(login)).route(
                "/me",
                web::get().to(|session: Session| async move { session.user_id().to_string() }),
            );
        })
        .await;
    let answer = server.post("/login", "").await;
    answer.is(200, "alice");
    assert!(answer.header("st-refresh-token").is_some());
    let access = answer.header("st-access-token").unwrap();
    server.get("/me", access).await.is(200, "alice");

    let request = actix_web::test::TestRequest::post()
        .uri("/login")
        .insert_header(("st-auth-mode", "cookie"));
    let answer = server.send(request).await;
    assert_eq!(answer.cookies().len(), 2, "{answer:?}");
    assert!(answer.header("front-token").is_some());
}

#[actix_web::test]
async fn an_optional_session_is_none_only_where_there_is_none() {
    async fn feed(session: OptionalSession) -> String {
        session.is_some().to_string()
    }
    let world = World::with(|builder| builder.check_database(true)).await;
    let server = world
        .serve(|config| {
            config.route("/feed", web::get().to(feed));
        })
        .await;
    let (access, _) = world.tokens("alice").await;
    server.get("/feed", "").await.is(200, "false");
    server.get("/feed", &access).await.is(200, "true");
    world
        .store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Session));
    let answer = server.get("/feed", &access).await;
    answer.is_message(503, "service unavailable");
    answer.has_no_token_headers();
    world.clock.advance(Duration::from_secs(3601));
    server
        .get("/feed", &access)
        .await
        .is_message(401, "try refresh token");
}

struct Paying;

impl Guard for Paying {
    fn options() -> VerifyOptions {
        VerifyOptions::new().require(plan().has_value("paid".to_owned()))
    }
}

fn plan() -> PrimitiveClaim<String> {
    PrimitiveClaim::new("plan", |_| async {
        Ok::<_, std::convert::Infallible>(Some("free".to_owned()))
    })
}

#[actix_web::test]
async fn require_is_a_guard_in_the_signature() {
    async fn paid(session: Require<Paying>) -> String {
        session.into_session().user_id().to_string()
    }
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config.route("/paid", web::get().to(paid)).route(
                "/both",
                web::get().to(paid).wrap(verify_session().optional()),
            );
        })
        .await;
    let (free, _) = world.tokens("alice").await;
    let session = world.sessions.create("bob");
    let session = session
        .payload(json!({ plan().key(): {"v": "paid", "t": 1_767_225_600_000_u64} }))
        .await
        .unwrap();
    let tokens = session.all_session_tokens_dangerously();
    for path in ["/paid", "/both"] {
        let answer = server.get(path, &free).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.text.contains(r#""id":"plan""#), "{answer:?}");
        let answer = server.get(path, tokens.access_token.expose()).await;
        answer.is(200, "bob");
        // No session is no pass, whatever the options of another guard say.
        server.get(path, "").await.is_message(401, "unauthorised");
    }
}

#[actix_web::test]
async fn a_missing_middleware_is_a_500_that_names_it() {
    let app = App::new()
        .route("/session", web::get().to(|_: Session| async { "" }))
        .route(
            "/optional",
            web::get().to(|_: OptionalSession| async { "" }),
        )
        .route("/require", web::get().to(|_: Require<Paying>| async { "" }))
        .route("/create", web::get().to(|_: RequestSessions| async { "" }))
        .route(
            "/guard",
            web::get()
                .to(|| async { "" })
                .wrap(verify_session().optional()),
        );
    let server = serve(app).await;
    for path in ["/session", "/optional", "/require", "/create", "/guard"] {
        let answer = server.get(path, "").await;
        assert_eq!(answer.status, 500, "{path}: {answer:?}");
        assert!(answer.text.contains("SessionMiddleware"), "{answer:?}");
    }
}

/// One `use` imports the guard and the extractor.
#[actix_web::test]
async fn verify_session_is_an_extractor_beside_the_guard_of_that_name() {
    async fn me(session: verify_session) -> String {
        session.user_id().to_string()
    }
    let world = World::new().await;
    let server = world
        .serve(|config| {
            config
                .route("/me", web::get().to(me))
                .route("/guarded", web::get().to(me).wrap(verify_session()));
        })
        .await;
    let (access, _) = world.tokens("alice").await;
    for path in ["/me", "/guarded"] {
        server.get(path, &access).await.is(200, "alice");
        let answer = server.get(path, "").await;
        answer.is_message(401, "unauthorised");
    }
    world.clock.advance(Duration::from_secs(3601));
    for path in ["/me", "/guarded"] {
        let answer = server.get(path, &access).await;
        answer.is_message(401, "try refresh token");
    }
}
