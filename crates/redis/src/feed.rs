//! The revocation feed: a subscription on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSub;
use redis::{Client, Msg, cmd};
use supersession::store::{RevocationFeed, RevocationSender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::context::Context;
use crate::fault::Fault;
use crate::keys::Entry;

/// Opens a feed and returns once the server has confirmed the subscription.
pub(crate) async fn open(store: Arc<Context>) -> Result<RevocationFeed, Fault> {
    let heartbeat = store.keys.heartbeat(&store.marks.next());
    let subscription = subscribe(&store, &heartbeat).await?;
    let (sender, revocations) = RevocationFeed::channel();
    tokio::spawn(async move {
        if let Err(end) = listen(&store, subscription, &heartbeat, &sender).await {
            tracing::warn!(
                error = &end as &dyn std::error::Error,
                "the feed of ended sessions is lost"
            );
        }
    });
    Ok(revocations)
}

async fn subscribe(store: &Context, heartbeat: &str) -> Result<PubSub, Fault> {
    let mut last = Fault::Unreachable("no server is known".to_owned());
    for client in store.link.clients() {
        match subscribe_at(store, &client, heartbeat).await {
            Ok(subscription) => return Ok(subscription),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

async fn subscribe_at(store: &Context, client: &Client, heartbeat: &str) -> Result<PubSub, Fault> {
    let connecting = client.get_async_pubsub();
    let mut subscription = timeout(store.connect_timeout, connecting)
        .await
        .map_err(|_| Fault::TimedOut)??;
    let channels = [store.keys.revocation_channel(), heartbeat.to_owned()];
    timeout(store.response_timeout, subscription.subscribe(&channels))
        .await
        .map_err(|_| Fault::TimedOut)??;
    Ok(subscription)
}

/// Forwards revocations until the connection is lost or the receiver is dropped.
///
/// Revocations can be missed without an error on this connection: the peer can disappear without
/// closing it, a network partition can separate the nodes of a cluster, and after a failover the
/// connection can still lead to the old master, which receives no more writes. Each heartbeat is
/// therefore published on the same path as deletions, by every server that accepts writes, and must
/// return from each of them in time.
async fn listen(
    store: &Context,
    subscription: PubSub,
    heartbeat: &str,
    sender: &RevocationSender,
) -> Result<(), Fault> {
    let mut messages = subscription.into_on_message();
    let mut beats = interval(store.heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut outstanding = Outstanding::default();
    loop {
        let deadline = outstanding.due.unwrap_or_else(Instant::now);
        tokio::select! {
            // Messages that have arrived are processed before a deadline or a closed receiver is
            // considered.
            biased;
            message = messages.next() => {
                let message = message.ok_or(Fault::Unreachable("the connection is closed".to_owned()))?;
                if message.get_channel_name() == heartbeat {
                    outstanding.heard();
                } else if !tell(&message, sender)? {
                    // The receiver is gone or too slow.
                    return Ok(());
                }
            }
            _ = beats.tick(), if outstanding.due.is_none() => {
                let mut publish = cmd("PUBLISH");
                publish.arg(heartbeat).arg("");
                // Messages that arrive meanwhile wait in the subscription.
                let servers = store.link.send_to_masters(&publish).await?.len();
                outstanding.expect(servers, store.response_timeout);
            }
            () = sender.closed() => return Ok(()),
            () = sleep_until(deadline), if outstanding.due.is_some() => return Err(Fault::TimedOut),
        }
    }
}

/// A heartbeat that has not returned from all servers yet.
#[derive(Default)]
struct Outstanding {
    due: Option<Instant>,
    missing: usize,
}

impl Outstanding {
    fn expect(&mut self, servers: usize, response_timeout: Duration) {
        self.missing = servers;
        self.due = (servers > 0).then(|| Instant::now() + response_timeout);
    }

    fn heard(&mut self) {
        self.missing = self.missing.saturating_sub(1);
        if self.missing == 0 {
            self.due = None;
        }
    }
}

/// Forwards a revocation. Returns `false` if the receiver no longer accepts any.
fn tell(message: &Msg, sender: &RevocationSender) -> Result<bool, Fault> {
    let text = std::str::from_utf8(message.get_payload_bytes())
        .map_err(|_| Fault::Damaged("a message of the feed"))?;
    Ok(sender.tell(Entry::parse(text)?.key))
}
