//! What was asked for, done for real.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use supersession::claims::PrimitiveClaim;
use supersession::store::{Lineage, PreviousRefresh, Rotation};
use supersession::{
    AntiCsrfInput, Fault, FaultKind, Session, SessionError, SessionHandle, UnixMillis,
    VerifyOptions,
};

use super::{Asked, Outcome, System, shown, value_of};
use crate::model::operation::{Change, Meddling, Operation, Place, USERS};
use crate::model::world::{Answer, increment};

impl System {
    pub(super) async fn answer(
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
                let end = session.expires_at().await?.get();
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
            Meddling::Forward => Some(PreviousRefresh::new(row.lineage.current.clone(), now)),
            Meddling::Sibling => row.lineage.previous.clone(),
            Meddling::Unadopt => None,
        };
        // Never one that was not handed out: what precedes a successor was presented to get it.
        let current = self.hash(session, after.rows[session].current).unwrap();
        let next = Rotation::new(
            Lineage::new(current, previous),
            row.expires_at,
            row.key_kind,
        );
        store
            .rotate(&key, &row.lineage, &row.payload, &next, now)
            .await?;
        Ok(Answer::Done(true))
    }
}

fn is_planned(fault: &Fault) -> bool {
    fault.kind() == FaultKind::Unavailable && fault.report().contains("planned by the test")
}

fn role() -> PrimitiveClaim<u8> {
    PrimitiveClaim::new("role", |_| async {
        Ok::<_, std::convert::Infallible>(None)
    })
}

fn sorted(mut handles: Vec<SessionHandle>) -> Vec<SessionHandle> {
    handles.sort();
    handles
}
