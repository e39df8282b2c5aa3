//! An application in memory, driven through its tower service: the clock is manual, keys are made
//! once, and no socket is opened.

use axum::Router;
use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use supersession_axum::SessionLayer;
use supersession_axum::core::store::{KeyKind, MemoryStore, StoredKey};
use supersession_axum::core::{AppId, Sessions, SessionsBuilder, Store, UnixMillis};
use supersession_testkit::ManualClock;
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

const START: UnixMillis = UnixMillis::new(1_767_225_600_000);

static KEYS: OnceCell<Vec<StoredKey>> = OnceCell::const_new();

pub(crate) struct World {
    pub(crate) sessions: Sessions,
    pub(crate) clock: ManualClock,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Self {
        Self::over(MemoryStore::new(), configure).await
    }

    /// Over a store that other worlds can share.
    pub(crate) async fn over(
        store: MemoryStore,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Self {
        let app = AppId::default();
        for key in KEYS.get_or_init(make_keys).await {
            let added = match key.kind {
                KeyKind::Dynamic => store.add_dynamic_key(&app, key, START).await,
                KeyKind::Static => store.add_static_key(&app, key).await,
            };
            added.unwrap();
        }
        let clock = ManualClock::new(START);
        let sessions = configure(builder(store, clock.clone()))
            .build()
            .await
            .unwrap();
        Self { sessions, clock }
    }

    /// The application with these routes, inside the session layer.
    pub(crate) fn serve(&self, routes: Router) -> Server {
        Server(routes.layer(SessionLayer::new(self.sessions.clone())))
    }

    /// The access and the refresh token of a new session.
    pub(crate) async fn tokens(&self, user: &str) -> (String, String) {
        let session = self.sessions.create(user).await.unwrap();
        let tokens = session.all_session_tokens_dangerously();
        let refresh = tokens.refresh_token.unwrap();
        (
            tokens.access_token.expose().to_owned(),
            refresh.expose().to_owned(),
        )
    }
}

async fn make_keys() -> Vec<StoredKey> {
    let store = MemoryStore::new();
    let _sessions = builder(store.clone(), ManualClock::new(START))
        .build()
        .await
        .unwrap();
    store.signing_keys(&AppId::default()).await.unwrap()
}

fn builder(store: MemoryStore, clock: ManualClock) -> SessionsBuilder {
    Sessions::builder(store)
        .api_domain("https://api.example.com")
        .website_domain("https://example.com")
        .access_token_validity_jitter(0.0)
        .cleanup_interval(None)
        .clock(clock)
}

/// An application as a client sees it.
pub(crate) struct Server(pub(crate) Router);

impl Server {
    pub(crate) async fn send(&self, request: Builder) -> Answer {
        let request = request.body(Body::empty()).unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(bearer(Request::get(path), token)).await
    }
}

/// An empty token sends no header.
pub(crate) fn bearer(request: Builder, token: &str) -> Builder {
    if token.is_empty() {
        request
    } else {
        request.header("authorization", format!("Bearer {token}"))
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The only value of a header.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next();
        assert!(values.next().is_none(), "several `{name}`: {self:?}");
        first.map(|value| value.to_str().unwrap())
    }

    pub(crate) fn cookies(&self) -> Vec<&str> {
        let lines = self.headers.get_all("set-cookie").iter();
        lines.map(|line| line.to_str().unwrap()).collect()
    }

    #[track_caller]
    pub(crate) fn is(&self, status: StatusCode, text: &str) {
        assert_eq!(
            (self.status, self.text.as_str()),
            (status, text),
            "{self:?}"
        );
    }
}
