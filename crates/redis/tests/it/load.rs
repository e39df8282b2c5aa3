//! Figures, not verdicts. Run it by hand: `cargo test --release -p supersession-redis --test it load --
//! --ignored --nocapture`.

use supersession_redis::RedisStore;
use supersession_testkit::servers::RedisServer;
use supersession_testkit::store::load::clearing_up;

#[ignore = "takes minutes and measures"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clearing_up_a_million_sessions() {
    let settings = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(server) = RedisServer::start(&settings) else {
        return;
    };
    let store = RedisStore::open(server.url()).await.unwrap();
    let lines = clearing_up(store, 1_000_000).await;
    for line in lines {
        println!("{line}");
    }
}
