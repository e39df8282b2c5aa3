//! Plays one history on a store and on the reference implementation.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use supersession::store::{
    DocumentWrite, KeyKind, Lineage, Rotation, SessionDocument, SessionKey, SessionRecord,
    SessionUse, StoreError, StoredKey, UserSessions,
};
use supersession::{AppId, JsonObject, SecretText, SessionHandle, Store, UnixMillis};

use super::operation::{
    APPS, Expected, HANDLES, Operation, Place, Selected, TOKENS, USERS, Used, Write,
};
use crate::store::fixtures::{at, dynamic_key, hash, object, rotated, session, static_key, user};

type Verdict = Result<(), TestCaseError>;

/// All operations of a history happen before this time.
const LONG_AFTER: u64 = 1_000_000;

struct History<'a> {
    store: &'a dyn Store,
    reference: &'a dyn Store,
    number: u32,
    now: u64,
}

/// Calls both stores and fails if the answers differ.
macro_rules! same {
    ($history:expr, $of:expr, |$store:ident| $ask:expr, $read:expr) => {{
        let ours = {
            let $store = $history.store;
            $ask.await
        };
        let theirs = {
            let $store = $history.reference;
            $ask.await
        };
        let read = $read;
        let (ours, theirs) = (answered(ours)?, answered(theirs)?);
        prop_assert_eq!(
            read(ours),
            read(theirs),
            "the store, and the reference: {}",
            $of
        );
    }};
}

fn answered<T>(answer: Result<T, StoreError>) -> Result<T, TestCaseError> {
    answer.map_err(|error| TestCaseError::fail(format!("{error:?}")))
}

fn as_it_is<T>(answer: T) -> T {
    answer
}

fn sorted<T: Ord>(mut answer: Vec<T>) -> Vec<T> {
    answer.sort();
    answer
}

fn comparable_keys(keys: Vec<StoredKey>) -> Vec<(String, KeyKind, UnixMillis, String)> {
    let comparable = |key: StoredKey| {
        let pair = key.key_pair.expose().to_owned();
        (key.kid, key.kind, key.created_at, pair)
    };
    keys.into_iter().map(comparable).collect()
}

/// Plays the history, and compares all stored data after each step.
pub(super) async fn history(
    store: &dyn Store,
    reference: &dyn Store,
    number: u32,
    operations: &[Operation],
) -> Verdict {
    let mut history = History {
        store,
        reference,
        number,
        now: 10,
    };
    // Removes what an earlier history has left.
    answered(
        store
            .delete_expired_sessions(at(LONG_AFTER), 1_000_000)
            .await,
    )?;
    for operation in operations {
        history.step(operation).await?;
        history.audit(operation).await?;
    }
    Ok(())
}

