//! The engines that perform the operations of a node, in this process or in another one.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use supersession::{
    AccessToken, AntiCsrfInput, AntiCsrfToken, JsonObject, RefreshToken, Session, SessionError,
    Sessions, Strictness, VerifyOptions,
};

use super::record::{Answer, Call, Document, Place, TokenId};

/// Name of the counter in documents.
const COUNTER: &str = "counter";
/// First character of the names of merged members.
const MEMBER: char = 'm';

/// The tokens that a client keeps for its session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Bare", into = "Bare")]
pub struct Held {
    user: String,
    handle: String,
    access: AccessToken,
    refresh: RefreshToken,
    anti_csrf: Option<AntiCsrfToken>,
}

impl Held {
    fn of(session: &Session) -> Option<Self> {
        let tokens = session.all_session_tokens_dangerously();
        Some(Self {
            user: session.user_id().to_string(),
            handle: session.handle().to_string(),
            access: tokens.access_token,
            refresh: tokens.refresh_token?,
            anti_csrf: tokens.anti_csrf_token,
        })
    }

    /// Returns the session handle.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.handle
    }

    /// Returns the user of the session.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn token(&self) -> TokenId {
        TokenId::of(&self.refresh)
    }
}

/// The serialized form of [`Held`], which is sent between processes. Only this type exposes the
/// tokens.
#[derive(Serialize, Deserialize)]
struct Bare {
    user: String,
    handle: String,
    access: String,
    refresh: String,
    anti_csrf: Option<String>,
}

impl From<Bare> for Held {
    fn from(bare: Bare) -> Self {
        Self {
            user: bare.user,
            handle: bare.handle,
            access: AccessToken::new(bare.access),
            refresh: RefreshToken::new(bare.refresh),
            anti_csrf: bare.anti_csrf.map(AntiCsrfToken::new),
        }
    }
}

impl From<Held> for Bare {
    fn from(held: Held) -> Self {
        Self {
            user: held.user,
            handle: held.handle,
            access: held.access.expose().to_owned(),
            refresh: held.refresh.expose().to_owned(),
            anti_csrf: held.anti_csrf.map(|token| token.expose().to_owned()),
        }
    }
}

/// A [`Call`] with the data that is needed to perform it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as the calls of the same names")]
pub enum Ask {
    Create(String),
    Verify(Held),
    Guard(Held),
    Await(Held),
    Read(Place),
    Increment(Place),
    Merge(Place, String),
    Refresh(Held),
    Replay(Held),
    Revoke(String),
    RevokeAll(String),
    List(String),
}

impl Ask {
    /// Returns the call that is recorded in the history.
    #[must_use]
    pub fn call(&self) -> Call {
        match self.clone() {
            Self::Create(user) => Call::Create(user),
            Self::Verify(held) => Call::Verify(held.handle),
            Self::Guard(held) => Call::Guard(held.handle),
            Self::Await(held) => Call::Await(held.handle),
            Self::Read(place) => Call::Read(place),
            Self::Increment(place) => Call::Increment(place),
            Self::Merge(place, member) => Call::Merge(place, member),
            Self::Refresh(held) => Call::Refresh(held.handle.clone(), held.token()),
            Self::Replay(held) => Call::Replay(held.handle.clone(), held.token()),
            Self::Revoke(session) => Call::Revoke(session),
            Self::RevokeAll(user) => Call::RevokeAll(user),
            Self::List(user) => Call::List(user),
        }
    }
}

/// Performs the operations of a node.
#[async_trait]
pub trait Engine: fmt::Debug + Send + Sync {
    /// Performs an operation. Returns the answer, and what a client keeps from then on.
    async fn perform(&self, ask: Ask) -> (Answer, Option<Held>);

    /// Returns `true` if the engine can be expected to answer.
    fn is_up(&self) -> bool {
        true
    }
}

/// An engine in this process.
#[derive(Clone, Debug)]
pub struct Local {
    number: usize,
    sessions: Sessions,
}

impl Local {
    /// Creates the engine of the node with this number.
    #[must_use]
    pub fn new(number: usize, sessions: Sessions) -> Self {
        Self { number, sessions }
    }

    async fn create(&self, user: &str) -> (Answer, Option<Held>) {
        let created = self.sessions.create(user).await;
        let held = created.ok().as_ref().and_then(Held::of);
        let answer = held.as_ref().map_or(Answer::Unknown, |held| {
            Answer::Created(held.handle.clone(), held.token())
        });
        (answer, held)
    }

    async fn verify(&self, held: &Held, strictness: Strictness) -> Result<Session, Answer> {
        let options = VerifyOptions::default()
            .strictness(strictness)
            .anti_csrf_check(false);
        let verified = self
            .sessions
            .verify_access_token(&held.access, None, &options)
            .await;
        match verified {
            Ok(Some(session)) => Ok(session),
            Err(SessionError::Unauthorised(reason)) if !reason.clears_tokens() => {
                Err(Answer::RotatedOut)
            }
            Err(SessionError::TryRefreshToken(_)) => Err(Answer::RotatedOut),
            Ok(None) | Err(SessionError::Unauthorised(_)) => Err(Answer::Gone),
            Err(_) => Err(Answer::Unknown),
        }
    }

    /// Waits until the session has ended.
    async fn wait_for_end(&self, held: &Held) -> Answer {
        match self.verify(held, Strictness::TokenOnly).await {
            Ok(session) => {
                session.ended().await;
                Answer::Gone
            }
            Err(answer) => answer,
        }
    }

