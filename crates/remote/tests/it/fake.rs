//! A scripted core.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use supersession::store::MemoryStore;
use supersession::{Clock, Session, Sessions, SessionsBuilder};
use supersession_remote::{RemoteCore, RemoteCoreBuilder};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A request that the core received.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.split('?').next() == Some(path)
    }
}

/// The reaction of the core.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Json(Value),
    Bytes(u16, Vec<u8>),
    Headers(u16, Vec<u8>, Vec<(&'static str, String)>),
    /// Closes the connection without a response.
    Cut,
    /// Never responds.
    Hang,
}

impl Reply {
    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self::Bytes(status, format!("{text}\n").into_bytes())
    }
}

type Script = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A listening core. Stopped when dropped.
pub(crate) struct Fake {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// Starts a core. The script answers all requests except those of the negotiation.
    pub(crate) async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_bare(move |seen| about_itself(seen, "5.6").unwrap_or_else(|| script(seen)))
            .await
    }

    pub(crate) async fn start_bare(
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (counter, count) = watch::channel(0);
        let (script, log, counter): (Arc<Script>, _, _) =
            (Arc::new(script), Arc::clone(&seen), Arc::new(counter));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, log, counter) =
                    (Arc::clone(&script), Arc::clone(&log), Arc::clone(&counter));
                let service = service_fn(move |request| {
                    let (script, log, counter) =
                        (Arc::clone(&script), Arc::clone(&log), Arc::clone(&counter));
                    async move {
                        let seen = read(request).await;
                        let reply = script(&seen);
                        log.lock().unwrap().push(seen);
                        counter.send_modify(|count| *count += 1);
                        answer(reply).await
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            address,
            seen,
            count,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self, method: &str, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|seen| seen.is(method, path))
            .cloned()
            .collect()
    }

    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.seen(method, path).len()
    }

    /// Waits until the core has received this number of requests.
    pub(crate) async fn until(&self, method: &str, path: &str, count: usize) {
        let mut changes = self.count.clone();
        let enough = changes.wait_for(|_| self.count(method, path) >= count);
        tokio::time::timeout(Duration::from_secs(20), enough)
            .await
            .unwrap()
            .unwrap();
    }
}

async fn read(request: Request<Incoming>) -> Seen {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Seen {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

async fn answer(reply: Reply) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (status, body, headers) = match reply {
        Reply::Json(value) => (200, value.to_string().into_bytes(), Vec::new()),
        Reply::Bytes(status, body) => (status, body, Vec::new()),
        Reply::Headers(status, body, headers) => (status, body, headers),
        Reply::Cut => return Err(std::io::Error::other("cut")),
        Reply::Hang => match std::future::pending::<Infallible>().await {},
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(body.into())).unwrap())
}

/// The responses of a core of this version to the negotiation.
pub(crate) fn about_itself(seen: &Seen, version: &str) -> Option<Reply> {
    if seen.is("GET", "/apiversion") {
        Some(Reply::Json(json!({ "versions": ["2.21", version] })))
    } else if seen.path == supersession::wire::DOCUMENT_PATH {
        Some(Reply::text(404, "Not found"))
    } else {
        None
    }
}

/// The information about a session, as cores return it.
pub(crate) fn information(handle: &str, data: &Value) -> Reply {
    Reply::Json(json!({
        "status": "OK", "sessionHandle": handle, "userId": "alice", "recipeUserId": "alice",
        "userDataInDatabase": data, "userDataInJWT": {}, "expiry": 99, "timeCreated": 7,
        "tenantId": "public",
    }))
}

/// From then on, everything that is logged is searched for tokens; see `secrecy.rs`.
pub(crate) fn configured(builder: SessionsBuilder) -> SessionsBuilder {
    crate::capture::install();
    builder
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
}

/// Sessions over cores at these hosts.
pub(crate) async fn over(hosts: &[&Fake]) -> Sessions {
    over_with(hosts, |core| core).await
}

pub(crate) async fn over_with(
    hosts: &[&Fake],
    configure: impl FnOnce(RemoteCoreBuilder) -> RemoteCoreBuilder,
) -> Sessions {
    let mut core = RemoteCore::at(hosts[0].url());
    for host in &hosts[1..] {
        core = core.host(host.url());
    }
    let core = configure(core).build().await.unwrap();
    configured(Sessions::over(core)).build().await.unwrap()
}

/// Mints the tokens that the scripts return.
pub(crate) struct Mint {
    sessions: Sessions,
}

impl Mint {
    pub(crate) async fn new(clock: impl Clock) -> Self {
        let builder = configured(Sessions::builder(MemoryStore::new()));
        let sessions = builder
            .cleanup_interval(None)
            .signing_threads(1)
            .clock(clock)
            .build()
            .await
            .unwrap();
        Self { sessions }
    }

    pub(crate) async fn session(&self) -> Session {
        self.sessions.create("alice").await.unwrap()
    }

    pub(crate) async fn key_set(&self) -> Reply {
        let set = self.sessions.jwks().await.unwrap();
        Reply::Headers(
            200,
            serde_json::to_vec(&set).unwrap(),
            vec![("cache-control", set.cache_control())],
        )
    }

    /// The response of a core to a creation or a refresh.
    pub(crate) async fn tokens(&self) -> Reply {
        let tokens = self.session().await.all_session_tokens_dangerously();
        Reply::Json(json!({
            "status": "OK",
            "session": { "handle": "ignored", "userId": "alice", "userDataInJWT": {} },
            "accessToken": { "token": tokens.access_token.expose(), "expiry": 1, "createdTime": 1 },
            "refreshToken": {
                "token": tokens.refresh_token.unwrap().expose(), "expiry": 7, "createdTime": 1,
            },
        }))
    }
}
