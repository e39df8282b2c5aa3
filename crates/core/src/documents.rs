//! Reads and changes documents (session data, payloads and metadata) with the same three
//! operations.

use std::hash::{BuildHasher, RandomState};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::authority::Authority;
use crate::clock::Clock;
use crate::error::{Fault, FaultKind, PayloadTooLarge, SessionError};
use crate::ids::{SessionHandle, UserId};
use crate::json::JsonObject;
use crate::limits::MAX_DOCUMENT_BYTES;
use crate::store::{DocumentWrite, SessionDocument, WriteOutcome};
use crate::token::access;
use crate::transfer::size;
use crate::wire;

/// The document to read or change.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    SessionData(SessionHandle),
    Payload(SessionHandle),
    Metadata(UserId),
}

/// Queues for tasks of this process that modify the same document, so that they do not cause each
/// other to retry.
#[derive(Debug)]
pub(crate) struct ModifyQueues {
    hasher: RandomState,
    queues: Vec<Mutex<()>>,
}

const QUEUES: usize = 64;
/// Maximum attempts of a modification that loses races against other nodes.
const MAX_ATTEMPTS: usize = 1_000;

impl Default for ModifyQueues {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            queues: (0..QUEUES).map(|_| Mutex::new(())).collect(),
        }
    }
}

impl ModifyQueues {
    fn of(&self, target: &Target) -> &Mutex<()> {
        let hash = match target {
            Target::SessionData(handle) | Target::Payload(handle) => self.hasher.hash_one(handle),
            Target::Metadata(user) => self.hasher.hash_one(user),
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "any bits of the hash will do"
        )]
        let at = hash as usize % self.queues.len();
        &self.queues[at]
    }
}

/// Access to documents: an authority, the time, and the queues.
pub(crate) struct Documents<'a> {
    pub(crate) authority: &'a dyn Authority,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) queues: &'a ModifyQueues,
}

impl Documents<'_> {
    /// Returns the document, or `None` if the session does not exist.
    pub(crate) async fn read(&self, target: &Target) -> Result<Option<JsonObject>, SessionError> {
        Ok(match target {
            Target::SessionData(handle) => self
                .authority
                .information(handle, self.clock.now())
                .await?
                .map(|session| session.session_data),
            Target::Payload(handle) => self
                .authority
                .information(handle, self.clock.now())
                .await?
                .map(|session| session.access_token_payload),
            Target::Metadata(user) => Some(self.authority.user_metadata(user).await?),
        })
    }

    /// Equivalent to [`Self::read`], for a document that the application receives or that is
    /// written again.
    async fn read_checked(&self, target: &Target) -> Result<Option<JsonObject>, SessionError> {
        let document = self.read(target).await?;
        if let Some(Err(error)) = document.as_ref().map(JsonObject::check_limits) {
            return Err(Fault::internal(format!(
                "{} exceeds the limits, and another program or an earlier version stored it: overwrite it, or merge null into its largest member",
                name_of(target)
            ))
            .with_source(error)
            .into());
        }
        Ok(document)
    }

    /// Returns the document, deserialized into `T`, or `None` if the session does not exist.
    pub(crate) async fn read_as<T: DeserializeOwned>(
        &self,
        target: &Target,
    ) -> Result<Option<T>, SessionError> {
        let document = self.read_checked(target).await?;
        document
            .map(|document| {
                document
                    .deserialize()
                    .map_err(|error| shape_fault(target, &error))
            })
            .transpose()
    }

    /// Changes the document. Returns `None` if the session does not exist.
    pub(crate) async fn write(
        &self,
        target: &Target,
        write: DocumentWrite,
    ) -> Result<Option<WriteOutcome>, SessionError> {
        let now = self.clock.now();
        let outcome = match target {
            Target::SessionData(handle) => {
                self.authority
                    .write_document(handle, SessionDocument::SessionData, write, now)
                    .await?
            }
            Target::Payload(handle) => {
                self.authority
                    .write_document(handle, SessionDocument::Payload, write, now)
                    .await?
            }
            Target::Metadata(user) => self.authority.write_user_metadata(user, write).await?,
        };
        Ok((outcome != WriteOutcome::Gone).then_some(outcome))
    }

    /// Overwrites the document. Returns `false` if the session does not exist.
    pub(crate) async fn overwrite<T: Serialize + ?Sized>(
        &self,
        target: &Target,
        value: &T,
    ) -> Result<bool, SessionError> {
        let document = object(value)?;
        Ok(self
            .write(target, DocumentWrite::Overwrite(document))
            .await?
            .is_some())
    }

    /// Merges at the root, atomically. Returns the result, or `None` if the session does not exist.
    pub(crate) async fn merge<T: Serialize + ?Sized>(
        &self,
        target: &Target,
        patch: &T,
    ) -> Result<Option<JsonObject>, SessionError> {
        let patch = object(patch)?;
        match self.write(target, DocumentWrite::Merge(patch)).await? {
            None | Some(WriteOutcome::Gone) => Ok(None),
            Some(WriteOutcome::Written(document)) => Ok(Some(document.readable())),
            Some(WriteOutcome::Conflict(_)) => Err(too_long()),
        }
    }

    /// Equivalent to [`Self::merge`], for the payload of a session.
    pub(crate) async fn merge_payload<T: Serialize + ?Sized>(
        &self,
        handle: &SessionHandle,
        patch: &T,
        limit: usize,
    ) -> Result<Option<JsonObject>, SessionError> {
        let target = Target::Payload(handle.clone());
        let patch = object(patch)?;
        refuse_protected(&target, &patch.filtered(|_, value| value != "null"))?;
        let write = DocumentWrite::MergeWithin {
            patch: patch.clone(),
            max_bytes: limit,
        };
        match self.write(&target, write).await? {
            None | Some(WriteOutcome::Gone) => Ok(None),
            Some(WriteOutcome::Written(document)) => {
                size::warn_if_large(handle, &document, limit);
                Ok(Some(document.readable()))
            }
            Some(WriteOutcome::Conflict(stored)) => {
                let bytes = stored.merged_with(&patch).as_str().len();
                Err(PayloadTooLarge { bytes, limit }.into())
            }
        }
    }

    /// Equivalent to [`Self::modify_returning`], without the document.
    pub(crate) async fn modify<T, R, F>(
        &self,
        target: &Target,
        limit: usize,
        change: F,
    ) -> Result<Option<R>, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R,
    {
        let modified = self.modify_returning(target, limit, change).await?;
        Ok(modified.map(|(result, _)| result))
    }

    /// Reads the document, modifies it with `change`, and writes the changes if the document is
    /// unchanged in the store. Otherwise tries again. Returns the result of `change` and the new
    /// document.
    ///
    /// Only the members that `change` changed are written, so members that `T` does not contain are
    /// kept. `limit` is the maximum length of the result.
    pub(crate) async fn modify_returning<T, R, F>(
        &self,
        target: &Target,
        limit: usize,
        mut change: F,
    ) -> Result<Option<(R, JsonObject)>, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R,
    {
        let _turn = self.queues.of(target).lock().await;
        let Some(mut stored) = self.read_checked(target).await? else {
            return Ok(None);
        };
        for _ in 0..MAX_ATTEMPTS {
            let mut value: T = match stored.deserialize() {
                Ok(value) => value,
                // A document that was never written is deserialized as the default.
                Err(_) if stored.is_empty() => T::default(),
                Err(error) => return Err(shape_fault(target, &error)),
            };
            // Stored values that exceed a limit may stay unchanged.
            let before = unchecked(&value)?;
            let result = change(&mut value);
            let after = unchecked(&value)?;
            let patch = JsonObject::patch_between(&before, &after);
            refuse_nul(&patch)?;
            // A null that `change` leaves in the document is stored, and sets the name.
            let left = after.keys();
            let set = |key: &str, value: &str| value != "null" || left.iter().any(|own| own == key);
            refuse_protected(target, &patch.filtered(set))?;
            let replacement = stored.merged_replacing(&patch, &after);
            let bytes = replacement.as_str().len();
            if bytes > limit && bytes > stored.as_str().len() {
                return Err(match target {
                    Target::Payload(_) => PayloadTooLarge { bytes, limit }.into(),
                    Target::SessionData(_) | Target::Metadata(_) => too_long(),
                });
            }
            let write = DocumentWrite::CompareAndSwap {
                replacement,
                expected: stored,
            };
            match self.write(target, write).await? {
                None | Some(WriteOutcome::Gone) => return Ok(None),
                Some(WriteOutcome::Written(document)) => return Ok(Some((result, document))),
                Some(WriteOutcome::Conflict(now_stored)) => stored = now_stored,
            }
        }
        Err(Fault::new(
            FaultKind::Unavailable,
            "a modification kept losing races for its document; try again",
        )
        .into())
    }
}

