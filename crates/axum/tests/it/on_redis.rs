//! The same answers, to the byte, with Redis behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use supersession_axum::core::{Sessions, Store};
use supersession_redis::RedisStore;
use supersession_testkit::adapter::{Driver, WireRequest, WireResponse};
use supersession_testkit::servers::RedisServer;

use crate::driver::Axum;

supersession_testkit::adapter_conformance!(OnRedis);

struct OnRedis;

impl Driver for OnRedis {
    type App = Router;

    fn is_ready(&self) -> bool {
        RedisServer::shared().is_some()
    }

    async fn store(&self) -> Arc<dyn Store> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let url = RedisServer::shared().unwrap().url();
        let prefix = format!("world-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let options = RedisStore::options().url(url).prefix(prefix);
        Arc::new(options.open().await.unwrap())
    }

    fn layer_name(&self) -> &'static str {
        Axum.layer_name()
    }

    async fn app(&self, sessions: Option<Sessions>) -> Router {
        Axum.app(sessions).await
    }

    async fn send(&self, app: &Router, request: WireRequest) -> WireResponse {
        Axum.send(app, request).await
    }
}
