//! The servers on actix-web.

use std::net::TcpListener;

use actix_session::SessionMiddleware as PeerMiddleware;
use actix_session::storage::CookieSessionStore;
use actix_web::cookie::Key;
use actix_web::dev::Server;
use actix_web::http::header::SET_COOKIE;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpServer, web};
use bench_harness::{Served, USERS, listener};
use supersession::store::MemoryStore;
use supersession_actix::SessionMiddleware;

use crate::in_process::actix::{decoded, ok, peer_login, peer_read, user};
use crate::ours::{CACHE, NO_CACHE, Ours, guarded_sqlite};
use crate::primitives::Decoder;

pub(super) fn serve(case: &str) -> anyhow::Result<()> {
    let making = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let (ours, tokens, decoder) = making.block_on(async {
        let ours = match case {
            "database" => guarded_sqlite(&folder.path().join("sessions.db")).await?,
            "misses" => Ours::open(MemoryStore::new(), NO_CACHE).await?,
            _ => Ours::open(MemoryStore::new(), CACHE).await?,
        };
        let tokens = ours.tokens(USERS).await?;
        let decoder = Decoder::of(&ours).await?;
        anyhow::Ok((ours, tokens, decoder))
    })?;
    let (listener, port) = listener()?;
    let case = case.to_owned();
    actix_web::rt::System::new().block_on(async move {
        let cookies = if case == "actix-session" {
            sign_in().await?
        } else {
            Vec::new()
        };
        let server = server(&case, &ours, decoder, listener)?;
        actix_web::rt::spawn(server);
        let served = Served::new(port, &cookies, &tokens);
        actix_web::rt::task::spawn_blocking(move || served.tell_and_wait()).await?
    })
}

fn server(
    case: &str,
    ours: &Ours,
    decoder: Decoder,
    listener: TcpListener,
) -> anyhow::Result<Server> {
    let sessions = ours.sessions.clone();
    let decoder = web::Data::new(decoder);
    Ok(match case {
        "bare" => HttpServer::new(|| App::new().route("/orders", web::get().to(ok)))
            .workers(2)
            .disable_signals()
            .listen(listener)?
            .run(),
        "hits" | "misses" | "database" => HttpServer::new(move || {
            App::new()
                .route("/orders", web::get().to(user))
                .wrap(SessionMiddleware::new(sessions.clone()))
        })
        .workers(2)
        .disable_signals()
        .listen(listener)?
        .run(),
        "jsonwebtoken" => HttpServer::new(move || {
            App::new()
                .route("/orders", web::get().to(decoded))
                .app_data(decoder.clone())
        })
        .workers(2)
        .disable_signals()
        .listen(listener)?
        .run(),
        "actix-session" => HttpServer::new(|| {
            App::new()
                .route("/orders", web::get().to(peer_read))
                .wrap(peer())
        })
        .workers(2)
        .disable_signals()
        .listen(listener)?
        .run(),
        _ => anyhow::bail!("there is no case {case}"),
    })
}

fn peer() -> PeerMiddleware<CookieSessionStore> {
    PeerMiddleware::new(CookieSessionStore::default(), Key::from(&[7; 64]))
}

/// Signs in the users of actix-session and returns their cookies. A cookie contains the whole
/// encrypted session.
async fn sign_in() -> anyhow::Result<Vec<String>> {
    let app = App::new().route("/login", web::get().to(peer_login));
    let app = init_service(app.wrap(peer())).await;
    let mut cookies = Vec::new();
    for _ in 0..USERS {
        let request = TestRequest::get().uri("/login").to_request();
        let answer = call_service(&app, request).await;
        let cookie = answer.headers().get(SET_COOKIE);
        let cookie = cookie.and_then(|value| value.to_str().ok()?.split(';').next());
        cookies.extend(cookie.map(ToOwned::to_owned));
    }
    anyhow::ensure!(cookies.len() == USERS, "everybody gets a cookie");
    Ok(cookies)
}
