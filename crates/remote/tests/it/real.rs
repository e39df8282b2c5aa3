//! Our own core, in this process, on a port of its own.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use supersession::{AppId, Clock, Entropy, Sessions, SystemClock, SystemEntropy};
use supersession_remote::RemoteCore;
use supersession_server::{
    AnyStore, Bound, Limits, ServeOptions, Service, ServiceOptions, Values, serve,
};
use supersession_sqlite::SqliteStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fake::configured;

/// A core, until it is stopped or dropped.
pub(crate) struct Real {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<bool>,
}

impl Real {
    /// Starts a core over the database in this file.
    pub(crate) async fn start(database: &Path) -> Self {
        let store = AnyStore::new(SqliteStore::open(database).await.unwrap());
        Self::start_with(store, Values::new(), SystemClock, SystemEntropy).await
    }

    /// Starts a core over this store with this configuration.
    pub(crate) async fn start_with(
        store: AnyStore,
        core_config: Values,
        clock: impl Clock,
        entropy: impl Entropy,
    ) -> Self {
        let mut options = ServiceOptions::default();
        options.core_config = core_config;
        options.limits = Limits::Lifted;
        options.signing_threads = 1;
        let (clock, entropy) = (Arc::new(clock), Arc::new(entropy));
        let service = Service::open(store, options, clock, entropy).await.unwrap();
        let bound = Bound::to(([127, 0, 0, 1], 0).into()).await.unwrap();
        let url = format!("http://{}", bound.address());
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(
            bound,
            Arc::new(service),
            ServeOptions::default(),
            async {
                let _ = stopped.await;
            },
        ));
        Self {
            url,
            stop: Some(stop),
            serving,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        let finished = (&mut self.serving).await.unwrap();
        assert!(finished, "what was under way is finished");
    }

    /// Sessions over this core.
    pub(crate) async fn sessions(&self) -> Sessions {
        let core = RemoteCore::at(&self.url)
            .require_atomic_writes(true)
            .build()
            .await
            .unwrap();
        configured(Sessions::over(core)).build().await.unwrap()
    }

    /// Creates an app with this configuration. Returns sessions of that app.
    pub(crate) async fn app(&self, id: &str, config: Value) -> Sessions {
        let body = json!({ "appId": id, "coreConfig": config });
        let made = self.sdk("PUT", "/recipe/multitenancy/app/v2", &body).await;
        assert_eq!(made["createdNew"], true, "{made}");
        let core = RemoteCore::at(&self.url).app_id(AppId::new(id).unwrap());
        configured(Sessions::over(core.build().await.unwrap()))
            .build()
            .await
            .unwrap()
    }

    /// Makes a call like SuperTokens' Node SDK.
    pub(crate) async fn sdk(&self, method: &str, path: &str, body: &Value) -> Value {
        self.sdk_of("5.4", method, path, body).await
    }

    /// Makes a call like an SDK of this CDI version.
    pub(crate) async fn sdk_of(
        &self,
        version: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Value {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("cdi-version", version)
            .header("rid", "session")
            .header("content-type", "application/json; charset=utf-8")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = client.request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
