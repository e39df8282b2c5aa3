//! The suite that every store must pass, on one server and on a cluster of three.

use supersession_redis::RedisStore;
use supersession_testkit::servers::{RedisCluster, RedisServer};

use crate::{options, prefix};

async fn on_one_server() -> Option<(RedisStore, ())> {
    let store = options(RedisServer::shared()?).open().await.unwrap();
    Some((store, ()))
}

async fn on_a_cluster() -> Option<(RedisStore, ())> {
    let urls = RedisCluster::shared()?.urls();
    let options = RedisStore::options().cluster(urls).prefix(prefix());
    Some((options.open().await.unwrap(), ()))
}

supersession_testkit::store_conformance!(on_one_server);
supersession_testkit::tenant_conformance!(on_one_server);

mod revocations {
    supersession_testkit::store_endings_conformance!(super::on_one_server);
}

mod cluster {
    supersession_testkit::store_conformance!(super::on_a_cluster);
    supersession_testkit::tenant_conformance!(super::on_a_cluster);

    mod revocations {
        supersession_testkit::store_endings_conformance!(super::super::on_a_cluster);
    }
}

/// The contract as a state machine.
mod model {
    supersession_testkit::store_model!(super::on_one_server, 12);
}
