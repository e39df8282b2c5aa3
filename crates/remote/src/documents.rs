//! Changes of documents. A core with the document extension changes them in one atomic step. With
//! any other core, a document is read, changed and overwritten, and the changes made by this
//! process are serialized.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use supersession::store::{DocumentWrite, SessionDocument, WriteOutcome};
use supersession::{Fault, FaultKind, JsonObject, SessionHandle, UserId, wire};
use tokio::sync::{Mutex, MutexGuard};

use crate::call::{Call, Retry};
use crate::call_error::CallError;
use crate::client::Client;
use crate::http_client::Response;
use crate::responses::{Document, Done, Metadata, Outcome, read_outcome};

/// The documents of a core.
pub(crate) struct Documents {
    client: Arc<Client>,
    require_atomic_writes: bool,
    locks: Locks,
    /// Set after the warning about writes that are not atomic.
    warned: AtomicBool,
}

/// Locks that serialize changes of the same document if the core has no atomic operation. Each lock
/// is shared by the documents with the same hash.
struct Locks {
    hasher: RandomState,
    locks: [Mutex<()>; 64],
}

impl Locks {
    fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            locks: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    async fn lock(&self, document: &impl Hash) -> Option<MutexGuard<'_, ()>> {
        let count = u64::try_from(self.locks.len()).unwrap_or(1);
        let at = usize::try_from(self.hasher.hash_one(document) % count).unwrap_or(0);
        match self.locks.get(at) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_handle: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'static str>,
    write: &'static str,
    body: &'a JsonObject,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a JsonObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<usize>,
}

