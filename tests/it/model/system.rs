//! The same steps, done for real, and what came of them compared with the model.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use supersession::claims::PrimitiveClaim;
use supersession::store::{
    Lineage, PreviousRefresh, Rotation, SessionKey, StoreErrorKind, UserSessions,
};
use supersession::{
    AccessToken, AntiCsrfInput, AppId, Fault, JsonObject, RefreshHash2, RefreshToken, Session,
    SessionError, SessionHandle, Sessions, Store, UnixMillis, UserId, VerifyOptions, wire,
};
use supersession_testkit::{FaultStore, ManualClock, Moment, PlannedFault};

use super::operation::{Change, Document, Meddling, Operation, Place, Step, USERS, Until, writes};
use super::world::{
    ACCESS_VALIDITY, Access, Answer, GRACE, LIFETIME, REFRESH_VALIDITY, Refresh, World, increment,
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
            if moment == Moment::Before || !writes(verb) {
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

    async fn answer(
        &self,
        operation: &Operation,
        asked: &Asked,
    ) -> Outcome<(Answer, Option<Session>)> {
        let result = match self.attempt(operation, asked).await {
            Ok(done) => done,
            Err(SessionError::Fault(fault)) => {
                prop_assert!(is_planned(&fault), "{}", fault.report());
                (Answer::Fault, None)
            }
            Err(SessionError::TokenTheftDetected(theft)) => (Answer::Reused(theft.class), None),
            Err(SessionError::TryRefreshToken(_)) => (Answer::TryRefresh, None),
            Err(SessionError::Unauthorised(why)) if why.clears_tokens() => {
                (Answer::Unauthorised, None)
            }
            Err(SessionError::Unauthorised(_)) => (Answer::RotatedOut, None),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        Ok(result)
    }

    async fn attempt(
        &self,
        operation: &Operation,
        asked: &Asked,
    ) -> Result<(Answer, Option<Session>), SessionError> {
        let sessions = &self.sessions;
        let answer = match (operation, asked) {
            (_, Asked::Refresh(session, generation)) => {
                let token = self.tokens[*session][*generation].as_ref().unwrap();
                let session = sessions
                    .refresh_session(token, AntiCsrfInput::Disabled)
                    .await?;
                let tokens = session.all_session_tokens_dangerously();
                assert!(tokens.refresh_token.is_some(), "a refresh gives one");
                let (payload, access_end) = shown(&session);
                let end = session.get_expiry().await?.get();
                return Ok((Answer::Refreshed(payload, access_end, end), Some(session)));
            }
            (_, Asked::Verify(_, token, database)) => {
                let options = VerifyOptions::new().check_database(*database);
                let verified = sessions.verify_access_token(token, None, &options).await?;
                let session = verified.unwrap();
                let (payload, end) = shown(&session);
                return Ok((Answer::Verified(payload, end), Some(session)));
            }
            (Operation::Create(user, data, payload), _) => {
                let create = sessions.create(USERS[*user]).data(data).payload(payload);
                let session = create.await?;
                let (payload, end) = shown(&session);
                return Ok((Answer::Created(payload, end), Some(session)));
            }
            (Operation::Change(session, place, change), _) => {
                self.change(self.handle(*session), *place, change).await?
            }
            (Operation::SetClaim(session, value), _) => {
                let handle = self.handle(*session);
                Answer::Done(sessions.set_claim_value(handle, &role(), value).await?)
            }
            (Operation::RemoveClaim(session), _) => Answer::Done(
                sessions
                    .remove_claim(self.handle(*session), &role())
                    .await?,
            ),
            (Operation::Revoke(session), _) => {
                Answer::Done(sessions.revoke(self.handle(*session)).await?)
            }
            (Operation::RevokeOthers(session), _) => {
                let user = self.world.rows[session % self.world.rows.len()].user;
                let keep = self.handle(*session);
                let ended = sessions.revoke_others_for_user(USERS[user], keep).await?;
                Answer::Handles(sorted(ended))
            }
            (Operation::RevokeAll(user), _) => {
                Answer::Handles(sorted(sessions.revoke_all_for_user(USERS[*user]).await?))
            }
            (Operation::ChangeMetadata(user, change), _) => {
                let metadata = sessions.user_metadata();
                match change {
                    Change::Merge(patch) => {
                        let merged = metadata.update(USERS[*user], patch).await?;
                        Answer::Merged(Some(value_of(&merged)))
                    }
                    _ => {
                        metadata.modify(USERS[*user], increment).await?;
                        Answer::Done(true)
                    }
                }
            }
            (Operation::ClearMetadata(user), _) => {
                sessions.user_metadata().clear(USERS[*user]).await?;
                Answer::Done(true)
            }
            (Operation::Wait(_) | Operation::WaitUntil(..), _) => {
                self.clock.set(UnixMillis::new(self.moment(operation)));
                Answer::Done(true)
            }
            (Operation::Meddle(session, how), _) => self.meddle(*session, *how).await?,
            (Operation::CleanUp, _) => Answer::Count(sessions.delete_expired_sessions().await?),
            (Operation::Refresh(..) | Operation::Verify(..), _) => Answer::Done(false),
        };
        Ok((answer, None))
    }

    async fn change(
        &self,
        handle: SessionHandle,
        place: Place,
        change: &Change,
    ) -> Result<Answer, SessionError> {
        let sessions = &self.sessions;
        Ok(match (place, change) {
            (_, Change::Overwrite(document)) => {
                Answer::Done(sessions.update_session_data(handle, document).await?)
            }
            (Place::Data, Change::Merge(patch)) => {
                let merged = sessions.merge_session_data(handle, patch).await?;
                Answer::Merged(merged.as_ref().map(value_of))
            }
            (Place::Payload, Change::Merge(patch)) => {
                let merged = sessions
                    .merge_into_access_token_payload(handle, patch)
                    .await?;
                Answer::Merged(merged.as_ref().map(value_of))
            }
            (Place::Data, Change::Increment) => {
                let done = sessions.modify_session_data(handle, increment).await?;
                Answer::Done(done.is_some())
            }
            (Place::Payload, Change::Increment) => {
                let done = sessions
                    .modify_access_token_payload(handle, increment)
                    .await?;
                Answer::Done(done.is_some())
            }
        })
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

    async fn meddle(&self, session: usize, how: Meddling) -> Result<Answer, SessionError> {
        let session = session % self.world.rows.len();
        let mut after = self.world.clone();
        if !after.meddle(session, how) {
            return Ok(Answer::Done(false));
        }
        let store = self.store.inner();
        let (key, now) = (self.key(session), UnixMillis::new(self.world.now));
        let row = store.session(&key, now).await?.unwrap();
        let previous = match how {
            Meddling::Forward => Some(PreviousRefresh {
                hash: row.lineage.current.clone(),
                rotated_at: now,
            }),
            Meddling::Sibling => row.lineage.previous.clone(),
            Meddling::Unadopt => None,
        };
        // Never one that was not handed out: what precedes a successor was presented to get it.
        let current = self.hash(session, after.rows[session].current).unwrap();
        let next = Rotation {
            lineage: Lineage { current, previous },
            expires_at: row.expires_at,
            key_kind: row.key_kind,
        };
        store
            .rotate(&key, &row.lineage, &row.payload, &next, now)
            .await?;
        Ok(Answer::Done(true))
    }

    /// Learns the handle of a session that was made, also if nobody was told.
    async fn meet(&mut self, session: usize, issued: Option<&Session>) -> Outcome<()> {
        let handle = match issued {
            Some(session) => session.handle().clone(),
            None => {
                let all = UserSessions {
                    app: AppId::default(),
                    user_id: UserId::from(USERS[self.world.rows[session].user]),
                    tenant: None,
                    except: None,
                };
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

    /// Everything that can be seen: what is live, in order, with its documents; what is dead.
    async fn audit(&self) -> Outcome<()> {
        let (sessions, world) = (&self.sessions, &self.world);
        for (number, user) in USERS.into_iter().enumerate() {
            let listed = world.listed(number);
            let expected: Vec<_> = listed
                .iter()
                .map(|at| world.rows[*at].handle.clone())
                .collect();
            let handles = sessions.handles_for_user(user).await.unwrap();
            prop_assert_eq!(&handles, &expected);
            let all = sessions.sessions_for_user(user).await.unwrap();
            prop_assert_eq!(all.len(), listed.len());
            for (seen, session) in all.iter().zip(listed) {
                let row = &world.rows[session];
                prop_assert_eq!(&seen.handle, &row.handle);
                prop_assert_eq!(seen.expiry.get(), row.expires_at);
                prop_assert_eq!(seen.time_created.get(), row.created_at);
                prop_assert_eq!(value_of(&seen.session_data), row.data.clone());
                let payload = value_of(&seen.custom_claims_in_access_token_payload);
                prop_assert_eq!(payload, row.payload.clone());
                self.audit_lineage(session).await?;
            }
            let metadata: Document = sessions.user_metadata().get(user).await.unwrap();
            prop_assert_eq!(&metadata, &world.metadata[number]);
        }
        for (session, row) in world.rows.iter().enumerate() {
            let known = sessions.information(&row.handle).await.unwrap();
            prop_assert_eq!(known.is_some(), world.is_live(session));
        }
        Ok(())
    }

    async fn audit_lineage(&self, session: usize) -> Outcome<()> {
        let now = UnixMillis::new(self.world.now);
        let stored = self.store.inner().session(&self.key(session), now).await;
        let (stored, row) = (stored.unwrap().unwrap(), &self.world.rows[session]);
        if let Some(hash) = self.hash(session, row.current) {
            prop_assert!(stored.lineage.current == hash, "the current token");
        }
        let since = |previous: &PreviousRefresh| previous.rotated_at.get();
        prop_assert_eq!(
            stored.lineage.previous.as_ref().map(since),
            row.previous.map(|(_, since)| since)
        );
        let Some((previous, _)) = row.previous else {
            return Ok(());
        };
        if let Some(hash) = self.hash(session, previous) {
            prop_assert!(
                stored.lineage.previous.unwrap().hash == hash,
                "the one before"
            );
        }
        Ok(())
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

fn is_planned(fault: &Fault) -> bool {
    fault.kind() == supersession::FaultKind::Unavailable
        && fault.report().contains("planned by the test")
}

fn foreign(number: usize) -> RefreshHash2 {
    RefreshHash2::of(&RefreshToken::new(format!("foreign-{number}")))
}

fn role() -> PrimitiveClaim<u8> {
    PrimitiveClaim::new("role", |_| async {
        Ok::<_, std::convert::Infallible>(None)
    })
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

fn sorted(mut handles: Vec<SessionHandle>) -> Vec<SessionHandle> {
    handles.sort();
    handles
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
