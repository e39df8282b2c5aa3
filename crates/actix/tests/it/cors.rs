//! The guide's CORS middleware around the session middleware: pages of the website can read every
//! answer, errors too.

use actix_cors::Cors;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    CONTENT_TYPE, ORIGIN,
};
use actix_web::test::TestRequest;
use actix_web::{App, HttpResponse, web};
use serde_json::{Map, Value, json};
use supersession::store::StoreErrorKind;
use supersession::{Fault, FaultKind, wire};
use supersession_actix::{
    RequestSessions, Session, SessionMiddleware, SessionRejection, verify_session,
};
use supersession_testkit::adapter::app::is_admin;
use supersession_testkit::{PlannedFault, Verb};

use crate::support::{Answer, World, bearer, serve};

const WEBSITE: &str = "https://example.com";

fn cors() -> Cors {
    Cors::default()
        .allowed_origin(WEBSITE)
        .supports_credentials()
        .allowed_methods(["GET", "POST"])
        .allowed_headers(wire::CORS_ALLOW_HEADERS)
        .allowed_header(CONTENT_TYPE)
        .expose_headers(wire::CORS_EXPOSE_HEADERS)
}

async fn login(sessions: RequestSessions) -> Result<HttpResponse, SessionRejection> {
    sessions.create("alice").await?;
    Ok(HttpResponse::Ok().finish())
}

async fn data(session: Session) -> Result<web::Json<Map<String, Value>>, SessionRejection> {
    Ok(web::Json(session.session_data().await?))
}

async fn merge(session: Session) -> Result<HttpResponse, SessionRejection> {
    let patch = json!({"plan": "pro"});
    session.merge_into_access_token_payload(patch).await?;
    Ok(HttpResponse::Ok().finish())
}

async fn broken() -> Result<HttpResponse, SessionRejection> {
    Err(Fault::new(FaultKind::Internal, "a bug").into())
}

#[track_caller]
fn is_readable(answer: &Answer, what: &str) {
    let header = |name: &str| answer.header(name);
    let origin = header(ACCESS_CONTROL_ALLOW_ORIGIN.as_str());
    assert_eq!(origin, Some(WEBSITE), "{what}");
    let credentials = header(ACCESS_CONTROL_ALLOW_CREDENTIALS.as_str());
    assert_eq!(credentials, Some("true"), "{what}");
    let exposed = header(ACCESS_CONTROL_EXPOSE_HEADERS.as_str()).unwrap_or_default();
    for name in wire::CORS_EXPOSE_HEADERS {
        assert!(
            exposed.split(',').any(|listed| listed.trim() == name),
            "{what}: {exposed}"
        );
    }
}

#[actix_web::test]
async fn every_answer_can_be_read_by_the_website() {
    let world = World::new().await;
    let app = App::new()
        .route("/login", web::post().to(login))
        .route("/data", web::get().to(data))
        .route("/merge", web::post().to(merge))
        .route("/broken", web::get().to(broken))
        .service(
            web::resource("/admin")
                .wrap(verify_session().require(is_admin()))
                .to(HttpResponse::Ok),
        )
        .wrap(SessionMiddleware::new(world.sessions.clone()))
        .wrap(cors());
    let server = serve(app).await;
    let (access, refresh) = world.tokens("alice").await;
    for (method, path, token, fault, status) in [
        (Method::POST, "/login", "", None, 200),
        (Method::POST, "/merge", &*access, None, 200),
        (Method::GET, "/data", "", None, 401),
        (Method::GET, "/admin", &access, None, 403),
        (Method::GET, "/nowhere", &access, None, 404),
        (Method::GET, "/data", &access, Some(Verb::Session), 503),
        (Method::GET, "/broken", "", None, 500),
        (
            Method::POST,
            "/auth/session/refresh",
            &refresh,
            Some(Verb::Rotate),
            503,
        ),
        (Method::POST, "/auth/session/refresh", &refresh, None, 200),
        (Method::POST, "/auth/session/refresh", "", None, 401),
        (Method::POST, "/auth/signout", &access, None, 200),
    ] {
        if let Some(verb) = fault {
            let trouble = PlannedFault::new(StoreErrorKind::Unavailable);
            world.store.plan(trouble.on(verb));
        }
        let what = format!("{method} {path} {token:.3}");
        let request = TestRequest::default().method(method).uri(path);
        let request = request.insert_header((ORIGIN, WEBSITE));
        let answer = server.send(bearer(request, token)).await;
        assert_eq!(answer.status, status, "{what}");
        is_readable(&answer, &what);
    }
}

#[actix_web::test]
async fn preflights_are_answered_without_a_session() {
    let world = World::new().await;
    let app = App::new()
        .route("/data", web::get().to(data))
        .wrap(SessionMiddleware::new(world.sessions.clone()))
        .wrap(cors());
    let server = serve(app).await;
    for path in ["/data", "/auth/session/refresh"] {
        let request = TestRequest::default().method(Method::OPTIONS).uri(path);
        let request = request
            .insert_header((ORIGIN, WEBSITE))
            .insert_header((ACCESS_CONTROL_REQUEST_METHOD, "POST"))
            .insert_header((
                ACCESS_CONTROL_REQUEST_HEADERS,
                wire::CORS_ALLOW_HEADERS.join(","),
            ));
        let answer = server.send(request).await;
        assert_eq!(answer.status, 200, "{path}");
        let allowed = answer
            .header(ACCESS_CONTROL_ALLOW_HEADERS.as_str())
            .unwrap();
        for name in wire::CORS_ALLOW_HEADERS.into_iter().chain(["content-type"]) {
            assert!(
                allowed.split(',').any(|listed| listed.trim() == name),
                "{allowed}"
            );
        }
        answer.has_no_token_headers();
    }
}
