//! A node under test: forwards operations to its engine and records them.

use std::sync::Arc;

use supersession::Sessions;

use super::engine::{Ask, Engine, Held, Local};
use super::record::{Answer, History, Place};

/// One of several nodes on the same store.
#[derive(Clone, Debug)]
pub struct Node {
    number: usize,
    engine: Arc<dyn Engine>,
    history: Arc<History>,
}

impl Node {
    /// Creates a node on an engine in this process that records its operations in `history`.
    #[must_use]
    pub fn new(number: usize, sessions: Sessions, history: &Arc<History>) -> Self {
        Self::over(number, Arc::new(Local::new(number, sessions)), history)
    }

    /// Creates a node on any engine.
    #[must_use]
    pub fn over(number: usize, engine: Arc<dyn Engine>, history: &Arc<History>) -> Self {
        Self {
            number,
            engine,
            history: Arc::clone(history),
        }
    }

    /// Returns `true` if the engine can be expected to answer.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.engine.is_up()
    }

    /// Creates a session. Returns `None` if the outcome is unknown.
    pub async fn create(&self, user: &str) -> Option<Held> {
        self.exchange(Ask::Create(user.to_owned())).await.1
    }

    /// Verifies the access token and checks the session in the database.
    pub async fn verify(&self, held: &Held) -> Answer {
        self.ask(Ask::Verify(held.clone())).await
    }

    /// Verifies the access token and relies on the revocation feed.
    pub async fn guard(&self, held: &Held) -> Answer {
        self.ask(Ask::Guard(held.clone())).await
    }

    /// Waits until the session has ended.
    pub async fn wait_for_end(&self, held: &Held) -> Answer {
        self.ask(Ask::Await(held.clone())).await
    }

    /// Reads a document.
    pub async fn read(&self, place: &Place) -> Answer {
        self.ask(Ask::Read(place.clone())).await
    }

    /// Increments the counter.
    pub async fn increment(&self, place: &Place) -> Answer {
        self.ask(Ask::Increment(place.clone())).await
    }

    /// Merges a member. The name must be unique and begin with `m`.
    pub async fn merge(&self, place: &Place, member: &str) -> Answer {
        self.ask(Ask::Merge(place.clone(), member.to_owned())).await
    }

    /// Refreshes the session. Also returns what the client keeps from then on.
    pub async fn refresh(&self, held: &Held) -> (Answer, Option<Held>) {
        self.exchange(Ask::Refresh(held.clone())).await
    }

    /// Presents a refresh token that is known to be invalid.
    pub async fn replay(&self, held: &Held) -> Answer {
        self.ask(Ask::Replay(held.clone())).await
    }

    /// Revokes a session.
    pub async fn revoke(&self, session: &str) -> Answer {
        self.ask(Ask::Revoke(session.to_owned())).await
    }

    /// Revokes all sessions of a user.
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