impl<'a> DocumentRequest<'a> {
    fn new(write: &'a DocumentWrite) -> Self {
        let mut max_bytes = None;
        let (write, body, expected) = match write {
            DocumentWrite::Overwrite(document) => ("overwrite", document, None),
            DocumentWrite::Merge(patch) => ("merge", patch, None),
            DocumentWrite::MergeWithin {
                patch,
                max_bytes: limit,
            } => {
                max_bytes = Some(*limit);
                ("merge", patch, None)
            }
            DocumentWrite::CompareAndSwap {
                expected,
                replacement,
            } => ("compareAndSwap", replacement, Some(expected)),
        };
        Self {
            session_handle: None,
            user_id: None,
            document: None,
            write,
            body,
            expected,
            max_bytes,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionData<'a> {
    session_handle: &'a str,
    user_data_in_database: &'a JsonObject,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    session_handle: &'a str,
    #[serde(rename = "userDataInJWT")]
    payload: &'a JsonObject,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetadataUpdate<'a> {
    user_id: &'a str,
    metadata_update: &'a JsonObject,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserRequest<'a> {
    pub(crate) user_id: &'a str,
}

const NOT_ATOMIC: &str = "the core has no atomic merges, and they are required. Fix: run `supersession-server` as the core, or do not set `RemoteCore::require_atomic_writes`";

impl Documents {
    pub(crate) fn new(client: Arc<Client>, require_atomic_writes: bool) -> Self {
        Self {
            client,
            require_atomic_writes,
            locks: Locks::new(),
            warned: AtomicBool::new(false),
        }
    }

    /// Writes a document of a session.
    pub(crate) async fn write_session_document(
        &self,
        handle: &SessionHandle,
        document: SessionDocument,
        write: &DocumentWrite,
    ) -> Result<WriteOutcome, Fault> {
        if let DocumentWrite::Overwrite(body) = write {
            return self.overwrite(handle, document, body).await;
        }
        if self.client.has_documents().await? {
            let call = DocumentRequest {
                session_handle: Some(handle),
                document: Some(match document {
                    SessionDocument::SessionData => "sessionData",
                    SessionDocument::Payload => "payload",
                }),
                ..DocumentRequest::new(write)
            };
            return match self.write_atomically(&call).await {
                Err(failure) => gone_if_tenant_is_unknown(failure, handle),
                Ok(outcome) => Ok(outcome),
            };
        }
        self.check_non_atomic_write()?;
        let _lock = self.locks.lock(handle).await;
        let Some(session) = self.client.information(handle).await? else {
            return Ok(WriteOutcome::Gone);
        };
        let stored = match document {
            SessionDocument::SessionData => session.session_data,
            SessionDocument::Payload => session.access_token_payload,
        };
        match write.apply_to(&stored) {
            Ok(body) => self.overwrite(handle, document, &body).await,
            Err(_) => Ok(WriteOutcome::Conflict(stored)),
        }
    }

    async fn overwrite(
        &self,
        handle: &SessionHandle,
        document: SessionDocument,
        body: &JsonObject,
    ) -> Result<WriteOutcome, Fault> {
        let call = match document {
            SessionDocument::SessionData => Call::put(
                "/recipe/session/data",
                &SessionData {
                    session_handle: handle,
                    user_data_in_database: body,
                },
                Retry::Unsafe,
            ),
            SessionDocument::Payload => Call::put(
                "/recipe/jwt/data",
                &Payload {
                    session_handle: handle,
                    payload: body,
                },
                Retry::Unsafe,
            ),
        }?;
        match self.client.call(&call, read_outcome::<Done>).await {
            Ok(Outcome::Ok(_)) => Ok(WriteOutcome::Written(body.clone())),
            Ok(Outcome::Other(_)) => Ok(WriteOutcome::Gone),
            Err(failure) => gone_if_tenant_is_unknown(failure, handle),
        }
    }

    pub(crate) async fn user_metadata(&self, user: &UserId) -> Result<JsonObject, Fault> {
        let call = Call::get("/recipe/user/metadata").query("userId", user);
        let found: Metadata = self.client.call_json(&call).await?;
        Ok(found.metadata)
    }

    pub(crate) async fn write_user_metadata(
        &self,
        user: &UserId,
        write: &DocumentWrite,
    ) -> Result<WriteOutcome, Fault> {
        if let DocumentWrite::Merge(patch) = write {
            // A merge of user metadata is atomic on every core (core 6.2).
            return self.merge_user_metadata(user, patch).await;
        }
        if self.client.has_documents().await? {
            let call = DocumentRequest {
                user_id: Some(user),
                ..DocumentRequest::new(write)
            };
            return Ok(self.write_atomically(&call).await?);
        }
        self.check_non_atomic_write()?;
        let _lock = self.locks.lock(user).await;
        let stored = self.user_metadata(user).await?;
        match write.apply_to(&stored) {
            Err(_) => Ok(WriteOutcome::Conflict(stored)),
            Ok(body) => {
                self.clear_user_metadata(user).await?;
                self.merge_user_metadata(user, &body).await
            }
        }
    }

    async fn merge_user_metadata(
        &self,
        user: &UserId,
        patch: &JsonObject,
    ) -> Result<WriteOutcome, Fault> {
        let update = MetadataUpdate {
            user_id: user,
            metadata_update: patch,
        };
        let call = Call::put("/recipe/user/metadata", &update, Retry::Unsafe)?;
        let merged: Metadata = self.client.call_json(&call).await?;
        Ok(WriteOutcome::Written(merged.metadata))
    }

    pub(crate) async fn clear_user_metadata(&self, user: &UserId) -> Result<(), Fault> {
        let body = UserRequest { user_id: user };
        // Not retried: a repeated removal could delete a concurrent write.
        let call = Call::post("/recipe/user/metadata/remove", &body, Retry::Unsafe)?;
        let _: Done = self.client.call_json(&call).await?;
        Ok(())
    }

    async fn write_atomically(
        &self,
        call: &DocumentRequest<'_>,
    ) -> Result<WriteOutcome, CallError> {
        let call = Call::post(wire::DOCUMENT_PATH, call, Retry::Unsafe)?;
        let read = |response: &Response| {
            let Document { outcome, document } = serde_json::from_slice(&response.body).ok()?;
            match (outcome.as_str(), document) {
                ("written", Some(document)) => Some(WriteOutcome::Written(document)),
                ("conflict", Some(document)) => Some(WriteOutcome::Conflict(document)),
                ("gone", _) => Some(WriteOutcome::Gone),
                _ => None,
            }
        };
        self.client.call(&call, read).await
    }

    /// Returns an error if atomic writes are required. Otherwise, warns once.
    fn check_non_atomic_write(&self) -> Result<(), Fault> {
        if self.require_atomic_writes {
            return Err(Fault::new(FaultKind::Misuse, NOT_ATOMIC));
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: "supersession",
                "the core has no atomic merges: documents are read, changed and overwritten, so a concurrent change by another process may be lost"
            );
        }
        Ok(())
    }
}

/// Treats an unknown tenant as a missing session, because a tenant that the core does not know has
/// no sessions. A handle without a tenant belongs to the default tenant, which always exists.
fn gone_if_tenant_is_unknown(
    failure: CallError,
    handle: &SessionHandle,
) -> Result<WriteOutcome, Fault> {
    match failure {
        CallError::UnknownTenant if handle.tenant_id().as_str() != wire::DEFAULT_TENANT_ID => {
            Ok(WriteOutcome::Gone)
        }
        failure => Err(failure.into()),
    }
}