    async fn read(&self, place: &Place) -> Answer {
        match place {
            Place::SessionData(session) => document(self.sessions.session_data(session).await),
            Place::Payload(session) => {
                let information = self.sessions.information(session.as_str()).await;
                whole(
                    information
                        .map(|information| information.map(|found| found.access_token_payload)),
                )
            }
            Place::Metadata(user) => {
                let metadata = self.sessions.user_metadata().get(user.as_str()).await;
                document(metadata.map(Some))
            }
        }
    }

    async fn increment(&self, place: &Place) -> Answer {
        let change = |data: &mut Map<String, Value>| {
            let counter = data.get(COUNTER).and_then(Value::as_u64);
            let counted = counter.unwrap_or_default() + 1;
            data.insert(COUNTER.to_owned(), counted.into());
            data.clone()
        };
        document(match place {
            Place::SessionData(session) => self.sessions.modify_session_data(session, change).await,
            Place::Payload(session) => {
                self.sessions
                    .modify_access_token_payload(session.as_str(), change)
                    .await
            }
            Place::Metadata(user) => {
                let metadata = self.sessions.user_metadata();
                metadata.modify(user.as_str(), change).await.map(Some)
            }
        })
    }

    async fn merge(&self, place: &Place, member: &str) -> Answer {
        let patch = json!({ (member): 1 });
        whole(match place {
            Place::SessionData(session) => self.sessions.merge_session_data(session, patch).await,
            Place::Payload(session) => {
                self.sessions
                    .merge_into_access_token_payload(session.as_str(), patch)
                    .await
            }
            Place::Metadata(user) => {
                let metadata = self.sessions.user_metadata();
                metadata.update(user.as_str(), patch).await.map(Some)
            }
        })
    }

    /// Refreshes the session. Nodes with an odd number disable anti-CSRF, as a route for
    /// non-browser clients does. The successor must be the same.
    async fn refresh(&self, held: &Held) -> (Answer, Option<Held>) {
        let anti_csrf = if self.number.is_multiple_of(2) {
            AntiCsrfInput::Token(held.anti_csrf.as_ref())
        } else {
            AntiCsrfInput::Disabled
        };
        let refreshed = self
            .sessions
            .refresh_session(&held.refresh, anti_csrf)
            .await;
        match refreshed {
            Ok(session) => match Held::of(&session) {
                Some(next) => match session.access_token_payload_as() {
                    Ok(payload) => (Answer::Refreshed(next.token(), ours(&payload)), Some(next)),
                    Err(_) => (Answer::Unknown, None),
                },
                None => (Answer::Unknown, None),
            },
            Err(SessionError::Unauthorised(_)) => (Answer::Gone, None),
            Err(SessionError::TokenTheftDetected(_)) => (Answer::Theft, None),
            Err(_) => (Answer::Unknown, None),
        }
    }

    async fn revoke(&self, session: &str) -> Answer {
        match self.sessions.revoke(session).await {
            Ok(true) => Answer::Revoked(vec![session.to_owned()]),
            Ok(false) => Answer::Revoked(Vec::new()),
            Err(_) => Answer::Unknown,
        }
    }

    async fn revoke_all(&self, user: &str) -> Answer {
        let revoked = self.sessions.revoke_all_for_user(user).await;
        revoked.map_or(Answer::Unknown, |handles| Answer::Revoked(texts(&handles)))
    }

    async fn list(&self, user: &str) -> Answer {
        let listed = self.sessions.handles_for_user(user).await;
        listed.map_or(Answer::Unknown, |handles| Answer::Listed(texts(&handles)))
    }
}

#[async_trait]
impl Engine for Local {
    async fn perform(&self, ask: Ask) -> (Answer, Option<Held>) {
        let alive = |verified: Result<Session, Answer>| match verified {
            Ok(_) => Answer::Alive,
            Err(answer) => answer,
        };
        let answer = match ask {
            Ask::Create(user) => return self.create(&user).await,
            Ask::Refresh(held) | Ask::Replay(held) => return self.refresh(&held).await,
            Ask::Verify(held) => alive(self.verify(&held, Strictness::Database).await),
            Ask::Guard(held) => alive(self.verify(&held, Strictness::Feed).await),
            Ask::Await(held) => self.wait_for_end(&held).await,
            Ask::Read(place) => self.read(&place).await,
            Ask::Increment(place) => self.increment(&place).await,
            Ask::Merge(place, member) => self.merge(&place, &member).await,
            Ask::Revoke(session) => self.revoke(&session).await,
            Ask::RevokeAll(user) => self.revoke_all(&user).await,
            Ask::List(user) => self.list(&user).await,
        };
        (answer, None)
    }
}

fn texts(handles: &[supersession::SessionHandle]) -> Vec<String> {
    handles.iter().map(ToString::to_string).collect()
}

fn document<E>(read: Result<Option<Map<String, Value>>, E>) -> Answer {
    match read {
        Ok(Some(data)) => Answer::Document(ours(&data)),
        Ok(None) => Answer::Gone,
        Err(_) => Answer::Unknown,
    }
}

fn whole<E>(read: Result<Option<JsonObject>, E>) -> Answer {
    match read {
        Ok(Some(object)) => document(object.deserialize().map(Some)),
        Ok(None) => Answer::Gone,
        Err(_) => Answer::Unknown,
    }
}

/// Returns the content that histories write. A payload also contains members of the protocol.
fn ours(data: &Map<String, Value>) -> Document {
    Document {
        counter: data
            .get(COUNTER)
            .and_then(Value::as_u64)
            .unwrap_or_default(),
        members: data
            .keys()
            .filter(|name| name.starts_with(MEMBER))
            .cloned()
            .collect(),
    }
}
