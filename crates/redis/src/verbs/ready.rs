//! The check that reads and writes can succeed.

use futures_util::future::try_join_all;

use crate::context::Context;
use crate::fault::Fault;
use crate::keys::LAST_BUCKET;
use crate::layout::check_layout;

/// Time for which the server keeps the key of the check, in milliseconds.
const TIME_TO_LIVE: &str = "60000";
/// Number of buckets of a cluster that are checked concurrently.
const AT_ONCE: usize = 32;

/// Writes once for each bucket of sessions that may be on a different server. A server rejects the
/// write if it is a replica, cannot persist, is full, or has too few replicas.
pub(crate) async fn check(store: &Context) -> Result<(), Fault> {
    check_layout(&store.link, &store.scripts, &store.keys).await?;
    let last = if store.link.shares_slots() {
        0
    } else {
        LAST_BUCKET
    };
    let buckets: Vec<u8> = (0..=last).collect();
    for buckets in buckets.chunks(AT_ONCE) {
        try_join_all(buckets.iter().map(|bucket| async {
            let name = store.keys.ready(*bucket);
            let script = &store.scripts.ready;
            store.link.call(script, &[name], &[TIME_TO_LIVE]).await
        }))
        .await?;
    }
    Ok(())
}
