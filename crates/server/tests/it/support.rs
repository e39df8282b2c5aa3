//! A service in memory with a manual clock.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use supersession::store::{KeyKind, MemoryStore, SessionKey, SessionRecord, StoredKey};
use supersession::{
    AppId, Clock as _, RefreshHash2, RefreshToken, SessionHandle, Store as _, SystemClock,
    SystemEntropy, UnixMillis,
};
use supersession_server::{AnyStore, Limits, OpenError, Service, ServiceOptions};
use supersession_testkit::{FaultStore, ManualClock, SeededEntropy};
use tokio::sync::OnceCell;

/// The time at which every test starts.
pub(crate) const START: UnixMillis = UnixMillis::new(2_000_000_000_000);

pub(crate) const LEGACY: &str = "5.4";
pub(crate) const ROTATION: &str = "5.6";

pub(crate) struct Core {
    pub(crate) service: Service,
    pub(crate) store: FaultStore<MemoryStore>,
    pub(crate) clock: ManualClock,
}

/// A received response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Core {
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// Creates a service with this configuration, without jitter and with lifted limits.
    pub(crate) async fn with(values: Value) -> Self {
        Self::open(values, "").await.unwrap()
    }

    pub(crate) async fn open(values: Value, base_path: &str) -> Result<Self, OpenError> {
        let store = FaultStore::new(MemoryStore::new());
        seed_keys(&store).await;
        Self::over(store, values, base_path, Limits::Lifted).await
    }

    pub(crate) async fn over(
        store: FaultStore<MemoryStore>,
        values: Value,
        base_path: &str,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        let mut core_config = json!({ "access_token_validity_jitter": 0.0 });
        for (name, value) in values.as_object().unwrap() {
            core_config[name] = value.clone();
        }
        let mut options = ServiceOptions::default();
        options.core_config = core_config.as_object().unwrap().clone();
        options.limits = limits;
        options.base_path = base_path.to_owned();
        options.max_body_bytes = 64 * 1024;
        options.body_timeout = Duration::from_secs(5);
        options.signing_threads = 2;
        Self::with_options(store, options).await
    }

    pub(crate) async fn with_options(
        store: FaultStore<MemoryStore>,
        options: ServiceOptions,
    ) -> Result<Self, OpenError> {
        let clock = ManualClock::new(START);
        let service = Service::open(
            AnyStore::new(store.clone()),
            options,
            Arc::new(clock.clone()),
            Arc::new(SeededEntropy::new(SEEDS.fetch_add(1, Ordering::Relaxed))),
        )
        .await?;
        Ok(Self {
            service,
            store,
            clock,
        })
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        self.send_from(request, Ipv4Addr::LOCALHOST.into()).await
    }

    pub(crate) async fn send_from(&self, request: Request<Full<Bytes>>, peer: IpAddr) -> Reply {
        let answer = self.service.answer(request, peer).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn call(&self, call: &str, cdi: &str, body: &Value) -> Reply {
        let (method, path) = call.split_once(' ').unwrap();
        let body = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("cdi-version", cdi)
            .body(Full::new(body))
            .unwrap();
        self.send(request).await
    }

    /// Returns the JSON body of a response that must have the status 200.
    #[track_caller]
    pub(crate) fn ok(&self, call: &str, cdi: &str, body: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let reply = self.call(call, cdi, &body).await;
            assert_eq!(reply.status, 200, "{place}: {call}: {}", reply.text);
            assert_eq!(
                reply.headers["content-type"],
                "application/json; charset=UTF-8"
            );
            assert!(reply.text.ends_with('\n'));
            serde_json::from_str(&reply.text).unwrap()
        }
    }

    pub(crate) async fn get(&self, path: &str, cdi: &str) -> Value {
        self.ok(&format!("GET {path}"), cdi, Value::Null).await
    }

    /// Asserts that the response is exactly this error.
    #[track_caller]
    pub(crate) fn refused(
        &self,
        call: &str,
        cdi: &str,
        body: Value,
        status: u16,
        text: &str,
    ) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let reply = self.call(call, cdi, &body).await;
            let expected = (status, format!("{text}\n"));
            assert_eq!(
                (reply.status.as_u16(), reply.text),
                expected,
                "{place}: {call} {body}"
            );
            assert_eq!(reply.headers["content-type"], "text/html; charset=UTF-8");
        }
    }

    /// Creates a session of the user `u`.
    pub(crate) async fn session(&self, cdi: &str) -> Session {
        self.session_with(cdi, json!({})).await
    }

    /// Creates a session with these fields overridden.
    pub(crate) async fn session_with(&self, cdi: &str, fields: Value) -> Session {
        let answer = self
            .ok("POST /recipe/session", cdi, new_session(&fields))
            .await;
        assert_eq!(answer["status"], "OK", "{answer}");
        Session(answer)
    }

    pub(crate) async fn refresh(&self, cdi: &str, token: &str) -> Value {
        let body =
            json!({ "refreshToken": token, "enableAntiCsrf": false, "useDynamicSigningKey": true });
        self.ok("POST /recipe/session/refresh", cdi, body).await
    }

    pub(crate) async fn refreshed(&self, cdi: &str, token: &str) -> Session {
        let answer = self.refresh(cdi, token).await;
        assert_eq!(answer["status"], "OK", "{answer}");
        Session(answer)
    }

    pub(crate) async fn verify(&self, cdi: &str, token: &str, check_database: bool) -> Value {
        let body = json!({
            "accessToken": token, "doAntiCsrfCheck": false, "enableAntiCsrf": false,
            "checkDatabase": check_database,
        });
        self.ok("POST /recipe/session/verify", cdi, body).await
    }

    /// Returns the stored row of a live session. The call is not recorded.
    pub(crate) async fn row(&self, handle: &str) -> Option<SessionRecord> {
        let key = SessionKey::new(&AppId::default(), SessionHandle::from(handle));
        let found = self.store.inner().session(&key, self.clock.now()).await;
        found.unwrap()
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Creates a tenant of the default app.
    pub(crate) async fn tenant(&self, id: &str) {
        let answer = self
            .ok(
                "PUT /recipe/multitenancy/tenant/v2",
                LEGACY,
                json!({ "tenantId": id }),
            )
            .await;
        assert_eq!(answer, json!({ "status": "OK", "createdNew": true }));
    }

    pub(crate) async fn app(&self, id: &str, core_config: Value) {
        let body = json!({ "appId": id, "coreConfig": core_config });
        let answer = self
            .ok("PUT /recipe/multitenancy/app/v2", LEGACY, body)
            .await;
        assert_eq!(answer, json!({ "status": "OK", "createdNew": true }));
    }
}