/// Serializes a document of the application. It often comes from the client, so an error blames the
/// client.
pub(crate) fn object<T: Serialize + ?Sized>(value: &T) -> Result<JsonObject, SessionError> {
    let object = unchecked(value)?;
    refuse_nul(&object)?;
    Ok(object)
}

fn unchecked<T: Serialize + ?Sized>(value: &T) -> Result<JsonObject, SessionError> {
    JsonObject::from_serialize(value).map_err(|error| SessionError::bad_input(error.to_string()))
}

/// Rejects documents that contain U+0000, for all stores.
pub(crate) fn refuse_nul(document: &JsonObject) -> Result<(), SessionError> {
    if document.contains_nul() {
        return Err(SessionError::bad_input(
            "a document must not contain the null character (U+0000). Fix: remove it from names and texts",
        ));
    }
    Ok(())
}

/// Rejects members of a payload that have protected names. Only members that a change sets are
/// checked. A change may remove protected names, which migrates old sessions.
fn refuse_protected(target: &Target, set: &JsonObject) -> Result<(), SessionError> {
    if matches!(target, Target::Payload(_)) && access::names_protected_claim(set) {
        let names: Vec<_> = set
            .keys()
            .into_iter()
            .filter(|key| wire::PROTECTED_CLAIMS.contains(&key.as_str()))
            .collect();
        return Err(SessionError::bad_input(format!(
            "{}: {}",
            wire::MESSAGE_PROTECTED_FIELD,
            names.join(", ")
        )));
    }
    Ok(())
}

/// Returns the error of a merge that would make a document longer than the limit.
fn too_long() -> SessionError {
    SessionError::bad_input(format!(
        "the document would be longer than {MAX_DOCUMENT_BYTES} bytes"
    ))
}

fn name_of(target: &Target) -> String {
    match target {
        Target::SessionData(handle) => format!("the session data of {handle}"),
        Target::Payload(handle) => format!("the access token payload of {handle}"),
        Target::Metadata(user) => format!("the metadata of user {user}"),
    }
}

pub(crate) fn shape_fault(target: &Target, error: &serde_json::Error) -> SessionError {
    let document = name_of(target);
    // Only the category is reported, because the parser's message can contain a part of the
    // document.
    Fault::internal(format!(
        "{document} does not match the type that the application requested ({:?} error at column {})",
        error.classify(),
        error.column()
    ))
    .into()
}
