//! The store's revocation feed.

use tokio::sync::mpsc;

use super::SessionKey;

/// Maximum number of unread notifications. Beyond it, the feed is lost.
const CAPACITY: usize = 16_384;

/// The revocation feed: notifications of sessions that any node deletes. Returned by a store's
/// [`revocation_feed`](super::Store::revocation_feed).
///
/// # Examples
/// ```
/// use supersession::AppId;
/// use supersession::store::{RevocationFeed, SessionKey};
///
/// # pollster::block_on(async {
/// let (sender, mut revocations) = RevocationFeed::channel();
/// let key = SessionKey::new(&AppId::default(), "handle".into());
/// assert!(sender.tell(key.clone()));
/// assert_eq!(revocations.next().await, Some(key));
/// // The store has lost its connection:
/// drop(sender);
/// assert_eq!(revocations.next().await, None);
/// # });
/// ```
#[derive(Debug)]
pub struct RevocationFeed {
    keys: mpsc::Receiver<SessionKey>,
}

/// The store's side of [`RevocationFeed`].
#[derive(Debug)]
pub struct RevocationSender {
    keys: mpsc::Sender<SessionKey>,
}

impl RevocationFeed {
    /// Creates a feed and its sender.
    #[must_use]
    pub fn channel() -> (RevocationSender, Self) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (RevocationSender { keys: sender }, Self { keys: receiver })
    }

    /// Returns the next revoked session, or `None` if the feed is lost and revocations may have
    /// been missed.
    pub async fn next(&mut self) -> Option<SessionKey> {
        self.keys.recv().await
    }
}

impl RevocationSender {
    /// Notifies the receiver of a revoked session. Returns `false` if the receiver is gone, or so
    /// far behind that this notification is lost. The store must then drop the sender, so that the
    /// receiver detects the gap.
    #[must_use = "a sender that answers false must be dropped"]
    pub fn tell(&self, key: SessionKey) -> bool {
        self.keys.try_send(key).is_ok()
    }

    /// Resolves when the receiver is gone, so that the store can release the feed's resources.
    pub async fn closed(&self) {
        self.keys.closed().await;
    }
}
