//! Apps and tenants, and their configuration.

use async_trait::async_trait;

use super::StoreError;
use crate::clock::UnixMillis;
use crate::ids::{AppId, TenantId};
use crate::json::JsonObject;

/// Storage of apps and tenants. Every [`Store`](super::Store) of this project implements it. Only
/// programs that administer tenants need it, such as a server for backend SDKs.
///
/// The contract is that of the [module](super), except for deletions: a store that cannot delete so
/// many rows in one step removes the name first. A failed call must be repeated.
#[async_trait]
pub trait TenantStore: Send + Sync + 'static {
    /// Returns all registered tenants of all apps, ordered by app, then tenant. This includes
    /// tenants that were used but never configured.
    async fn tenants(&self) -> Result<Vec<TenantRecord>, StoreError>;

    /// Registers a tenant and its app, or replaces the tenant's configuration. Returns `true` if
    /// the tenant is new. An app has the tenant `public` from the start.
    async fn put_tenant(&self, tenant: &TenantRecord, now: UnixMillis) -> Result<bool, StoreError>;

    /// Deletes a tenant with its sessions. Returns `true` if it was registered. The tenant `public`
    /// is only deleted with its app, and never by this call.
    async fn delete_tenant(&self, app: &AppId, tenant: &TenantId) -> Result<bool, StoreError>;

    /// Deletes an app with its tenants, sessions, metadata and keys. Returns `true` if it was
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
#[non_exhaustive]
pub struct TenantRecord {
    /// Its app.
    pub app: AppId,
    /// Its name in the app.
    pub tenant: TenantId,
    /// The settings that differ from those of its parent.
    pub core_config: JsonObject,
    /// The enabled login methods. Stored for the SDKs, which read them.
    pub login_methods: LoginMethods,
    /// The login methods for the first step, if configured. An unordered set, stored for the SDKs,
    /// which read it.
    pub first_factors: Option<Vec<String>>,
    /// The login methods that must follow, if any. Also an unordered set.
    pub required_secondary_factors: Option<Vec<String>>,
}

/// Login methods that are enabled or disabled for a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginMethods {
    /// Passwords.
    pub email_password: bool,
    /// One-time codes and magic links.
    pub passwordless: bool,
    /// Providers such as Google.
    pub third_party: bool,
}

impl LoginMethods {
    /// All methods, as for a tenant without configuration.
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
    /// Creates a tenant without configuration.
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
