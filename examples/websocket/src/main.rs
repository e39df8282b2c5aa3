//! A WebSocket that closes when its session ends, or when the server shuts down:
//! `cargo run -p websocket-axum`. The guard rejects handshakes without a session. After the
//! handshake, `session.ended()` resolves when the session is revoked or expires. Starts a server,
//! connects as a guest and with a session, revokes all sessions of the user, shuts the server down,
//! and exits.
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

use std::error::Error;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::routing::get;
use futures_util::{SinkExt as _, StreamExt as _};
use supersession_axum::core::store::MemoryStore;
use supersession_axum::core::{SessionEnd, Sessions, wire};
use supersession_axum::{Session, SessionLayer, verify_session};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Codes from 4000 on are for applications (RFC 6455, 7.4.2).
const SIGNED_OUT: u16 = 4001;
const EXPIRED: u16 = 4002;

/// The open sockets, and the signal that closes them. After its handshake, a socket is a task of
/// the application, and the server does not wait for it.
#[derive(Clone, Default)]
struct Sockets {
    open: TaskTracker,
    stop: CancellationToken,
}

async fn chat(
    State(sockets): State<Sockets>,
    session: Session,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Called before the handshake completes, so that a sign-out during the handshake is not missed.
    let ended = session.ended();
    upgrade.on_upgrade(async move |socket| {
        let talking = talk(socket, session, ended, sockets.stop);
        sockets.open.track_future(talking).await;
    })
}

async fn talk(
    mut socket: WebSocket,
    session: Session,
    ended: impl Future<Output = SessionEnd>,
    stop: CancellationToken,
) {
    let mut ended = std::pin::pin!(ended);
    loop {
        let (code, reason) = tokio::select! {
            end = &mut ended => match end {
                SessionEnd::Expired => (EXPIRED, "session expired"),
                _ => (SIGNED_OUT, "signed out"),
            },
            // Clients reconnect to another node, or to this one after its restart.
            () = stop.cancelled() => (close_code::AWAY, "the server is shutting down"),
            message = socket.recv() => {
                let Some(Ok(Message::Text(text))) = message else { return };
                let reply = format!("{}: {text}", session.user_id());
                if socket.send(Message::Text(reply.into())).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        // The client may have disconnected already.
        let _ = socket.send(Message::Close(Some(frame))).await;
        return;
    }
}

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects with a session of this user, and sends a greeting.
async fn connect(sessions: &Sessions, url: &str, user: &str) -> Result<Client, Box<dyn Error>> {
    let session = sessions.create(user).await?;
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
    Ok(socket)
}

/// Prints why the server closes this socket.
async fn closed(mut socket: Client) -> Result<(), Box<dyn Error>> {
    while let Some(message) = socket.next().await {
        if let tungstenite::Message::Close(Some(frame)) = message? {
            println!("closed: {} {}", frame.code, frame.reason);
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .build()
        .await?;
    // Browsers cannot set headers on a handshake, but they send cookies with it, from any page.
    // `SameSite=Lax` excludes other sites. If cookies are `SameSite=None`, check `Origin`.
    let sockets = Sockets::default();
    let app: Router = Router::new()
        .route("/chat", get(chat).route_layer(verify_session()))
        .layer(SessionLayer::new(sessions.clone()))
        .with_state(sockets.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/chat", listener.local_addr()?);
    let stopping = sockets.stop.clone().cancelled_owned();
    let server = axum::serve(listener, app).with_graceful_shutdown(stopping);
    let server = tokio::spawn(server.into_future());

    match connect_async(&url).await {
        Err(tungstenite::Error::Http(response)) => println!("guest: {}", response.status()),
        other => println!("guest: {other:?}"),
    }

    let alice = connect(&sessions, &url, "alice").await?;
    sessions.revoke_all_for_user("alice").await?;
    closed(alice).await?;

    let bob = connect(&sessions, &url, "bob").await?;
    sockets.stop.cancel();
    closed(bob).await?;
    server.await??;
    sockets.open.close();
    sockets.open.wait().await;
    Ok(())
}
