//! The suite that every store passes, each case in a schema of its own.

use supersession_postgres::PostgresStore;

use crate::{Place, server};

async fn in_a_schema() -> Option<(PostgresStore, ())> {
    let place = Place::new(server()?);
    Some((place.store().await, ()))
}

supersession_testkit::store_conformance!(in_a_schema);
supersession_testkit::tenant_conformance!(in_a_schema);

mod revocations {
    supersession_testkit::store_endings_conformance!(super::in_a_schema);
}

/// Over the Unix socket, from a pool of the application's own, with a prefix, on few connections.
mod in_a_pool {
    use deadpool_postgres::{Manager, Pool};
    use supersession_postgres::{PostgresStore, deadpool_postgres};

    use deadpool_postgres::tokio_postgres::{Config, NoTls};

    use crate::{Place, server};

    async fn in_a_pool() -> Option<(PostgresStore, ())> {
        let server = server()?;
        let config: Config = server.socket_url().parse().unwrap();
        let pool = Pool::builder(Manager::new(config, NoTls)).max_size(2);
        let place = Place::new(server);
        let store = PostgresStore::options()
            .pool(pool.build().unwrap())
            .schema(&place.schema)
            .table_prefix("st")
            .open();
        Some((store.await.unwrap(), ()))
    }

    supersession_testkit::store_conformance!(in_a_pool);
    supersession_testkit::tenant_conformance!(in_a_pool);
}

/// The contract as a state machine.
mod model {
    supersession_testkit::store_model!(super::in_a_schema, 12);
}
