//! One node under test: asks, and notes what it asked and what it was told.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use supersession::{
    AccessToken, AntiCsrfInput, AntiCsrfToken, RefreshToken, Session, SessionError, Sessions,
    VerifyOptions,
};

use super::{Answer, Call, Document, History, TokenId};

/// The name of the counter in the session data.
const COUNTER: &str = "counter";

/// What a client keeps of its session.
#[derive(Clone, Debug)]
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

    /// The session.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.handle
    }

    /// Its user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

/// One of several [`Sessions`] on the same store.
#[derive(Clone, Debug)]
pub struct Node {
    number: usize,
    sessions: Sessions,
    history: Arc<History>,
}

impl Node {
    /// A node that notes what it does in this history.
    #[must_use]
    pub fn new(number: usize, sessions: Sessions, history: &Arc<History>) -> Self {
        Self {
            number,
            sessions,
            history: Arc::clone(history),
        }
    }

    /// Creates a session; none if whether it did is not known.
    pub async fn create(&self, user: &str) -> Option<Held> {
        let operation = self.begin(Call::Create(user.to_owned()));
        let created = self.sessions.create(user).await;
        let held = created.ok().as_ref().and_then(Held::of);
        let answer = held.as_ref().map_or(Answer::Unknown, |held| {
            Answer::Created(held.handle.clone(), TokenId::of(&held.refresh))
        });
        self.end(operation, answer);
        held
    }

    /// Verifies the access token, and asks the database about its session.
    pub async fn verify(&self, held: &Held) -> Answer {
        let operation = self.begin(Call::Verify(held.handle.clone()));
        let options = VerifyOptions::default()
            .check_database(true)
            .anti_csrf_check(false);
        let verified = self
            .sessions
            .verify_access_token(&held.access, None, &options)
            .await;
        let answer = match verified {
            Ok(Some(_)) => Answer::Alive,
            Err(SessionError::Unauthorised(reason)) if !reason.clears_tokens() => {
                Answer::RotatedOut
            }
            Ok(None) | Err(SessionError::Unauthorised(_)) => Answer::Gone,
            Err(_) => Answer::Unknown,
        };
        self.end(operation, answer)
    }

    /// Reads the session data.
    pub async fn read(&self, session: &str) -> Answer {
        let operation = self.begin(Call::Read(session.to_owned()));
        let read = self.sessions.session_data(session).await;
        self.end(operation, document(read))
    }

    /// Counts one on.
    pub async fn increment(&self, session: &str) -> Answer {
        let operation = self.begin(Call::Increment(session.to_owned()));
        let change = |data: &mut BTreeMap<String, u64>| {
            *data.entry(COUNTER.to_owned()).or_default() += 1;
            data.clone()
        };
        let modified = self.sessions.modify_session_data(session, change).await;
        self.end(operation, document(modified))
    }

    /// Merges a member, of a name that nobody else merges.
    pub async fn merge(&self, session: &str, member: &str) -> Answer {
        let call = Call::Merge(session.to_owned(), member.to_owned());
        let operation = self.begin(call);
        let patch = json!({ (member): 1 });
        let merged = self.sessions.merge_session_data(session, patch).await;
        let answer = match merged {
            Ok(Some(merged)) => document(merged.deserialize().map(Some)),
            Ok(None) => Answer::Gone,
            Err(_) => Answer::Unknown,
        };
        self.end(operation, answer)
    }

    /// Refreshes; what the client keeps from then on.
    ///
    /// Nodes of an odd number leave anti-CSRF tokens off, as a route for other clients does: the
    /// successor must be the same.
    pub async fn refresh(&self, held: &Held) -> (Answer, Option<Held>) {
        let token = TokenId::of(&held.refresh);
        self.exchange(held, Call::Refresh(held.handle.clone(), token))
            .await
    }

    /// Refreshes with what is known to be good no more.
    pub async fn replay(&self, held: &Held) -> Answer {
        let token = TokenId::of(&held.refresh);
        self.exchange(held, Call::Replay(held.handle.clone(), token))
            .await
            .0
    }

    async fn exchange(&self, held: &Held, call: Call) -> (Answer, Option<Held>) {
        let operation = self.begin(call);
        let anti_csrf = if self.number.is_multiple_of(2) {
            AntiCsrfInput::Token(held.anti_csrf.as_ref())
        } else {
            AntiCsrfInput::Disabled
        };
        let refreshed = self
            .sessions
            .refresh_session(&held.refresh, anti_csrf)
            .await;
        let (answer, next) = match refreshed {
            Ok(session) => match Held::of(&session) {
                Some(next) => (Answer::Refreshed(TokenId::of(&next.refresh)), Some(next)),
                None => (Answer::Unknown, None),
            },
            Err(SessionError::Unauthorised(_)) => (Answer::Gone, None),
            Err(SessionError::TokenTheftDetected(_)) => (Answer::Theft, None),
            Err(_) => (Answer::Unknown, None),
        };
        (self.end(operation, answer), next)
    }

    /// Ends a session.
    pub async fn revoke(&self, session: &str) -> Answer {
        let operation = self.begin(Call::Revoke(session.to_owned()));
        let answer = match self.sessions.revoke(session).await {
            Ok(true) => Answer::Revoked(vec![session.to_owned()]),
            Ok(false) => Answer::Revoked(Vec::new()),
            Err(_) => Answer::Unknown,
        };
        self.end(operation, answer)
    }

    /// Ends all sessions of a user.
    pub async fn revoke_all(&self, user: &str) -> Answer {
        let operation = self.begin(Call::RevokeAll(user.to_owned()));
        let revoked = self.sessions.revoke_all_for_user(user).await;
        let answer = revoked.map_or(Answer::Unknown, |handles| Answer::Revoked(texts(&handles)));
        self.end(operation, answer)
    }

    /// Lists the sessions of a user.
    pub async fn list(&self, user: &str) -> Answer {
        let operation = self.begin(Call::List(user.to_owned()));
        let listed = self.sessions.handles_for_user(user).await;
        let answer = listed.map_or(Answer::Unknown, |handles| Answer::Listed(texts(&handles)));
        self.end(operation, answer)
    }

    fn begin(&self, call: Call) -> usize {
        self.history.begin(self.number, call)
    }

    fn end(&self, operation: usize, answer: Answer) -> Answer {
        self.history.end(operation, answer.clone());
        answer
    }
}

fn texts(handles: &[supersession::SessionHandle]) -> Vec<String> {
    handles.iter().map(ToString::to_string).collect()
}

fn document<E>(read: Result<Option<BTreeMap<String, u64>>, E>) -> Answer {
    match read {
        Ok(Some(mut data)) => Answer::Document(Document {
            counter: data.remove(COUNTER).unwrap_or_default(),
            members: data.into_keys().collect(),
        }),
        Ok(None) => Answer::Gone,
        Err(_) => Answer::Unknown,
    }
}
