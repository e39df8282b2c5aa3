//! The same steps, done for real, and what came of them compared with the model.

mod audit;
mod perform;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use supersession::store::{SessionKey, StoreErrorKind, UserSessions};
use supersession::{
    AccessToken, AppId, JsonObject, RefreshHash2, RefreshToken, Session, SessionHandle, Sessions,
    Store, UnixMillis, UserId, wire,
};
use supersession_testkit::{FaultStore, FaultTiming, ManualClock, PlannedFault};

use super::operation::{Change, Document, Operation, Place, Step, USERS, Until, writes};
use super::world::{
    ACCESS_VALIDITY, Access, Answer, GRACE, LIFETIME, REFRESH_VALIDITY, Refresh, World,
};
use crate::support::{START, default_config, seed_keys};

type Outcome<T> = Result<T, TestCaseError>;

pub(super) struct System {
    sessions: Sessions,
    store: FaultStore<dyn Store>,
    clock: ManualClock,
    world: World,
    /// The refresh tokens of each session, as far as they were ever handed out.
    tokens: Vec<Vec<Option<RefreshToken>>>,
    accesses: Vec<(Access, AccessToken)>,
}

/// What was asked for, with numbers resolved.
enum Asked {
    Refresh(usize, usize),
    Verify(Access, AccessToken, bool),
    Other,
}

impl System {
    pub(super) async fn start(store: Arc<dyn Store>) -> Self {
        let store = FaultStore::over(store);
        seed_keys(&store, START).await;
        let clock = ManualClock::new(START);
        let millis = Duration::from_millis;
        let sessions = default_config(Sessions::builder(store.clone()))
            .access_token_validity(millis(ACCESS_VALIDITY))
            .refresh_token_validity(millis(REFRESH_VALIDITY))
            .refresh_token_rotation_grace_period(millis(GRACE))
            .absolute_session_lifetime(millis(LIFETIME))
            .clock(clock.clone())
            .signing_threads(1)
            .build()
            .await
            .unwrap();
        Self {
            sessions,
            store,
            clock,
            world: World::new(START.get()),
            tokens: Vec::new(),
            accesses: Vec::new(),
        }
    }

