//! Figures, not verdicts. Run it by hand: `cargo test --release -p supersession-sqlite --test it load --
//! --ignored --nocapture`.

use supersession_testkit::store::load::clearing_up;

use crate::Place;

#[ignore = "takes minutes and measures"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clearing_up_a_million_sessions() {
    let place = Place::new();
    let lines = clearing_up(place.store().await, 1_000_000).await;
    for line in lines {
        println!("{line}");
    }
}
