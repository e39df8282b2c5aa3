//! Apps and tenants: which there are, and what is configured for them.

use async_trait::async_trait;

use super::StoreError;
use crate::clock::UnixMillis;
use crate::ids::{AppId, TenantId};
use crate::json::JsonObject;

/// Where apps and tenants are kept. What every [`Store`](super::Store) of this project is too; only
/// programs that administrate them, such as a server for backend SDKs, need it.
///
/// The contract is that of the [module](super), but for deletions: a store that cannot delete so
/// much in one step takes the name away first, and a call that failed is repeated.
#[async_trait]
pub trait TenantStore: Send + Sync + 'static {
    /// All tenants of all apps that are registered, those among them that were met without ever
    /// being configured; ordered by app, then tenant.
    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError>;

    /// Registers a tenant, and its app, or replaces what is configured for it; tells whether it is
    /// new. An app has the tenant `public` from the start.
    async fn put_tenant(&self, tenant: &TenantRecord, now: UnixMillis) -> Result<bool, StoreError>;

    /// Deletes a tenant with its sessions, and tells whether it was registered. The tenant `public`
    /// goes with its app only, and is left alone here.
    async fn delete_tenant(&self, app: &AppId, tenant: &TenantId) -> Result<bool, StoreError>;

    /// Deletes an app with its tenants, sessions, metadata and keys, and tells whether it was
    /// registered.
    async fn delete_app(&self, app: &AppId) -> Result<bool, StoreError>;

    /// Returns the number of users of an app with a live session that was used at or after `since`:
    /// created, refreshed or seen ([`SessionRecord::last_used_at`](super::SessionRecord)).
    async fn count_active_users(
        &self,
        app: &AppId,
        since: UnixMillis,
        now: UnixMillis,
    ) -> Result<u64, StoreError>;
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    /// Its app.
    pub app: AppId,
    /// Its name in the app.
    pub tenant: TenantId,
    /// What is configured otherwise than for its parent.
    pub core_config: JsonObject,
    /// The login methods that are on. Kept for the SDKs, which ask for them.
    pub login_methods: LoginMethods,
    /// The login methods to begin with, if that is configured: a set, in no order. Kept for the SDKs,
    /// which ask for them.
    pub first_factors: Option<Vec<String>>,
    /// The login methods that must follow, if there are any: a set too.
    pub required_secondary_factors: Option<Vec<String>>,
}

/// Login methods that are on or off for a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginMethods {
    /// Passwords.
    pub email_password: bool,
    /// One-time codes and magic links.
    pub passwordless: bool,
    /// Providers such as Google.
    pub third_party: bool,
}

impl LoginMethods {
    /// All methods, as for a tenant that is not configured.
    pub const ALL: Self = Self {
        email_password: true,
        passwordless: true,
        third_party: true,
    };
    /// No method.
    pub const NONE: Self = Self {
        email_password: false,
        passwordless: false,
        third_party: false,
    };
}

impl TenantRecord {
    /// A tenant for which nothing is configured.
    #[must_use]
    pub fn new(app: AppId, tenant: TenantId) -> Self {
        Self {
            app,
            tenant,
            core_config: JsonObject::empty(),
            login_methods: LoginMethods::ALL,
            first_factors: None,
            required_secondary_factors: None,
        }
    }
}
