//! An application in memory, driven through its service: time stands still, keys are made once, no
//! sockets.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::test::{self, TestRequest};
use actix_web::web::ServiceConfig;
use actix_web::{App, Error};
use serde_json::Value;
use supersession::store::{KeyKind, MemoryStore, StoredKey};
use supersession::{AppId, Sessions, SessionsBuilder, Store, UnixMillis};
use supersession_actix::SessionMiddleware;
use supersession_testkit::{FaultStore, ManualClock};
use tokio::sync::OnceCell;

const START: UnixMillis = UnixMillis::new(1_767_225_600_000);

static KEYS: OnceCell<Vec<StoredKey>> = OnceCell::const_new();

pub(crate) struct World {
    pub(crate) sessions: Sessions,
    pub(crate) clock: ManualClock,
    pub(crate) store: FaultStore<MemoryStore>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Self {
        Self::over(FaultStore::new(MemoryStore::new()), configure).await
    }

    /// Over a store that other worlds can share.
    pub(crate) async fn over(
        store: FaultStore<MemoryStore>,
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
        let sessions = configure(builder(store.clone(), clock.clone()))
            .build()
            .await
            .unwrap();
        Self {
            sessions,
            clock,
            store,
        }
    }

    /// An application with these routes, below the session middleware.
    pub(crate) async fn serve(&self, routes: impl FnOnce(&mut ServiceConfig)) -> Server {
        serve(
            App::new()
                .configure(routes)
                .wrap(SessionMiddleware::new(self.sessions.clone())),
        )
        .await
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
    let store = FaultStore::new(MemoryStore::new());
    let _sessions = builder(store.clone(), ManualClock::new(START))
        .build()
        .await
        .unwrap();
    store.signing_keys(&AppId::default()).await.unwrap()
}

fn builder(store: FaultStore<MemoryStore>, clock: ManualClock) -> SessionsBuilder {
    Sessions::builder(store)
        .api_domain("https://api.example.com")
        .website_domain("https://example.com")
        .access_token_validity_jitter(0.0)
        .cleanup_interval(None)
        .clock(clock)
}

type Sent = Pin<Box<dyn Future<Output = Answer>>>;

/// An application as a client sees it.
pub(crate) struct Server(Box<dyn Fn(TestRequest) -> Sent>);

pub(crate) async fn serve<T, B>(app: App<T>) -> Server
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let service = Rc::new(test::init_service(app).await);
    Server(Box::new(move |request| {
        let service = Rc::clone(&service);
        Box::pin(async move {
            let response = match test::try_call_service(&*service, request.to_request()).await {
                Ok(response) => response.into_parts().1.map_into_boxed_body(),
                // The server asks for the response once. Asked again, a response with tokens has
                // the same head.
                Err(error) => {
                    let response = error.error_response();
                    if response.headers().contains_key("front-token") {
                        let again = error.error_response();
                        assert_eq!(again.status(), response.status());
                        let (first, second) = (response.headers(), again.headers());
                        assert_eq!(format!("{first:?}"), format!("{second:?}"));
                    }
                    response
                }
            };
            let (head, body) = response.into_parts();
            let body = actix_web::body::to_bytes(body).await.unwrap();
            Answer {
                status: head.status().as_u16(),
                headers: head.headers().clone(),
                text: String::from_utf8(body.to_vec()).unwrap(),
            }
        })
    }))
}

impl Server {
    pub(crate) async fn send(&self, request: TestRequest) -> Answer {
        (self.0)(request).await
    }

    pub(crate) async fn get(&self, path: &str, access: &str) -> Answer {
        self.send(bearer(TestRequest::get().uri(path), access))
            .await
    }

    pub(crate) async fn post(&self, path: &str, access: &str) -> Answer {
        self.send(bearer(TestRequest::post().uri(path), access))
            .await
    }
}

/// An empty token is none.
pub(crate) fn bearer(request: TestRequest, token: &str) -> TestRequest {
    if token.is_empty() {
        request
    } else {
        request.insert_header(("authorization", format!("Bearer {token}")))
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// A header's only value.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name);
        let first = values.next();
        assert!(values.next().is_none(), "several `{name}`: {self:?}");
        first.map(|value| value.to_str().unwrap())
    }

    pub(crate) fn cookies(&self) -> Vec<&str> {
        let lines = self.headers.get_all("set-cookie");
        lines.map(|line| line.to_str().unwrap()).collect()
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, text: &str) {
        assert_eq!(
            (self.status, self.text.as_str()),
            (status, text),
            "{self:?}"
        );
    }

    #[track_caller]
    pub(crate) fn is_message(&self, status: u16, message: &str) {
        let body: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(
            (self.status, body),
            (status, serde_json::json!({ "message": message })),
            "{self:?}"
        );
        assert_eq!(
            self.header("content-type"),
            Some("application/json; charset=utf-8")
        );
    }

    #[track_caller]
    pub(crate) fn has_no_token_headers(&self) {
        for name in [
            "set-cookie",
            "st-access-token",
            "st-refresh-token",
            "front-token",
            "anti-csrf",
        ] {
            assert!(!self.headers.contains_key(name), "{self:?}");
        }
    }

    #[track_caller]
    pub(crate) fn clears_everything(&self) {
        assert_eq!(self.header("st-access-token"), Some(""), "{self:?}");
        assert_eq!(self.header("st-refresh-token"), Some(""), "{self:?}");
        assert_eq!(self.header("front-token"), Some("remove"), "{self:?}");
        assert_eq!(self.cookies().len(), 2, "{self:?}");
    }
}