    /// Does one step; gives the name of what came of it.
    pub(super) async fn step(&mut self, step: &Step) -> Outcome<&'static str> {
        let Some(asked) = self.resolve(&step.operation) else {
            return Ok("nothing to do");
        };
        self.store.heal();
        self.store.clear_calls();
        let planned = step.fault.and_then(|(at, moment)| {
            let verbs = step.operation.verbs();
            let verb = *verbs.get(at % verbs.len().max(1))?;
            let fault = PlannedFault::new(StoreErrorKind::Unavailable);
            self.store.plan(fault.on(verb).at(moment));
            Some((verb, moment))
        });
        let mut after = self.world.clone();
        let known = after.rows.len();
        let expected = predicted(&mut after, &step.operation, &asked, self);
        let (answer, issued) = self.answer(&step.operation, &asked).await?;
        self.store.heal();
        let struck = planned.filter(|(verb, _)| self.store.count(*verb) > 0);
        if let Some((verb, moment)) = struck {
            prop_assert_eq!(&answer, &Answer::Fault, "a fault of {:?}", verb);
            if moment == FaultTiming::Before || !writes(verb) {
                after = self.world.clone();
            }
        } else {
            prop_assert_eq!(&answer, &expected, "{:?}", step.operation);
        }
        self.world = after;
        if self.world.rows.len() > known {
            self.meet(known, issued.as_ref()).await?;
        }
        let name = self.learn(&asked, &answer, issued)?;
        self.audit().await?;
        Ok(name)
    }

    /// None if it is about a session or a token and there is none.
    fn resolve(&self, operation: &Operation) -> Option<Asked> {
        let rows = self.world.rows.len();
        match operation {
            Operation::Refresh(session, back) => {
                let session = session % rows.max(1);
                let tokens = self.tokens.get(session)?;
                let known: Vec<_> = (0..tokens.len())
                    .filter(|generation| tokens[*generation].is_some())
                    .collect();
                let newest = known.len().checked_sub(1)?;
                Some(Asked::Refresh(session, known[newest.saturating_sub(*back)]))
            }
            Operation::Verify(token, database) => {
                let newest = self.accesses.len().checked_sub(1)?;
                let (access, token) = self.accesses[newest.saturating_sub(*token)].clone();
                Some(Asked::Verify(access, token, *database))
            }
            Operation::WaitUntil(Until::Access(_), _) if self.accesses.is_empty() => None,
            Operation::Change(..)
            | Operation::SetClaim(..)
            | Operation::RemoveClaim(_)
            | Operation::Revoke(_)
            | Operation::RevokeOthers(_)
            | Operation::WaitUntil(..)
            | Operation::Meddle(..)
                if rows == 0 =>
            {
                None
            }
            // There is no verb that overwrites a payload or metadata.
            Operation::Change(_, Place::Payload, Change::Overwrite(_))
            | Operation::ChangeMetadata(_, Change::Overwrite(_)) => None,
            _ => Some(Asked::Other),
        }
    }

    fn handle(&self, session: usize) -> SessionHandle {
        let rows = &self.world.rows;
        rows[session % rows.len()].handle.clone()
    }

    /// The time that a wait ends. Time does not run backwards here.
    fn moment(&self, operation: &Operation) -> u64 {
        let world = &self.world;
        let (moment, offset) = match operation {
            Operation::Wait(millis) => return world.now + millis,
            Operation::WaitUntil(Until::Access(token), offset) => {
                let (access, _) = &self.accesses[token % self.accesses.len()];
                (access.expires_at, *offset)
            }
            Operation::WaitUntil(Until::Session(session), offset) => {
                (world.rows[session % world.rows.len()].expires_at, *offset)
            }
            Operation::WaitUntil(Until::Grace(session), offset) => {
                match world.rows[session % world.rows.len()].previous {
                    Some((_, since)) => (since + GRACE, *offset),
                    None => (0, 0),
                }
            }
            _ => (0, 0),
        };
        (moment + offset).saturating_sub(1).max(world.now)
    }

    fn key(&self, session: usize) -> SessionKey {
        SessionKey::new(&AppId::default(), self.handle(session))
    }

    /// The stored hash of a token; None if it was never handed out.
    fn hash(&self, session: usize, token: Refresh) -> Option<RefreshHash2> {
        match token {
            Refresh::Own(generation) => {
                let token = self.tokens[session].get(generation)?.as_ref()?;
                Some(RefreshHash2::of(token))
            }
            Refresh::Foreign(number) => Some(foreign(number)),
        }
    }

    /// Learns the handle of a session that was made, also if nobody was told.
    async fn meet(&mut self, session: usize, issued: Option<&Session>) -> Outcome<()> {
        let handle = match issued {
            Some(session) => session.handle().clone(),
            None => {
                let all = UserSessions::new(
                    AppId::default(),
                    UserId::from(USERS[self.world.rows[session].user]),
                );
                let now = UnixMillis::new(self.world.now);
                let listed = self.store.inner().user_session_handles(&all, now).await;
                let rows = &self.world.rows;
                let unknown: Vec<_> = listed
                    .unwrap()
                    .into_iter()
                    .filter(|handle| rows.iter().all(|row| row.handle != *handle))
                    .collect();
                prop_assert_eq!(unknown.len(), 1);
                unknown[0].clone()
            }
        };
        self.world.rows[session].handle = handle;
        self.tokens.push(vec![None]);
        Ok(())
    }

    /// Keeps the tokens that were handed out. A token that was handed out before must be the same.
    fn learn(
        &mut self,
        asked: &Asked,
        answer: &Answer,
        issued: Option<Session>,
    ) -> Outcome<&'static str> {
        let mut name = name_of(answer);
        let Some(issued) = issued else {
            return Ok(name);
        };
        let (session, generation) = match asked {
            Asked::Refresh(session, generation) => (*session, generation + 1),
            Asked::Verify(access, ..) => (access.session, access.generation),
            Asked::Other => (self.world.rows.len() - 1, 0),
        };
        let tokens = issued.all_session_tokens_dangerously();
        if let Some(token) = tokens.refresh_token {
            let line = &mut self.tokens[session];
            line.resize(line.len().max(generation + 1), None);
            if let Some(before) = &line[generation] {
                prop_assert!(before.ct_eq(token.expose()), "another successor");
                name = "replayed";
            }
            line[generation] = Some(token);
        }
        let (payload, expires_at) = shown(&issued);
        let access = Access {
            session,
            generation,
            expires_at,
            payload,
        };
        self.accesses.push((access, tokens.access_token));
        Ok(name)
    }
}