/// The request body for a new session, with these fields overridden. Null removes a field.
pub(crate) fn new_session(fields: &Value) -> Value {
    let mut body = json!({
        "userId": "u", "enableAntiCsrf": false, "userDataInJWT": {}, "userDataInDatabase": {},
    });
    for (name, value) in fields.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

/// Returns the body without this field.
pub(crate) fn without(body: &Value, field: &str) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().remove(field).unwrap();
    body
}

/// The response to a creation or a refresh.
#[derive(Debug)]
pub(crate) struct Session(pub(crate) Value);

impl Session {
    pub(crate) fn access(&self) -> &str {
        self.0["accessToken"]["token"].as_str().unwrap()
    }

    pub(crate) fn refresh(&self) -> &str {
        self.0["refreshToken"]["token"].as_str().unwrap()
    }

    pub(crate) fn handle(&self) -> &str {
        self.0["session"]["handle"].as_str().unwrap()
    }
}

pub(crate) fn header(token: &str) -> Value {
    segment(token, 0)
}

pub(crate) fn claims(token: &str) -> Value {
    segment(token, 1)
}

fn segment(token: &str, at: usize) -> Value {
    let segment = token.split('.').nth(at).unwrap();
    let bytes = STANDARD
        .decode(segment)
        .or_else(|_| URL_SAFE_NO_PAD.decode(segment))
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

pub(crate) fn kid(token: &str) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

pub(crate) fn hash1(refresh_token: &str) -> String {
    supersession::RefreshHash1::of(&RefreshToken::new(refresh_token))
        .as_str()
        .to_owned()
}

pub(crate) fn hash2(refresh_token: &str) -> RefreshHash2 {
    RefreshHash2::of(&RefreshToken::new(refresh_token))
}

/// Returns the names of the members, sorted.
pub(crate) fn members(value: &Value) -> Vec<String> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    names.sort();
    names
}

/// Seeds differ, because two processes do not generate the same numbers.
static SEEDS: AtomicU64 = AtomicU64::new(7);

static KEYS: OnceCell<Vec<StoredKey>> = OnceCell::const_new();

/// RSA keys are generated once for all tests, because that takes longer than everything else.
pub(crate) async fn seed_keys(store: &FaultStore<MemoryStore>) {
    let keys = KEYS
        .get_or_init(async || {
            let store = FaultStore::new(MemoryStore::new());
            let service = Service::open(
                AnyStore::new(store.clone()),
                ServiceOptions::default(),
                Arc::new(SystemClock),
                Arc::new(SystemEntropy),
            );
            service.await.unwrap().warm_up().await.unwrap();
            store.signing_keys(&AppId::default()).await.unwrap()
        })
        .await;
    let app = AppId::default();
    for key in keys {
        let mut key = key.clone();
        key.created_at = START;
        let added = match key.kind {
            KeyKind::Dynamic => {
                key.kid = format!("d-{START}");
                store.inner().add_dynamic_key(&app, &key, START).await
            }
            KeyKind::Static => store.inner().add_static_key(&app, &key).await,
        };
        assert!(added.unwrap());
    }
}
