//! An application in memory, driven through its tower service: time stands still, keys are made
//! once, no sockets.

pub(crate) mod capture;
mod exchange;
mod forge;
mod keys;

use std::time::Duration;

use axum::extract::Json;
use axum::routing::{any, post};
use axum::{Extension, Router};
use serde_json::{Value, json};
use supersession::store::MemoryStore;
use supersession::{Sessions, SessionsBuilder, TenantId, UnixMillis};
use supersession_axum::{RequestSessions, Session, SessionLayer, SessionRejection, verify_session};
use supersession_testkit::{FaultStore, ManualClock};
use tower::ServiceExt as _;

pub(crate) use exchange::{Answer, Req, Tokens};
pub(crate) use forge::{Forge, session_claims};
pub(crate) use keys::seed_keys;

/// The time at which every test starts.
pub(crate) const START: UnixMillis = UnixMillis::new(1_767_225_600_000);

/// An application under test.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) sessions: Sessions,
    pub(crate) clock: ManualClock,
    pub(crate) store: FaultStore<MemoryStore>,
    router: Router,
}

impl App {
    /// With the default configuration: API and website on `https://api.example.com` and
    /// `https://example.com`, no jitter.
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// With a configuration of the test's own.
    pub(crate) async fn with(configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Self {
        Self::with_routes(configure, |router| router).await
    }

    /// With a configuration and further routes of the test's own, below the session layer.
    pub(crate) async fn with_routes(
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
        routes: impl FnOnce(Router) -> Router,
    ) -> Self {
        capture::install();
        let clock = ManualClock::new(START);
        let store = FaultStore::new(MemoryStore::new());
        seed_keys(&store, START).await;
        let builder = default_config(Sessions::builder(store.clone())).clock(clock.clone());
        let sessions = configure(builder)
            .build()
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let router = routes(standard_routes()).layer(SessionLayer::new(sessions.clone()));
        Self {
            sessions,
            clock,
            store,
            router,
        }
    }

    /// The same store, clock and keys under another configuration, as after a restart.
    pub(crate) async fn restarted_with(
        &self,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Self {
        let builder =
            default_config(Sessions::builder(self.store.clone())).clock(self.clock.clone());
        let sessions = configure(builder)
            .build()
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let router = standard_routes().layer(SessionLayer::new(sessions.clone()));
        Self {
            sessions,
            clock: self.clock.clone(),
            store: self.store.clone(),
            router,
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Req) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request.into_http())
            .await
            .unwrap();
        Answer::read(response).await
    }

    /// Creates a session for `user` through `POST /create`, with cookies.
    pub(crate) async fn login(&self, user: &str) -> Tokens {
        self.login_as(user, "cookie").await
    }

    /// Creates a session for `user` with this `st-auth-mode`.
    pub(crate) async fn login_as(&self, user: &str, mode: &str) -> Tokens {
        let answer = self
            .send(
                Req::post("/create")
                    .header("st-auth-mode", mode)
                    .json(&json!({"userId": user})),
            )
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.tokens()
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub(crate) fn advance_secs(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }
}

/// The configuration that tests start from.
pub(crate) fn default_config(builder: SessionsBuilder) -> SessionsBuilder {
    builder
        .api_domain("https://api.example.com")
        .website_domain("https://example.com")
        .access_token_validity_jitter(0.0)
        .cleanup_interval(None)
}

/// What most tests call:
///
/// * `POST /create` `{"userId"?, "payload"?, "data"?, "tenantId"?}` creates a session.
/// * any method on `/verify`, `/verify-optional`, `/verify-db`, `/verify-csrf`, `/verify-no-csrf`
///   tells about the session, or `{"session": null}`.
/// * `POST /merge` merges its body into the payload; `POST /merge-thrice` in three steps.
/// * `POST /revoke` ends the session.
fn standard_routes() -> Router {
    Router::new()
        .route("/create", post(create))
        .route("/verify", any(tell).layer(verify_session()))
        .route(
            "/verify-optional",
            any(tell).layer(verify_session().optional()),
        )
        .route(
            "/verify-db",
            any(tell).layer(verify_session().check_database(true)),
        )
        .route(
            "/verify-csrf",
            any(tell).layer(verify_session().anti_csrf_check(true)),
        )
        .route(
            "/verify-no-csrf",
            any(tell).layer(verify_session().anti_csrf_check(false)),
        )
        .route("/merge", post(merge))
        .route("/merge-thrice", post(merge_thrice))
        .route("/revoke", post(revoke))
}

async fn create(
    sessions: RequestSessions,
    Json(body): Json<Value>,
) -> Result<Json<Value>, SessionRejection> {
    let user = body["userId"].as_str().unwrap_or("alice");
    let mut create = sessions
        .create(user)
        .payload(&body["payload"])
        .data(&body["data"]);
    if let Some(tenant) = body["tenantId"].as_str() {
        create = create.tenant(TenantId::new(tenant).unwrap());
    }
    let session = create.await?;
    Ok(Json(describe(&session)))
}

async fn tell(session: Option<Extension<supersession::Session>>) -> Json<Value> {
    Json(match session {
        Some(Extension(session)) => describe(&session),
        None => json!({ "session": null }),
    })
}

pub(crate) fn describe(session: &supersession::Session) -> Value {
    json!({
        "userId": session.user_id(),
        "recipeUserId": session.recipe_user_id(),
        "tenantId": session.tenant_id(),
        "handle": session.handle(),
        "payload": session.access_token_payload(),
    })
}

async fn merge(
    session: Session,
    Json(patch): Json<Value>,
) -> Result<Json<Value>, SessionRejection> {
    session.merge_into_access_token_payload(patch).await?;
    Ok(Json(describe(&session)))
}

async fn merge_thrice(session: Session) -> Result<Json<Value>, SessionRejection> {
    for step in 1..=3 {
        session
            .merge_into_access_token_payload(json!({ "step": step }))
            .await?;
    }
    Ok(Json(describe(&session)))
}

async fn revoke(session: Session) -> Result<(), SessionRejection> {
    Ok(session.revoke().await?)
}
