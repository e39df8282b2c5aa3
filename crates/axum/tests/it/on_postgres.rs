//! The same transcripts, with sessions in PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use supersession_axum::core::{Sessions, Store};
use supersession_postgres::PostgresStore;
use supersession_testkit::adapter::{Driver, WireRequest, WireResponse};
use supersession_testkit::servers::PostgresServer;

use crate::driver::Axum;

supersession_testkit::adapter_conformance!(OnPostgres);

struct OnPostgres;

impl Driver for OnPostgres {
    type App = Router;

    fn layer_name(&self) -> &'static str {
        Axum.layer_name()
    }

    async fn app(&self, sessions: Option<Sessions>) -> Router {
        Axum.app(sessions).await
    }

    async fn send(&self, app: &Router, request: WireRequest) -> WireResponse {
        Axum.send(app, request).await
    }

    async fn store(&self) -> Arc<dyn Store> {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        let world = WORLDS.fetch_add(1, Ordering::Relaxed);
        let server = PostgresServer::shared().unwrap();
        let options = PostgresStore::options()
            .url(server.url())
            .schema(format!("world_{world}"))
            .pool_size(2);
        Arc::new(options.open().await.unwrap())
    }

    fn is_ready(&self) -> bool {
        PostgresServer::shared().is_some()
    }
}