fn predicted(world: &mut World, operation: &Operation, asked: &Asked, system: &System) -> Answer {
    let at = |session: &usize| session % system.world.rows.len().max(1);
    match (operation, asked) {
        (_, Asked::Refresh(session, generation)) => world.refresh(*session, *generation),
        (_, Asked::Verify(token, _, database)) => world.verify(token, *database),
        (Operation::Create(user, data, payload), _) => {
            world.create(*user, data.clone(), payload.clone())
        }
        (Operation::Change(session, place, change), _) => world.change(at(session), *place, change),
        (Operation::SetClaim(session, value), _) => world.set_claim(at(session), Some(*value)),
        (Operation::RemoveClaim(session), _) => world.set_claim(at(session), None),
        (Operation::Revoke(session), _) => world.revoke(at(session)),
        (Operation::RevokeOthers(session), _) => {
            let user = world.rows[at(session)].user;
            world.revoke_all(user, Some(at(session)))
        }
        (Operation::RevokeAll(user), _) => world.revoke_all(*user, None),
        (Operation::ChangeMetadata(user, change), _) => world.change_metadata(*user, change),
        (Operation::ClearMetadata(user), _) => {
            world.metadata[*user].clear();
            Answer::Done(true)
        }
        (Operation::Wait(_) | Operation::WaitUntil(..), _) => {
            world.now = system.moment(operation);
            Answer::Done(true)
        }
        (Operation::Meddle(session, how), _) => Answer::Done(world.meddle(at(session), *how)),
        (Operation::CleanUp, _) => world.clean_up(),
        (Operation::Refresh(..) | Operation::Verify(..), _) => Answer::Done(false),
    }
}

fn foreign(number: usize) -> RefreshHash2 {
    RefreshHash2::of(&RefreshToken::new(format!("foreign-{number}")))
}

fn value_of(object: &JsonObject) -> Document {
    object.deserialize().unwrap()
}

/// The application's part of the payload, and when the access token ends.
fn shown(session: &Session) -> (Document, u64) {
    let payload = session.access_token_payload();
    let own = value_of(&payload.without(&wire::PROTECTED_CLAIMS));
    (own, session.access_token_expires_at().get())
}

fn name_of(answer: &Answer) -> &'static str {
    match answer {
        Answer::Created(..) => "created",
        Answer::Refreshed(..) => "refreshed",
        Answer::Reused(class) => class.as_str(),
        Answer::Unauthorised => "unauthorised",
        Answer::RotatedOut => "rotated out",
        Answer::TryRefresh => "try refresh",
        Answer::Verified(..) => "verified",
        Answer::Done(false) | Answer::Merged(None) => "gone",
        Answer::Done(true) | Answer::Merged(Some(_)) | Answer::Handles(_) | Answer::Count(_) => {
            "done"
        }
        Answer::Fault => "fault",
    }
}
