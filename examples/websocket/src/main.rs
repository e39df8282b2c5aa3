//! A WebSocket that closes when its session ends: `cargo run -p websocket-axum`. The guard lets the
//! handshake pass only with a session; from then on `session.ended()` watches over it. Starts a
//! server, connects as a guest and with a session, signs the user out everywhere, and ends.
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

use std::error::Error;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use futures_util::{SinkExt as _, StreamExt as _};
use supersession_axum::core::store::MemoryStore;
use supersession_axum::core::{SessionEnd, Sessions, wire};
use supersession_axum::{Session, SessionLayer, verify_session};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{connect_async, tungstenite};

/// Codes from 4000 on are the application's own (RFC 6455, 7.4.2).
const SIGNED_OUT: u16 = 4001;
const EXPIRED: u16 = 4002;

async fn chat(session: Session, upgrade: WebSocketUpgrade) -> Response {
    // Listens from here on: a sign-out during the handshake is not missed.
    let ended = session.ended();
    upgrade.on_upgrade(async move |socket| talk(socket, session, ended).await)
}

async fn talk(mut socket: WebSocket, session: Session, ended: impl Future<Output = SessionEnd>) {
    let mut ended = std::pin::pin!(ended);
    loop {
        tokio::select! {
            end = &mut ended => {
                let (code, reason) = match end {
                    SessionEnd::Expired => (EXPIRED, "session expired"),
                    _ => (SIGNED_OUT, "signed out"),
                };
                let frame = CloseFrame { code, reason: reason.into() };
                // The client may be gone already.
                let _ = socket.send(Message::Close(Some(frame))).await;
                return;
            }
            message = socket.recv() => {
                let Some(Ok(Message::Text(text))) = message else { return };
                let reply = format!("{}: {text}", session.user_id());
                if socket.send(Message::Text(reply.into())).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .build()
        .await?;
    // Browsers cannot set headers on a handshake, but they send cookies with it, from any page:
    // `SameSite=Lax` keeps other sites out. Where cookies are `SameSite=None`, check `Origin`.
    let app: Router = Router::new()
        .route("/chat", get(chat).route_layer(verify_session()))
        .layer(SessionLayer::new(sessions.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/chat", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    match connect_async(&url).await {
        Err(tungstenite::Error::Http(response)) => println!("guest: {}", response.status()),
        other => println!("guest: {other:?}"),
    }

    let session = sessions.create("alice").await?;
    let mut request = url.into_client_request()?;
    let cookie = format!(
        "{}={}",
        wire::ACCESS_COOKIE,
        session.access_token().expose()
    );
    request
        .headers_mut()
        .insert(wire::COOKIE_HEADER, cookie.parse()?);
    let (mut socket, _) = connect_async(request).await?;
    socket.send("hello".into()).await?;
    if let Some(Ok(tungstenite::Message::Text(text))) = socket.next().await {
        println!("{text}");
    }

    sessions.revoke_all_for_user("alice").await?;
    while let Some(message) = socket.next().await {
        if let tungstenite::Message::Close(Some(frame)) = message? {
            println!("closed: {} {}", frame.code, frame.reason);
        }
    }
    Ok(())
}
