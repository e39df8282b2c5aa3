//! The applications of the peers. Each has a page that requires a session, and a sign-in that
//! creates one.

use std::convert::Infallible;

use anyhow::ensure;
use axum::Router;
use axum::handler::Handler;
use axum::routing::get;
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, UserId};
use axum_session::{SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use bench_harness::{SESSION_DATA, take_turns};
use http::StatusCode;
use jwt_authorizer::{IntoLayer as _, JwtAuthorizer, JwtClaims, RegisteredClaims, Validation};
use serde_json::Value;
use supersession::store::MemoryStore;
use tower::Service as _;
use tower_sessions::{Session, SessionManagerLayer};

use crate::ours::{NO_CACHE, Ours};

fn data() -> Value {
    serde_json::from_str(SESSION_DATA).expect("it is JSON")
}

/// tower-sessions with its in-memory store, around a page.
pub(crate) fn tower_sessions<H: Handler<T, ()>, T: 'static>(page: H) -> Router {
    async fn login(session: Session) -> &'static str {
        session.insert("data", data()).await.expect("in memory");
        "ok"
    }
    let store = tower_sessions::MemoryStore::default();
    Router::new()
        .route("/orders", get(page))
        .route("/login", get(login))
        .layer(SessionManagerLayer::new(store))
}

/// A page that reads the session data.
pub(crate) async fn tower_read(session: Session) -> Result<&'static str, StatusCode> {
    let data: Option<Value> = session.get("data").await.expect("in memory");
    std::hint::black_box(&data);
    data.map(|_| "ok").ok_or(StatusCode::UNAUTHORIZED)
}

/// axum_session without a database.
pub(super) async fn axum_session() -> anyhow::Result<Router> {
    type Session = axum_session::Session<SessionNullPool>;
    async fn login(session: Session) -> &'static str {
        session.set("data", data());
        "ok"
    }
    async fn page(session: Session) -> Result<&'static str, StatusCode> {
        let data: Option<Value> = session.get("data");
        std::hint::black_box(&data);
        data.map(|_| "ok").ok_or(StatusCode::UNAUTHORIZED)
    }
    let store = SessionStore::<SessionNullPool>::new(None, SessionConfig::default()).await?;
    Ok(Router::new()
        .route("/orders", get(page))
        .route("/login", get(login))
        .layer(SessionLayer::new(store)))
}

#[derive(Clone, Debug)]
struct User;

impl AuthUser for User {
    type Id = i64;

    fn id(&self) -> i64 {
        1
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"0123456789abcdef0123456789abcdef"
    }
}

/// Users that need no lookup.
#[derive(Clone)]
struct Users;

impl AuthnBackend for Users {
    type User = User;
    type Credentials = ();
    type Error = Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<User>, Infallible> {
        Ok(Some(User))
    }

    async fn get_user(&self, _user: &UserId<Self>) -> Result<Option<User>, Infallible> {
        Ok(Some(User))
    }
}

/// axum-login with the in-memory store of the tower-sessions version that it uses.
pub(super) fn axum_login() -> Router {
    async fn login(mut session: AuthSession<Users>) -> &'static str {
        session.login(&User).await.expect("in memory");
        "ok"
    }
    async fn page(session: AuthSession<Users>) -> Result<&'static str, StatusCode> {
        std::hint::black_box(&session.user);
        session.user.map(|_| "ok").ok_or(StatusCode::UNAUTHORIZED)
    }
    let store = tower_sessions_of_login::MemoryStore::default();
    let sessions = tower_sessions_of_login::SessionManagerLayer::new(store);
    Router::new()
        .route("/orders", get(page))
        .route("/login", get(login))
        .layer(AuthManagerLayerBuilder::new(Users, sessions).build())
}

/// jwt-authorizer with the axum version that it uses, or that axum alone.
pub(super) fn axum07(case: &str) -> anyhow::Result<()> {
    async fn bare() -> &'static str {
        "ok"
    }
    async fn page(JwtClaims(claims): JwtClaims<RegisteredClaims>) -> &'static str {
        std::hint::black_box(&claims.sub);
        "ok"
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ours = runtime.block_on(Ours::open(MemoryStore::new(), NO_CACHE))?;
    let token = runtime.block_on(ours.tokens(1))?.remove(0);
    let mut app = match case {
        "bare" => axum07::Router::new().route("/orders", axum07::routing::get(bare)),
        "jwt-authorizer" => {
            let keys = serde_json::to_string(&runtime.block_on(ours.sessions.jwks())?)?;
            let issuer = ["https://api.example.com/auth"];
            let authorizer = runtime.block_on(
                JwtAuthorizer::<RegisteredClaims>::from_jwks_text(&keys)
                    .validation(Validation::new().iss(&issuer))
                    .build(),
            )?;
            axum07::Router::new()
                .route("/orders", axum07::routing::get(page))
                .layer(authorizer.into_layer())
        }
        _ => anyhow::bail!("there is no case {case}"),
    };
    let bearer = http::HeaderValue::from_str(&format!("Bearer {token}"))?;
    let request = || {
        http::Request::get("/orders")
            .header(http::header::HOST, "api.example.com")
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::COOKIE, "theme=0123456789abcdef")
            .header(http::header::AUTHORIZATION, bearer.clone())
            .body(axum07::body::Body::empty())
    };
    let answer = runtime.block_on(app.call(request()?))?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    take_turns(|operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                let request = request().expect("as before");
                let answer = app.call(request).await.expect("infallible");
                assert_eq!(answer.status(), StatusCode::OK);
            }
        });
    })
}