impl History<'_> {
    fn app(&self, app: usize) -> AppId {
        AppId::from_stored(&format!("app{app}x{}", self.number))
    }

    fn key(&self, (app, handle): Place) -> SessionKey {
        SessionKey::new(&self.app(app), SessionHandle::from(HANDLES[handle]))
    }

    fn selection(&self, selected: Selected) -> UserSessions {
        let mut selection = UserSessions::new(self.app(selected.app), user(selected.user));
        selection.tenant = selected.tenant.map(crate::store::fixtures::tenant);
        selection.except = selected.except.map(|at| SessionHandle::from(HANDLES[at]));
        selection
    }

    async fn stored(&self, place: Place) -> Result<Option<SessionRecord>, TestCaseError> {
        answered(self.reference.session(&self.key(place), at(self.now)).await)
    }

    async fn step(&mut self, operation: &Operation) -> Verdict {
        let now = at(self.now);
        match operation {
            Operation::Wait(millis) => self.now += millis,
            Operation::Insert { place, .. } => {
                let record = self.new_session(self.key(*place), operation);
                same!(
                    self,
                    "insert",
                    |store| store.insert_session(&record),
                    as_it_is
                );
            }
            Operation::Rotate { .. } => self.rotate(operation).await?,
            Operation::Write {
                place,
                payload,
                write,
            } => {
                let stored = self.stored(*place).await?;
                let (document, stored) = if *payload {
                    (SessionDocument::Payload, stored.map(|row| row.payload))
                } else {
                    (
                        SessionDocument::SessionData,
                        stored.map(|row| row.session_data),
                    )
                };
                let (key, write) = (self.key(*place), document_write(*write, stored));
                same!(
                    self,
                    "write",
                    |store| store.write_document(&key, document, &write, now),
                    as_it_is
                );
            }
            Operation::Delete(places) => {
                let keys: Vec<_> = places.iter().map(|place| self.key(*place)).collect();
                same!(self, "delete", |store| store.delete_sessions(&keys), sorted);
            }
            Operation::DeleteOfUser(selected) => {
                let selection = self.selection(*selected);
                same!(
                    self,
                    "delete of user",
                    |store| store.delete_user_sessions(&selection, now),
                    sorted
                );
            }
            Operation::List(selected) => {
                let selection = self.selection(*selected);
                self.list(&selection).await?;
            }
            Operation::Use(uses) => {
                let uses: Vec<_> = uses.iter().map(|used| self.session_use(used)).collect();
                same!(self, "use", |store| store.record_uses(&uses, now), as_it_is);
            }
            Operation::Label(place, label) => {
                let key = self.key(*place);
                same!(
                    self,
                    "label",
                    |store| store.set_device_label(&key, *label, now),
                    as_it_is
                );
            }
            Operation::DeleteExpired(limit) => {
                // The contract does not define which sessions remain when the limit is reached, so
                // the second pass deletes the rest.
                for limit in [*limit, 1_000_000] {
                    same!(
                        self,
                        "delete expired",
                        |store| store.delete_expired_sessions(now, limit),
                        as_it_is
                    );
                }
            }
            Operation::WriteMetadata(app, name, write) => {
                let (app, user) = (self.app(*app), user(name));
                let stored = answered(self.reference.user_metadata(&app, &user).await)?;
                let write = document_write(*write, Some(stored.unwrap_or_default()));
                same!(
                    self,
                    "write metadata",
                    |store| store.write_user_metadata(&app, &user, &write),
                    as_it_is
                );
            }
            Operation::DeleteMetadata(app, name) => {
                let (app, user) = (self.app(*app), user(name));
                same!(
                    self,
                    "delete metadata",
                    |store| store.delete_user_metadata(&app, &user),
                    as_it_is
                );
            }
            keys => self.change_keys(keys).await?,
        }
        Ok(())
    }

    async fn rotate(&self, operation: &Operation) -> Verdict {
        let Operation::Rotate {
            place,
            lineage,
            payload,
            next,
            lives,
            to_static,
        } = operation
        else {
            return Ok(());
        };
        let stored = self.stored(*place).await?;
        let expected = match (lineage, &stored) {
            (Expected::Stored, Some(row)) => row.lineage.clone(),
            (Expected::Stored, None) => lineage_of((TOKENS[0], None)),
            (Expected::This(lineage), _) => lineage_of(*lineage),
        };
        let payload = match (payload, &stored) {
            (Expected::Stored, Some(row)) => row.payload.clone(),
            (Expected::Stored, None) => JsonObject::empty(),
            (Expected::This(text), _) => object(text),
        };
        let kind = if *to_static {
            KeyKind::Static
        } else {
            KeyKind::Dynamic
        };
        let next = Rotation::new(lineage_of(*next), at(self.now + lives), kind);
        let (key, now) = (self.key(*place), at(self.now));
        same!(
            self,
            "rotate",
            |store| store.rotate(&key, &expected, &payload, &next, now),
            as_it_is
        );
        Ok(())
    }

    async fn change_keys(&self, operation: &Operation) -> Verdict {
        match operation {
            Operation::AddDynamicKey {
                app,
                created,
                not_if_since,
            } => {
                let (app, key) = (self.app(*app), dynamic_key(at(*created), "pair"));
                same!(
                    self,
                    "add dynamic key",
                    |store| store.add_dynamic_key(&app, &key, at(*not_if_since)),
                    as_it_is
                );
            }
            Operation::AddStaticKey(app, created) => {
                let (app, key) = (self.app(*app), static_key("id", at(*created)));
                same!(
                    self,
                    "add static key",
                    |store| store.add_static_key(&app, &key),
                    as_it_is
                );
            }
            Operation::DeleteDynamicKeys(app, before) => {
                let app = self.app(*app);
                same!(
                    self,
                    "delete dynamic keys",
                    |store| store.delete_dynamic_keys(&app, at(*before)),
                    as_it_is
                );
            }
            Operation::RefreshTokenKey(app, candidate) => {
                let (app, candidate) = (self.app(*app), SecretText::new(*candidate));
                same!(
                    self,
                    "refresh token key",
                    |store| store.refresh_token_key(&app, &candidate, at(self.now)),
                    |key: SecretText| key.expose().to_owned()
                );
            }
            _ => {}
        }
        Ok(())
    }

    async fn list(&self, selection: &UserSessions) -> Verdict {
        let now = at(self.now);
        same!(
            self,
            "list",
            |store| store.user_sessions(selection, now),
            as_it_is
        );
        same!(
            self,
            "list of handles",
            |store| store.user_session_handles(selection, now),
            as_it_is
        );
        Ok(())
    }

    /// Compares everything that is observable.
    async fn audit(&self, after: &Operation) -> Verdict {
        for app in 0..APPS {
            for handle in 0..HANDLES.len() {
                let (key, now) = (self.key((app, handle)), at(self.now));
                same!(
                    self,
                    format!("{key:?} after {after:?}"),
                    |store| store.session(&key, now),
                    as_it_is
                );
            }
            let app_id = self.app(app);
            for name in USERS {
                let selection = UserSessions::new(app_id.clone(), user(name));
                self.list(&selection).await?;
                same!(
                    self,
                    format!("metadata after {after:?}"),
                    |store| store.user_metadata(&app_id, &selection.user_id),
                    as_it_is
                );
            }
            same!(
                self,
                format!("keys after {after:?}"),
                |store| store.signing_keys(&app_id),
                comparable_keys
            );
        }
        Ok(())
    }

    fn new_session(&self, key: SessionKey, operation: &Operation) -> SessionRecord {
        let mut record = session("a");
        record.key = key;
        if let Operation::Insert {
            user: name,
            created,
            lives,
            documents,
            label,
            ..
        } = operation
        {
            record.user_id = user(name);
            record.created_at = at(self.now - created);
            record.expires_at = at(self.now + lives);
            record.session_data = object(documents.0);
            record.payload = object(documents.1);
            record.device.label = label.map(str::to_owned);
        }
        record
    }

    fn session_use(&self, used: &Used) -> SessionUse {
        let mut changed = SessionUse::new(self.key(used.place), at(self.now + used.at));
        changed.user_agent = used.user_agent.map(str::to_owned);
        changed.ip = used.ip.and_then(|ip| ip.parse().ok());
        changed
    }
}

fn lineage_of((current, rotated_at): (&str, Option<u64>)) -> Lineage {
    match rotated_at {
        Some(millis) => rotated("before", current, at(millis)),
        None => Lineage::new(hash(current), None),
    }
}

fn document_write(write: Write, stored: Option<JsonObject>) -> DocumentWrite {
    match write {
        Write::Overwrite(text) => DocumentWrite::Overwrite(object(text)),
        Write::Merge(text) => DocumentWrite::Merge(object(text)),
        Write::Swap(expected, text) => DocumentWrite::CompareAndSwap {
            expected: match expected {
                Expected::Stored => stored.unwrap_or_default(),
                Expected::This(text) => object(text),
            },
            replacement: object(text),
        },
    }
}
