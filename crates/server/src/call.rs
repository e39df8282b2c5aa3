//! One request after the common checks, as the handlers see it.

use std::sync::Arc;

use bytes::Bytes;
use supersession::TenantId;
use supersession::engine::Engine;

use crate::cdi::CdiVersion;
use crate::input::Query;
use crate::path::Target;
use crate::registry::App;
use crate::response::{ErrorResponse, sanitized};
use crate::service::Service;

/// One request after the common checks.
pub(crate) struct Call<'a> {
    pub(crate) service: &'a Service,
    pub(crate) target: &'a Target,
    pub(crate) cdi: CdiVersion,
    pub(crate) query: Query,
    pub(crate) body: Bytes,
}

impl<'a> Call<'a> {
    /// Returns the app of the path, if the tenant of the path exists too.
    pub(crate) async fn app(&self) -> Result<Arc<App>, ErrorResponse> {
        self.app_of(&self.target.tenant).await
    }

    /// Returns the app of the path, if it has this tenant.
    pub(crate) async fn app_of(&self, tenant: &TenantId) -> Result<Arc<App>, ErrorResponse> {
        let app = &self.target.app;
        let found = self.service.registry.app_with_tenant(app, tenant).await?;
        found.ok_or_else(|| {
            let tenant = sanitized(tenant);
            ErrorResponse::bad_request(format!(
                "AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId combination not found: (, {app}, {tenant})"
            ))
        })
    }

    /// Returns the app. Rejects other tenants than the public one, because the request concerns the
    /// whole app.
    pub(crate) async fn app_on_public_tenant(&self) -> Result<Arc<App>, ErrorResponse> {
        let app = self.app().await?;
        if self.target.tenant == TenantId::default() {
            Ok(app)
        } else {
            Err(ErrorResponse::forbidden(
                "Only public tenantId can call this app specific API",
            ))
        }
    }

    /// Returns the app. Rejects other tenants than the public one if the CDI version does.
    pub(crate) async fn app_from_5_0_on_public_tenant(&self) -> Result<Arc<App>, ErrorResponse> {
        if self.cdi.separates_apps_from_tenants() {
            self.app_on_public_tenant().await
        } else {
            self.app().await
        }
    }

    pub(crate) async fn engine<'b>(&self, app: &'b App) -> Result<&'b Engine, ErrorResponse> {
        Ok(self.service.registry.engine(app).await?)
    }
}
