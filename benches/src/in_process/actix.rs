//! The cases of actix-web.

use std::future::{Ready, ready};

use actix_session::storage::{CookieSessionStore, RedisSessionStore, SessionStore};
use actix_session::{Session as PeerSession, SessionMiddleware as PeerMiddleware};
use actix_web::body::MessageBody;
use actix_web::cookie::Key;
use actix_web::dev::{Payload, Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, COOKIE, HOST, HeaderValue, SET_COOKIE};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, error, web};
use anyhow::{Context as _, ensure};
use bench_harness::{SESSION_DATA, take_turns};
use serde_json::Value;
use supersession::store::MemoryStore;
use supersession::wire;
use supersession_actix::{Session, SessionMiddleware};

use crate::ours::{CACHE, NO_CACHE, Ours};
use crate::primitives::Decoder;

pub(crate) async fn ok() -> &'static str {
    "ok"
}

pub(crate) async fn user(session: Session) -> &'static str {
    std::hint::black_box(session.user_id());
    "ok"
}

/// The claims of a bearer token, extracted as a simple application would do it.
pub(crate) struct Bearer(String);

impl FromRequest for Bearer {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let decoder = request.app_data::<web::Data<Decoder>>();
        let header = request.headers().get(AUTHORIZATION);
        let claims = header
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .zip(decoder)
            .and_then(|(token, decoder)| decoder.decode(token).ok());
        ready(match claims {
            Some(claims) => Ok(Self(claims.sub)),
            None => Err(error::ErrorUnauthorized("no")),
        })
    }
}

pub(crate) async fn decoded(user: Bearer) -> &'static str {
    std::hint::black_box(&user.0);
    "ok"
}

pub(crate) async fn peer_login(session: PeerSession) -> HttpResponse {
    let data: Value = serde_json::from_str(SESSION_DATA).expect("it is JSON");
    session.insert("data", data).expect("it is JSON");
    HttpResponse::Ok().finish()
}

pub(crate) async fn peer_read(session: PeerSession) -> Result<&'static str, actix_web::Error> {
    let data: Option<Value> = session.get("data")?;
    std::hint::black_box(&data);
    data.map(|_| "ok")
        .ok_or_else(|| error::ErrorUnauthorized("no"))
}

pub(super) fn case(case: &str, redis: Option<&str>) -> anyhow::Result<()> {
    let making = tokio::runtime::Runtime::new()?;
    let cache = if case == "miss" { NO_CACHE } else { CACHE };
    let ours = making.block_on(Ours::open(MemoryStore::new(), cache))?;
    let token = making.block_on(ours.tokens(1))?.remove(0);
    let system = actix_web::rt::System::new();
    let app = App::new();
    let sessions = ours.sessions.clone();
    match case {
        "bare" => drive(
            &system,
            case,
            &token,
            app.route("/orders", web::get().to(ok)),
        ),
        "untouched" => {
            let app = app.route("/orders", web::get().to(ok));
            drive(
                &system,
                case,
                &token,
                app.wrap(SessionMiddleware::new(sessions)),
            )
        }
        "hit" | "hit-cookie" | "miss" => {
            let app = app.route("/orders", web::get().to(user));
            drive(
                &system,
                case,
                &token,
                app.wrap(SessionMiddleware::new(sessions)),
            )
        }
        "jsonwebtoken" => {
            let decoder = web::Data::new(making.block_on(Decoder::of(&ours))?);
            let app = app.route("/orders", web::get().to(decoded));
            drive(&system, case, &token, app.app_data(decoder))
        }
        "cookie-untouched" => {
            let app = app
                .route("/login", web::get().to(peer_login))
                .route("/orders", web::get().to(ok));
            drive(
                &system,
                case,
                &token,
                app.wrap(peer(CookieSessionStore::default())),
            )
        }
        "cookie-read" => {
            let app = app
                .route("/login", web::get().to(peer_login))
                .route("/orders", web::get().to(peer_read));
            drive(
                &system,
                case,
                &token,
                app.wrap(peer(CookieSessionStore::default())),
            )
        }
        "redis-read" => {
            let url = redis.context("the URL of Redis")?;
            let store = system.block_on(RedisSessionStore::new(url))?;
            let app = app
                .route("/login", web::get().to(peer_login))
                .route("/orders", web::get().to(peer_read));
            drive(&system, case, &token, app.wrap(peer(store)))
        }
        _ => anyhow::bail!("there is no case {case}"),
    }
}

fn peer<S: SessionStore>(store: S) -> PeerMiddleware<S> {
    PeerMiddleware::new(store, Key::from(&[7; 64]))
}

fn drive<F, I, B>(
    system: &actix_web::rt::SystemRunner,
    case: &str,
    token: &str,
    app: App<F>,
) -> anyhow::Result<()>
where
    F: actix_web::dev::ServiceFactory<
            actix_web::dev::ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
            Service = I,
        > + 'static,
    I: Service<
            actix_web::dev::ServiceRequest,
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
        >,
    B: MessageBody,
{
    let app = system.block_on(init_service(app));
    let cookie = if case == "hit-cookie" {
        format!("{}={token}", wire::ACCESS_COOKIE)
    } else {
        let request = TestRequest::get().uri("/login").to_request();
        let answer = system.block_on(app.call(request));
        let answer = answer.map_err(|error| anyhow::anyhow!("{error}"))?;
        let cookies = answer.headers().get_all(SET_COOKIE);
        let cookies: Vec<_> = cookies
            .filter_map(|value| value.to_str().ok()?.split(';').next())
            .collect();
        match cookies.as_slice() {
            [] => "theme=0123456789abcdef".to_owned(),
            cookies => cookies.join("; "),
        }
    };
    let cookie = HeaderValue::from_str(&cookie)?;
    let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
    let bearer = (case != "hit-cookie").then_some(bearer);
    let request = || {
        let request = TestRequest::get()
            .uri("/orders")
            .insert_header((HOST, "api.example.com"))
            .insert_header((ACCEPT, "application/json"))
            .insert_header((COOKIE, cookie.clone()));
        match &bearer {
            Some(bearer) => request.insert_header((AUTHORIZATION, bearer.clone())),
            None => request,
        }
        .to_request()
    };
    let answer = system
        .block_on(app.call(request()))
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    take_turns(|operations| {
        system.block_on(async {
            for _ in 0..operations {
                let answer = app.call(request()).await.expect("no error");
                assert_eq!(answer.status(), StatusCode::OK);
            }
        });
    })
}
