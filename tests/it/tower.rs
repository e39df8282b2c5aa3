//! The layer and the guard around a service that knows nothing of axum, over a real socket.

use std::convert::Infallible;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use supersession::store::MemoryStore;
use supersession::{RequestSessions, Session, Sessions};
use supersession_axum::{SessionLayer, verify_session};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer as _, service_fn};

use crate::support::{START, capture, default_config, seed_keys};

type PlainResponse = Response<Full<Bytes>>;

async fn sign_in(request: Request<Incoming>) -> Result<PlainResponse, Infallible> {
    let sessions = request
        .extensions()
        .get::<RequestSessions>()
        .unwrap()
        .clone();
    sessions.read(&View(&request));
    sessions.create("alice").await.unwrap();
    Ok(Response::new("signed in".into()))
}

async fn who_am_i(request: Request<Incoming>) -> Result<PlainResponse, Infallible> {
    let session = request.extensions().get::<Session>().unwrap();
    Ok(Response::new(session.user_id().to_string().into()))
}

/// What an adapter writes: a few lines.
struct View<'a>(&'a Request<Incoming>);

impl supersession::http::RequestView for View<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.uri().path()
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self.0.headers() {
            each(name.as_str(), value.as_bytes());
        }
    }
}

/// Serves connections until the test ends.
async fn serve(sessions: Sessions) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let guarded = verify_session().layer(service_fn(who_am_i));
    let router = service_fn(move |request: Request<Incoming>| {
        let guarded = guarded.clone();
        async move {
            match request.uri().path() {
                "/login" => Ok(sign_in(request).await?.map(Body::new)),
                _ => tower::ServiceExt::oneshot(guarded, request).await,
            }
        }
    });
    let service = SessionLayer::new(sessions).layer(router);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

async fn send(
    address: std::net::SocketAddr,
    request: Request<Full<Bytes>>,
) -> (http::response::Parts, String) {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head, String::from_utf8(body.to_vec()).unwrap())
}

fn request(method: &str, path: &str, bearer: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost");
    if let Some(token) = bearer {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn a_plain_hyper_service_gets_the_same_sessions() {
    capture::install();
    let store = MemoryStore::new();
    seed_keys(&store, START).await;
    let sessions = default_config(Sessions::builder(store))
        .build()
        .await
        .unwrap();
    let address = serve(sessions).await;

    let (head, body) = send(address, request("GET", "/me", None)).await;
    assert_eq!(
        (head.status, body.as_str()),
        (StatusCode::UNAUTHORIZED, r#"{"message":"unauthorised"}"#)
    );

    let (head, body) = send(address, request("POST", "/login", None)).await;
    assert_eq!((head.status, body.as_str()), (StatusCode::OK, "signed in"));
    let token =
        |head: &http::response::Parts, name: &str| head.headers[name].to_str().unwrap().to_owned();
    let (access, refresh) = (
        token(&head, "st-access-token"),
        token(&head, "st-refresh-token"),
    );

    let (head, body) = send(address, request("GET", "/me", Some(&access))).await;
    assert_eq!((head.status, body.as_str()), (StatusCode::OK, "alice"));

    let (head, body) = send(
        address,
        request("POST", "/auth/session/refresh", Some(&refresh)),
    )
    .await;
    assert_eq!((head.status, body.as_str()), (StatusCode::OK, "{}"));
    let access = token(&head, "st-access-token");

    let (head, body) = send(address, request("POST", "/auth/signout", Some(&access))).await;
    assert_eq!(
        (head.status, body.as_str()),
        (StatusCode::OK, r#"{"status":"OK"}"#)
    );
    assert_eq!(token(&head, "front-token"), "remove");

    let (head, body) = send(address, request("GET", "/auth/jwt/jwks.json", None)).await;
    assert_eq!(head.status, StatusCode::OK);
    assert!(body.starts_with(r#"{"keys":[{"#), "{body}");
}
