//! A node under test: asks its engine, and notes what it asked and what it was told.

use std::sync::Arc;

use supersession::Sessions;

use super::{Answer, Ask, Engine, Held, History, Local, Place};

/// One of several engines on the same store.
#[derive(Clone, Debug)]
pub struct Node {
    number: usize,
    engine: Arc<dyn Engine>,
    history: Arc<History>,
}

impl Node {
    /// A node that notes what it does in this history.
    #[must_use]
    pub fn new(number: usize, sessions: Sessions, history: &Arc<History>) -> Self {
        Self::over(number, Arc::new(Local::new(number, sessions)), history)
    }

    /// A node over an engine that may be anywhere.
    #[must_use]
    pub fn over(number: usize, engine: Arc<dyn Engine>, history: &Arc<History>) -> Self {
        Self {
            number,
            engine,
            history: Arc::clone(history),
        }
    }

    /// Whether it is worth asking.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.engine.is_up()
    }

    /// Creates a session; none if whether it did is not known.
    pub async fn create(&self, user: &str) -> Option<Held> {
        self.exchange(Ask::Create(user.to_owned())).await.1
    }

    /// Verifies the access token, and asks the database about its session.
    pub async fn verify(&self, held: &Held) -> Answer {
        self.ask(Ask::Verify(held.clone())).await
    }

    /// Verifies the access token, and relies on the feed of endings.
    pub async fn guard(&self, held: &Held) -> Answer {
        self.ask(Ask::Guard(held.clone())).await
    }

    /// Waits to be told that the session has ended.
    pub async fn wait_for_end(&self, held: &Held) -> Answer {
        self.ask(Ask::Await(held.clone())).await
    }

    /// Reads a document.
    pub async fn read(&self, place: &Place) -> Answer {
        self.ask(Ask::Read(place.clone())).await
    }

    /// Counts one on.
    pub async fn increment(&self, place: &Place) -> Answer {
        self.ask(Ask::Increment(place.clone())).await
    }

    /// Merges a member, of a name that nobody else merges and that begins with `m`.
    pub async fn merge(&self, place: &Place, member: &str) -> Answer {
        self.ask(Ask::Merge(place.clone(), member.to_owned())).await
    }

    /// Refreshes; what the client keeps from then on.
    pub async fn refresh(&self, held: &Held) -> (Answer, Option<Held>) {
        self.exchange(Ask::Refresh(held.clone())).await
    }

    /// Refreshes with what is known to be good no more.
    pub async fn replay(&self, held: &Held) -> Answer {
        self.ask(Ask::Replay(held.clone())).await
    }

    /// Ends a session.
    pub async fn revoke(&self, session: &str) -> Answer {
        self.ask(Ask::Revoke(session.to_owned())).await
    }

    /// Ends all sessions of a user.
    pub async fn revoke_all(&self, user: &str) -> Answer {
        self.ask(Ask::RevokeAll(user.to_owned())).await
    }

    /// Lists the sessions of a user.
    pub async fn list(&self, user: &str) -> Answer {
        self.ask(Ask::List(user.to_owned())).await
    }

    async fn ask(&self, ask: Ask) -> Answer {
        self.exchange(ask).await.0
    }

    async fn exchange(&self, ask: Ask) -> (Answer, Option<Held>) {
        let operation = self.history.begin(self.number, ask.call());
        let (answer, held) = self.engine.perform(ask).await;
        self.history.end(operation, answer.clone());
        (answer, held)
    }
}
