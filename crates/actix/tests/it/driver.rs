//! An application on actix-web, for the transcripts.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{self, TestRequest};
use actix_web::web::{self, Json, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, Route};
use serde_json::Value;
use supersession::Sessions;
use supersession_actix::{
    OptionalSession, RequestSessions, Require, Session, SessionMiddleware, SessionRejection,
    VerifySession, verify_session,
};
use supersession_testkit::adapter::{Driver, WireRequest, WireResponse, app};

pub(crate) struct Actix;

type Answer = Result<Json<Value>, SessionRejection>;

impl Driver for Actix {
    /// The application's own type has no name; it is made for each request.
    type App = Option<Sessions>;

    fn layer_name(&self) -> &'static str {
        "supersession_actix::SessionMiddleware"
    }

    async fn app(&self, sessions: Option<Sessions>) -> Option<Sessions> {
        sessions
    }

    async fn send(&self, sessions: &Option<Sessions>, request: WireRequest) -> WireResponse {
        let mut message = TestRequest::default()
            .method(Method::from_bytes(request.method.as_bytes()).unwrap())
            .uri(&request.path)
            .set_payload(request.body);
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            message = message.append_header((name, value));
        }
        let message = message.to_request();
        let app = App::new().configure(routes);
        let response = match sessions {
            Some(sessions) => {
                let app = app.wrap(SessionMiddleware::new(sessions.clone()));
                let service = test::init_service(app).await;
                test::call_service(&service, message)
                    .await
                    .map_into_boxed_body()
            }
            None => {
                let service = test::init_service(app).await;
                test::call_service(&service, message)
                    .await
                    .map_into_boxed_body()
            }
        };
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter();
        WireResponse {
            status: response.status().as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: test::read_body(response).await.to_vec(),
        }
    }
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/create", web::post().to(create))
        .route("/create-with-headers", web::post().to(create_with_headers))
        .route("/verify", guarded(verify_session()))
        .route("/guarded", web::route().to(open).wrap(verify_session()))
        .route("/optional", guarded(verify_session().optional()))
        .route("/checked", guarded(verify_session().check_database(true)))
        .route(
            "/csrf-forced",
            guarded(verify_session().anti_csrf_check(true)),
        )
        .route(
            "/csrf-off",
            guarded(verify_session().anti_csrf_check(false)),
        )
        .route("/admin", guarded(verify_session().require(app::is_admin())))
        .route(
            "/fresh",
            guarded(verify_session().max_session_age(app::FRESH)),
        )
        .route(
            "/guarded-twice",
            guarded(verify_session().check_database(true)).wrap(verify_session()),
        )
        .route("/session", web::route().to(describe))
        .route("/option", web::route().to(tell))
        .route("/require", web::route().to(require))
        .route("/caught", web::route().to(catch))
        .route("/unguarded", web::route().to(open))
        .route("/merge", web::post().to(merge))
        .route(
            "/guarded-merge",
            web::post().to(merge).wrap(verify_session()),
        )
        .route("/merge-twice", web::post().to(merge_twice))
        .route("/merge-then-fail", web::post().to(merge_then_fail))
        .route(
            "/merge-then-unauthorised",
            web::post().to(merge_then_unauthorised),
        )
        .route("/data", web::post().to(data))
        .route("/revoke", web::post().to(revoke))
        .route("/own-unauthorised", web::post().to(own_unauthorised))
        .service(own("/auth/session/refresh", web::post().to(own_refresh)))
        .service(own("/auth/signout", web::post().to(own_sign_out)))
        .default_service(web::route().to(fallback));
}

fn guarded(guard: VerifySession) -> Route {
    web::route().to(tell).wrap(guard)
}

/// A route of the application's own in the place of a built-in one; other methods are unknown.
fn own(path: &str, route: Route) -> actix_web::Resource {
    web::resource(path)
        .route(route)
        .default_service(web::route().to(fallback))
}

fn json(status: StatusCode, body: &'static str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("application/json")
        .body(body)
}

async fn open() -> HttpResponse {
    json(StatusCode::OK, app::OPEN)
}

async fn tell(session: OptionalSession) -> Json<Value> {
    Json(app::tell(session.as_deref()))
}

async fn describe(session: Session) -> Json<Value> {
    Json(app::describe(&session))
}

async fn require(session: Require<app::Admin>) -> Json<Value> {
    Json(app::describe(&session))
}

async fn catch(sessions: RequestSessions) -> Json<Value> {
    Json(app::catch(&sessions).await)
}

async fn create(sessions: RequestSessions, body: Json<Value>) -> Answer {
    Ok(Json(app::create(&sessions, body.into_inner()).await?))
}

async fn create_with_headers(
    sessions: RequestSessions,
    body: Json<Value>,
) -> Result<HttpResponse, SessionRejection> {
    let created = app::create(&sessions, body.into_inner()).await?;
    let mut response = HttpResponse::Ok();
    for header in app::OWN_HEADERS {
        response.append_header(header);
    }
    Ok(response.json(created))
}

async fn merge(session: Session, body: Json<Value>) -> Answer {
    Ok(Json(app::merge(&session, body.into_inner()).await?))
}

async fn merge_twice(session: Session, body: Json<Value>) -> Answer {
    Ok(Json(app::merge_twice(&session, body.into_inner()).await?))
}

async fn merge_then_fail(
    session: Session,
    body: Json<Value>,
) -> Result<HttpResponse, SessionRejection> {
    app::merge(&session, body.into_inner()).await?;
    Ok(json(StatusCode::IM_A_TEAPOT, app::FAILED))
}

async fn merge_then_unauthorised(session: Session, body: Json<Value>) -> Answer {
    app::merge(&session, body.into_inner()).await?;
    Err(app::unauthorised().into())
}

async fn data(session: Session, body: Json<Value>) -> Answer {
    Ok(Json(app::data(&session, body.into_inner()).await?))
}

async fn revoke(session: Session) -> Answer {
    Ok(Json(app::revoke(&session).await?))
}

async fn own_unauthorised() -> Answer {
    Err(app::unauthorised().into())
}

async fn own_refresh(sessions: RequestSessions) -> Answer {
    Ok(Json(app::own_refresh(&sessions).await?))
}

async fn own_sign_out(sessions: RequestSessions) -> Answer {
    Ok(Json(app::own_sign_out(&sessions).await?))
}

async fn fallback(request: HttpRequest) -> HttpResponse {
    HttpResponse::NotFound().json(app::fallback(request.method().as_str(), request.path()))
}
