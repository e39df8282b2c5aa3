//! Sessions on plain hyper: `cargo run -p adapter-hyper`. Starts a server, signs in, requests the
//! current user, refreshes, signs out, and exits.
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

mod adapter;

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use supersession::store::MemoryStore;
use supersession::{RequestSessions, SessionError, Sessions};
use tokio::net::{TcpListener, TcpStream};

use adapter::{Answer, with_sessions};

async fn handle(request: Parts, sessions: RequestSessions) -> Result<Answer, SessionError> {
    match request.uri.path() {
        "/login" => {
            sessions.create("alice").await?;
            Ok(Response::new(Full::from("welcome")))
        }
        "/me" => {
            let session = sessions.session().await?;
            Ok(Response::new(Full::from(session.user_id().to_string())))
        }
        _ => {
            let mut answer = Response::new(Full::from("not found"));
            *answer.status_mut() = StatusCode::NOT_FOUND;
            Ok(answer)
        }
    }
}

async fn serve(listener: TcpListener, sessions: Sessions) {
    while let Ok((stream, _)) = listener.accept().await {
        let sessions = sessions.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let sessions = sessions.clone();
            async move {
                let (head, _body) = request.into_parts();
                Ok::<_, Infallible>(with_sessions(&sessions, head, handle).await)
            }
        });
        let mut server = hyper::server::conn::http1::Builder::new();
        // Without a timer, clients that never finish a request head are never disconnected.
        server.timer(TokioTimer::new());
        tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
    }
}

/// Sends a request, with a token if there is one, and returns the two token headers of the
/// response.
async fn ask(
    server: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
) -> Result<(String, String), Box<dyn Error>> {
    let stream = TokioIo::new(TcpStream::connect(server).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::<hyper::body::Bytes>::default())?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
    println!("{method} {path}: {} {body}", head.status);
    let header = |name: &str| -> Result<String, Box<dyn Error>> {
        Ok(head
            .headers
            .get(name)
            .map(|value| value.to_str())
            .transpose()?
            .unwrap_or_default()
            .to_owned())
    };
    Ok((header("st-access-token")?, header("st-refresh-token")?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .build()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    tokio::spawn(serve(listener, sessions));

    ask(server, "GET", "/me", "").await?;
    let (access, refresh) = ask(server, "POST", "/login", "").await?;
    ask(server, "GET", "/me", &access).await?;
    let (access, _) = ask(server, "POST", "/auth/session/refresh", &refresh).await?;
    ask(server, "POST", "/auth/signout", &access).await?;
    ask(server, "GET", "/nothing", "").await?;
    Ok(())
}
