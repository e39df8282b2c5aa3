//! The same transcripts, with sessions in PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use supersession::{Sessions, Store};
use supersession_postgres::PostgresStore;
use supersession_testkit::adapter::{Driver, WireRequest, WireResponse};
use supersession_testkit::servers::PostgresServer;

use crate::driver::Actix;

supersession_testkit::adapter_conformance!(OnPostgres);

struct OnPostgres;

impl Driver for OnPostgres {
    type App = Option<Sessions>;

    fn layer_name(&self) -> &'static str {
        Actix.layer_name()
    }

    async fn app(&self, sessions: Option<Sessions>) -> Option<Sessions> {
        Actix.app(sessions).await
    }

    async fn send(&self, app: &Option<Sessions>, request: WireRequest) -> WireResponse {
        Actix.send(app, request).await
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
