//! The SQL of the store. Each function runs one `Store` method on a connection.
//!
//! Statements are prepared once per connection. The caller supplies every timestamp, and no
//! statement reads the database's clock. All statements are correct under READ COMMITTED,
//! PostgreSQL's default isolation level. Where that is not obvious, the statement's comment
//! explains it.

pub(crate) mod batches;
mod db;
pub(crate) mod devices;
pub(crate) mod documents;
pub(crate) mod keys;
pub(crate) mod metadata;
pub(crate) mod ready;
mod row;
mod scope;
pub(crate) mod sessions;
mod telling;
pub(crate) mod tenants;
#[cfg(test)]
mod tests;
pub(crate) mod user_sessions;

use supersession::UnixMillis;
use supersession::store::{DocumentWrite, SessionDocument, WriteOutcome};

pub(crate) use db::Db;
pub(crate) use telling::heard;

use crate::document::{Document, Kind};
use crate::fault::Fault;
use crate::names::Names;

macro_rules! statements {
    ($($name:ident = $template:expr;)*) => {
        /// All statements, with the table names filled in.
        pub(crate) struct Statements {
            $(pub(crate) $name: String,)*
            pub(crate) session_data: documents::DocumentStatements,
            pub(crate) payload: documents::DocumentStatements,
            pub(crate) session_data_batch: batches::BatchStatements,
            pub(crate) payload_batch: batches::BatchStatements,
            pub(crate) metadata_batch: batches::BatchStatements,
            /// Channel for revocation notices, or `None` if they are disabled.
            pub(crate) channel: Option<String>,
        }

        impl Statements {
            pub(crate) fn new(names: &Names, publishes_revocations: bool) -> Self {
                let document = |which| documents::DocumentStatements::new(names, which);
                let batch = |kind| batches::BatchStatements::new(names, kind);
                Self {
                    $($name: names.statement($template),)*
                    session_data: document(SessionDocument::SessionData),
                    payload: document(SessionDocument::Payload),
                    session_data_batch: batch(Kind::OfSession(SessionDocument::SessionData)),
                    payload_batch: batch(Kind::OfSession(SessionDocument::Payload)),
                    metadata_batch: batch(Kind::Metadata),
                    channel: publishes_revocations.then(|| names.channel()),
                }
            }
        }
    };
}

statements! {
    check_ready = ready::CHECK;
    insert_session = sessions::INSERT;
    find_session = sessions::FIND;
    find_status = sessions::FIND_STATUS;
    rotate = sessions::ROTATE;
    delete_sessions = sessions::DELETE;
    delete_expired = sessions::DELETE_EXPIRED;
    user_records = user_sessions::RECORDS;
    user_handles = user_sessions::HANDLES;
    delete_of_user = user_sessions::DELETE;
    record_uses = devices::RECORD_USES;
    set_label = devices::SET_LABEL;
    find_metadata = metadata::FIND;
    set_metadata = metadata::SET;
    add_metadata = metadata::ADD;
    swap_metadata = metadata::SWAP;
    delete_metadata = metadata::DELETE;
    all_keys = keys::ALL;
    lock_app = keys::LOCK_APP;
    add_dynamic_key = keys::ADD_DYNAMIC;
    add_static_key = keys::ADD_STATIC;
    delete_dynamic_keys = keys::DELETE_DYNAMIC;
    find_value = keys::FIND_VALUE;
    add_value = keys::ADD_VALUE;
    register = scope::REGISTER;
    all_tenants = tenants::ALL;
    active_users = tenants::ACTIVE_USERS;
    tenant_exists = tenants::EXISTS;
    put_tenant = tenants::PUT;
    clear_first_factors = tenants::CLEAR_FIRST_FACTORS;
    add_first_factors = tenants::ADD_FIRST_FACTORS;
    clear_secondary_factors = tenants::CLEAR_SECONDARY_FACTORS;
    add_secondary_factors = tenants::ADD_SECONDARY_FACTORS;
    delete_tenant_sessions = tenants::DELETE_SESSIONS;
    delete_tenant_configs = tenants::DELETE_CONFIGS;
    delete_tenant = tenants::DELETE_TENANT;
    delete_app = tenants::DELETE_APP;
}

impl Statements {
    pub(crate) fn batch(&self, kind: Kind) -> &batches::BatchStatements {
        match kind {
            Kind::OfSession(SessionDocument::SessionData) => &self.session_data_batch,
            Kind::OfSession(SessionDocument::Payload) => &self.payload_batch,
            Kind::Metadata => &self.metadata_batch,
        }
    }
}

/// Changes a document in a statement of its own.
pub(crate) async fn write_document(
    db: Db,
    document: Document,
    write: DocumentWrite,
    now: UnixMillis,
) -> Result<WriteOutcome, Fault> {
    match document {
        Document::OfSession(which, key) => documents::write(db, key, which, write, now).await,
        Document::Metadata(app, user) => metadata::write(db, app, user, write).await,
    }
}

/// Returns `true` if PostgreSQL can store this text. Text that it cannot store is in no row.
fn can_be_stored(text: &str) -> bool {
    !text.contains('\0')
}
