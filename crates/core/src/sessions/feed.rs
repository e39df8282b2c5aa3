//! The reader of the store's revocation feed.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::WeakSessions;
use crate::ids::AppId;
use crate::store::RevocationFeed;
use crate::telemetry;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The thread that reads the revocation feed. Dropping this value stops it.
#[derive(Debug)]
pub(crate) struct FeedReader {
    _stop: oneshot::Sender<()>,
}

impl FeedReader {
    pub(crate) fn start(
        sessions: WeakSessions,
        app: AppId,
        feed: RevocationFeed,
    ) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("supersession-feed".to_owned())
            .spawn(move || read(&sessions, &app, feed, stopped))?;
        Ok(Self { _stop: stop })
    }
}

fn read(
    sessions: &WeakSessions,
    app: &AppId,
    mut feed: RevocationFeed,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        {
            let Some(sessions) = sessions.upgrade() else {
                return;
            };
            sessions.watch().confirmed.flows();
            // Revocations may have been missed while the feed was not connected.
            pollster::block_on(sessions.look_after_all(false));
        }
        while let Some(key) = pollster::block_on(next(&mut feed, &mut stopped)) {
            let Some(sessions) = sessions.upgrade() else {
                return;
            };
            if key.app == *app {
                sessions.notify_revoked(&[key.handle]);
            }
        }
        if let Some(sessions) = sessions.upgrade() {
            sessions.watch().confirmed.lost();
            telemetry::feed_lost();
        }
        match reconnect(sessions, &mut stopped) {
            Some(again) => feed = again,
            None => return,
        }
    }
}

/// Returns the next revoked session, or `None` if the feed is lost or the reader must stop.
async fn next(
    feed: &mut RevocationFeed,
    stopped: &mut oneshot::Receiver<()>,
) -> Option<crate::store::SessionKey> {
    let mut key = pin!(feed.next());
    poll_fn(|context| {
        if Future::poll(pin!(&mut *stopped), context).is_ready() {
            return Poll::Ready(None);
        }
        key.as_mut().poll(context)
    })
    .await
}

/// Reconnects with exponential backoff and returns the new feed, or `None` if the reader must stop.
fn reconnect(
    sessions: &WeakSessions,
    stopped: &mut oneshot::Receiver<()>,
) -> Option<RevocationFeed> {
    let mut pause = FIRST_PAUSE;
    loop {
        {
            let sessions = sessions.upgrade()?;
            match pollster::block_on(sessions.authority().revocation_feed()) {
                Ok(Some(feed)) => {
                    telemetry::feed_restored();
                    return Some(feed);
                }
                // The store had a feed before, so it is treated as unreachable and retried.
                Ok(None) => {}
                Err(fault) => telemetry::fault_met(&fault),
            }
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        if !matches!(stopped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            return None;
        }
    }
}
