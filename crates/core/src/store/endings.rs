//! The feed by which a store tells of sessions that end.

use tokio::sync::mpsc;

use super::SessionKey;

/// How many endings may wait to be read before the feed counts as lost.
const CAPACITY: usize = 16_384;

/// Sessions that end, on whichever node, as they do. What a store's
/// [`endings`](super::Store::endings) gives.
///
/// # Examples
/// ```
/// use supersession::AppId;
/// use supersession::store::{Endings, SessionKey};
///
/// # pollster::block_on(async {
/// let (sender, mut endings) = Endings::channel();
/// let key = SessionKey::new(&AppId::default(), "handle".into());
/// assert!(sender.tell(key.clone()));
/// assert_eq!(endings.next().await, Some(key));
/// // The store has lost its connection:
/// drop(sender);
/// assert_eq!(endings.next().await, None);
/// # });
/// ```
#[derive(Debug)]
pub struct Endings {
    keys: mpsc::Receiver<SessionKey>,
}

/// The store's side of [`Endings`].
#[derive(Debug)]
pub struct EndingsSender {
    keys: mpsc::Sender<SessionKey>,
}

impl Endings {
    /// A feed, and what feeds it.
    #[must_use]
    pub fn channel() -> (EndingsSender, Self) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (EndingsSender { keys: sender }, Self { keys: receiver })
    }

    /// The next session that ended; `None` when the feed is lost, and endings may have been missed.
    pub async fn next(&mut self) -> Option<SessionKey> {
        self.keys.recv().await
    }
}

impl EndingsSender {
    /// Tells of a session that ended. False if nobody listens any more, or the listener is so far
    /// behind that this ending is lost: the store must then drop the sender, so that the listener
    /// learns of the gap.
    #[must_use = "a sender that answers false must be dropped"]
    pub fn tell(&self, key: SessionKey) -> bool {
        self.keys.try_send(key).is_ok()
    }

    /// Resolves when nobody listens any more, so that what feeds this can be given up.
    pub async fn closed(&self) {
        self.keys.closed().await;
    }
}
