//! A gRPC service on tonic whose calls require a session: `cargo run -p grpc-tonic`. A tonic server
//! consists of tower services, so it uses the same layer and guard as axum. Starts a server, calls
//! it as a guest, with a session and with a revoked session, and exits.
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

use std::error::Error;

use axum::Router;
use axum::http::uri::PathAndQuery;
use axum::routing::post;
use supersession_axum::core::http::Reply;
use supersession_axum::core::store::MemoryStore;
use supersession_axum::core::{FaultKind, Session, SessionError, Sessions, wire};
use supersession_axum::{SessionLayer, verify_session};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, client, server};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// `rpc WhoAmI(google.protobuf.Empty) returns (google.protobuf.StringValue);`
const WHO_AM_I: &str = "/demo.Account/WhoAmI";

/// Returns the user of the session that the guard has inserted into the request.
async fn who_am_i(request: Request<()>) -> Result<Response<String>, Status> {
    let session = request.extensions().get::<Session>();
    let session = session.ok_or_else(|| Status::internal("the guard is missing"))?;
    Ok(Response::new(session.user_id().to_string()))
}

/// Builds the service, as code generated from a `.proto` file would with
/// `Routes::new(AccountServer::new(..)).into_axum_router()`.
fn account() -> Router {
    let who_am_i = post(async |request: axum::extract::Request| {
        let mut grpc = server::Grpc::new(ProstCodec::default());
        grpc.unary(service_fn(who_am_i), request).await
    });
    Routes::default()
        .into_axum_router()
        .route(WHO_AM_I, who_am_i)
}

/// Converts a session error to gRPC: the HTTP status is always 200, the gRPC status is in the
/// headers, and the body is empty. The message distinguishes a client that should refresh from one
/// that must sign in. All error responses of these `Sessions` have this form. A web site beside the
/// service uses its own `Sessions` over the same store.
fn refusal(error: &SessionError, mut reply: Reply) -> Reply {
    let (code, message) = match error {
        SessionError::TryRefreshToken(_) => {
            (Code::Unauthenticated, wire::MESSAGE_TRY_REFRESH_TOKEN)
        }
        SessionError::Unauthorised(_) | SessionError::TokenTheftDetected(_) => {
            (Code::Unauthenticated, wire::MESSAGE_UNAUTHORISED)
        }
        SessionError::InvalidClaims(_) => (Code::PermissionDenied, wire::MESSAGE_INVALID_CLAIM),
        SessionError::BadInput(_) => (Code::InvalidArgument, "bad input"),
        SessionError::Fault(fault) if fault.kind() == FaultKind::Unavailable => {
            (Code::Unavailable, "service unavailable")
        }
        _ => (Code::Internal, "internal server error"),
    };
    reply.status = 200;
    reply.headers = vec![
        ("content-type", "application/grpc".to_owned()),
        ("grpc-status", (code as i32).to_string()),
        ("grpc-message", message.to_owned()),
    ];
    reply.body.clear();
    reply
}

async fn ask(
    client: &mut client::Grpc<Channel>,
    session: Option<&Session>,
) -> Result<String, Box<dyn Error>> {
    let mut request = Request::new(());
    if let Some(session) = session {
        let tokens = session.all_session_tokens_dangerously();
        let bearer = format!("Bearer {}", tokens.access_token.expose());
        let metadata = request.metadata_mut();
        metadata.insert(wire::AUTHORIZATION_HEADER, bearer.parse()?);
    }
    client.ready().await?;
    let path = PathAndQuery::from_static(WHO_AM_I);
    let response = client.unary(request, path, ProstCodec::default()).await;
    Ok(match response {
        Ok(response) => response.into_inner(),
        Err(status) => format!("{:?} ({})", status.code(), status.message()),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .render_errors(refusal)
        .build()
        .await?;
    let app = account()
        .route_layer(verify_session().check_database(true))
        .layer(SessionLayer::new(sessions.clone()));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::builder().add_routes(Routes::from(app));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let channel = Endpoint::from_shared(format!("http://{address}"))?;
    let mut client = client::Grpc::new(channel.connect().await?);

    let session = sessions.create("alice").await?;
    println!("guest: {}", ask(&mut client, None).await?);
    println!("session: {}", ask(&mut client, Some(&session)).await?);
    sessions.revoke(session.handle()).await?;
    println!("revoked: {}", ask(&mut client, Some(&session)).await?);
    Ok(())
}
