//! Administration of apps and tenants.

use std::sync::Arc;

use serde_json::{Map, Value, json as value};
use supersession::store::TenantRecord;
use supersession::{AppId, JsonObject, TenantId};

use super::factors::{self, LoginMethodFormat, Update};
use crate::call::Call;
use crate::config_error::ConfigError;
use crate::core_config::{self, Level, Values};
use crate::input::Input;
use crate::path::{Endpoint, RESERVED_TENANTS};
use crate::registry::App;
use crate::response::{ErrorResponse, HttpResponse, json, sanitized, status};

pub(super) async fn put_app(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let app = match input.optional_text("appId")? {
        None => AppId::default(),
        Some(id) => AppId::from_stored(&scope_id("appId", &id)?),
    };
    let settings = Settings::read(call, &input)?;
    let caller = call.app().await?;
    let is_own = caller.id == AppId::default() || caller.id == app;
    if call.target.tenant != TenantId::default() || !is_own {
        return Err(ErrorResponse::forbidden(
            "You must use the public or same app to add/update an app",
        ));
    }
    put(call, app, TenantId::default(), settings).await
}

pub(super) async fn put_tenant(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let tenant = match input.optional_text("tenantId")? {
        None => call.target.tenant.clone(),
        Some(id) => {
            let id = scope_id("tenantId", &id)?;
            if RESERVED_TENANTS.contains(&id.as_str()) {
                return Err(ErrorResponse::bad_request(format!(
                    "Cannot use '{id}' as a tenantId"
                )));
            }
            TenantId::from_stored(&id)
        }
    };
    let settings = Settings::read(call, &input)?;
    let app = call.app().await?;
    if call.target.tenant != TenantId::default() && call.target.tenant != tenant {
        return Err(ErrorResponse::forbidden(
            "You must use the public or same tenant to add/update a tenant",
        ));
    }
    put(call, app.id.clone(), tenant, settings).await
}

pub(super) async fn put_domain(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let domain = input.optional_text(DOMAIN)?;
    if let Some(domain) = &domain {
        domain_name(domain)?;
    }
    let settings = Settings::read(call, &input)?;
    base_app(call, "You must use the default or same connectionUriDomain to create/update a connectionUriDomain").await?;
    if domain.is_some() {
        return Err(ErrorResponse::bad_request(
            "Creation of connection uri domain or app or tenant is disallowed: this server has one connection uri domain; create an app instead",
        ));
    }
    put(call, AppId::default(), TenantId::default(), settings).await
}

const DOMAIN: &str = "connectionUriDomain";

/// The requested changes.
struct Settings {
    core_config: Option<JsonObject>,
    factors: Update,
}

impl Settings {
    fn read(call: &Call<'_>, input: &Input<'_>) -> Result<Self, ErrorResponse> {
        Ok(Self {
            core_config: input.optional_object("coreConfig")?,
            factors: Update::read(input, login_method_format(call))?,
        })
    }
}

/// Returns how this endpoint represents login methods in this CDI version.
fn login_method_format(call: &Call<'_>) -> LoginMethodFormat {
    match call.target.endpoint {
        Endpoint::AppV2
        | Endpoint::TenantV2
        | Endpoint::DomainV2
        | Endpoint::AppListV2
        | Endpoint::TenantListV2
        | Endpoint::DomainListV2 => LoginMethodFormat::Factors,
        _ if call.cdi.separates_apps_from_tenants() => LoginMethodFormat::Both,
        _ => LoginMethodFormat::Switches,
    }
}

async fn put(
    call: &Call<'_>,
    app: AppId,
    tenant: TenantId,
    settings: Settings,
) -> Result<HttpResponse, ErrorResponse> {
    let registry = &call.service.registry;
    let change = registry.change().await?;
    let known = registry.app(&app).await?;
    let existing = known.as_ref().and_then(|app| app.tenants.get(&tenant));
    let created_new = existing.is_none();
    let mut record = existing.map_or_else(
        || {
            factors::new_tenant(
                TenantRecord::new(app.clone(), tenant.clone()),
                login_method_format(call),
            )
        },
        |tenant| tenant.record.clone(),
    );
    if let Some(core_config) = settings.core_config {
        let is_base = app == AppId::default() && tenant == TenantId::default();
        if is_base && !core_config.is_empty() {
            return Err(ErrorResponse::bad_request("Cannot modify base config"));
        }
        record.core_config = merged(&record.core_config, &core_config)?;
    }
    settings
        .factors
        .apply(&mut record, login_method_format(call));
    check(call, known.as_deref(), &record)?;
    change.put(&record).await?;
    json(&value!({ "status": "OK", "createdNew": created_new }))
}

/// Merges `set` into the stored object. Null removes a value.
fn merged(stored: &JsonObject, set: &JsonObject) -> Result<JsonObject, ErrorResponse> {
    let mut values: Values = stored.deserialize().unwrap_or_default();
    let set: Values = set
        .deserialize()
        .map_err(|_| ErrorResponse::bad_request("Invalid Json Input"))?;
    for (name, value) in set {
        match core_config::level(&name) {
            None => {
                return Err(invalid(&ConfigError::new(format!(
                    "Invalid config key: {}",
                    sanitized(&name)
                ))));
            }
            Some(Level::Process) => {
                return Err(invalid(&ConfigError::new(format!(
                    "{name} can only be set via the core's base config setting"
                ))));
            }
            Some(Level::App | Level::Tenant) => {}
        }
        if value.is_null() {
            values.remove(&name);
        } else {
            let value = core_config::coerced(&name, &value).map_err(|bad| invalid(&bad))?;
            values.insert(name, value);
        }
    }
    JsonObject::from_serialize(&values)
        .map_err(|_| ErrorResponse::bad_request("Invalid Json Input"))
}

/// Checks a changed app: its values must be in range, and its tenants must not contradict each
/// other.
fn check(call: &Call<'_>, app: Option<&App>, changed: &TenantRecord) -> Result<(), ErrorResponse> {
    let public = TenantId::default();
    let stored = app.and_then(|app| app.tenants.get(&public));
    let root = if changed.tenant == public {
        changed.core_config.clone()
    } else {
        stored.map_or_else(JsonObject::empty, |root| root.record.core_config.clone())
    };
    let values = call
        .service
        .registry
        .check(&root)
        .map_err(|bad| invalid(&bad))?;
    let others = app.into_iter().flat_map(|app| app.tenants.values());
    let others = others
        .map(|tenant| &tenant.record)
        .filter(|record| record.tenant != changed.tenant);
    for record in others.chain([changed]) {
        if record.tenant == public {
            continue;
        }
        let own: Values = record.core_config.deserialize().unwrap_or_default();
        let differs = own.iter().find(|(name, value)| {
            core_config::level(name) == Some(Level::App) && values.get(*name) != Some(*value)
        });
        if let Some((name, _)) = differs {
            return Err(invalid(&ConfigError::new(format!(
                "You cannot set different values for {name} for the same appId"
            ))));
        }
        let overlaid = core_config::overlaid(&values, &record.core_config);
        core_config::ip_rules(&overlaid).map_err(|bad| invalid(&bad))?;
    }
    Ok(())
}

fn invalid(bad: &ConfigError) -> ErrorResponse {
    ErrorResponse::bad_request(format!("Invalid core config: {bad}"))
}

fn scope_id(field: &str, text: &str) -> Result<String, ErrorResponse> {
    let id = text.trim().to_ascii_lowercase();
    let problem = if id.is_empty() {
        "should not be an empty String"
    } else if id.starts_with("appid-") {
        "must not start with 'appid-'"
    } else if !id
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        "can only contain letters, numbers and hyphens"
    } else if id.len() > 64 {
        "must not be longer than 64 characters"
    } else {
        return Ok(id);
    };
    Err(ErrorResponse::bad_request(format!("{field} {problem}")))
}

pub(super) async fn tenant(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let target = call.target;
    let app = call
        .service
        .registry
        .app_with_tenant(&target.app, &target.tenant);
    let Some(app) = app.await? else {
        return status("TENANT_NOT_FOUND_ERROR");
    };
    let mut body = app
        .tenants
        .get(&target.tenant)
        .map(|tenant| tenant_body(&tenant.record, login_method_format(call)))
        .unwrap_or_default();
    body.insert("status".to_owned(), "OK".into());
    json(&body)
}

pub(super) async fn tenants(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    call.service.registry.catch_up().await?;
    let app = call.app().await?;
    if call.target.tenant != TenantId::default() {
        return Err(ErrorResponse::forbidden(
            "Only the public tenantId is allowed to list all tenants associated with this app",
        ));
    }
    json(&value!({ "status": "OK", "tenants": tenant_bodies(&app, login_method_format(call)) }))
}

pub(super) async fn apps(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    call.service.registry.catch_up().await?;
    base_app(call, "Only the public tenantId and public appId is allowed to list all apps associated with this connection uri domain").await?;
    json(&value!({ "status": "OK", "apps": app_bodies(call) }))
}

pub(super) async fn domains(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    call.service.registry.catch_up().await?;
    base_app(call, "Only the public tenantId, public appId and default connectionUriDomain is allowed to list all connectionUriDomains and appIds associated with this core").await?;
    json(&value!({
        "status": "OK",
        "connectionUriDomains": [{ "connectionUriDomain": "", "apps": app_bodies(call) }],
    }))
}

fn app_bodies(call: &Call<'_>) -> Vec<Value> {
    let all = call.service.registry.all();
    let mut apps: Vec<_> = all.values().collect();
    apps.sort_by(|a, b| a.id.cmp(&b.id));
    apps.iter()
        .map(|app| value!({ "appId": &*app.id, "tenants": tenant_bodies(app, login_method_format(call)) }))
        .collect()
}

fn tenant_bodies(app: &App, format: LoginMethodFormat) -> Vec<Value> {
    app.tenants
        .values()
        .map(|tenant| tenant_body(&tenant.record, format).into())
        .collect()
}

fn tenant_body(record: &TenantRecord, format: LoginMethodFormat) -> Map<String, Value> {
    let core_config: Values = record.core_config.deserialize().unwrap_or_default();
    let mut body = Map::new();
    body.insert("tenantId".to_owned(), record.tenant.as_str().into());
    body.insert("coreConfig".to_owned(), core_config.into());
    factors::show(record, format, &mut body);
    body
}

pub(super) async fn remove_tenant(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let tenant = TenantId::from_stored(&scope_id("tenantId", &input.text("tenantId")?)?);
    if tenant == TenantId::default() {
        return Err(ErrorResponse::forbidden(
            "Cannot delete public tenant, use remove app API instead",
        ));
    }
    let app = call.app().await?;
    if call.target.tenant != TenantId::default() {
        return Err(ErrorResponse::forbidden(
            "Only the public tenantId is allowed to delete a tenant",
        ));
    }
    let change = call.service.registry.change().await?;
    let existed = change.delete_tenant(&app.id, &tenant).await?;
    json(&value!({ "status": "OK", "didExist": existed }))
}

pub(super) async fn remove_app(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let app = AppId::from_stored(&scope_id("appId", &input.text("appId")?)?);
    if app == AppId::default() {
        return Err(ErrorResponse::forbidden(
            "Cannot delete the public app, use remove connection uri domain API instead",
        ));
    }
    base_app(
        call,
        "Only the public tenantId and public appId is allowed to delete an app",
    )
    .await?;
    let registry = &call.service.registry;
    let change = registry.change().await?;
    let tenants = registry.app(&app).await?;
    if tenants.is_some_and(|app| app.tenants.len() > 1) {
        return Err(ErrorResponse::forbidden(
            "Please delete all tenants except the public tenant for this app before calling the delete API",
        ));
    }
    let existed = change.delete_app(&app).await?;
    json(&value!({ "status": "OK", "didExist": existed }))
}

/// Removes a connection URI domain. This server has only the default domain, which cannot be
/// removed.
pub(super) async fn remove_domain(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    domain_name(&input.text(DOMAIN)?)?;
    base_app(call, "Only the public tenantId, public appId and default connectionUriDomain is allowed to delete a connectionUriDomain").await?;
    json(&value!({ "status": "OK", "didExist": false }))
}

/// Checks the name of a connection URI domain: a host name or an address, with or without a port.
fn domain_name(text: &str) -> Result<(), ErrorResponse> {
    let name = text.trim();
    if name.is_empty() {
        return Err(ErrorResponse::bad_request(
            "connectionUriDomain should not be an empty String",
        ));
    }
    let (host, port) = name.split_once(':').unwrap_or((name, "0"));
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !host.split('.').all(is_label) || port.parse::<u16>().is_err() {
        return Err(ErrorResponse::bad_request("connectionUriDomain is invalid"));
    }
    Ok(())
}

/// Returns the default app if the request addresses its public tenant. Only the operator of the
/// server may do so.
async fn base_app(call: &Call<'_>, refusal: &str) -> Result<Arc<App>, ErrorResponse> {
    let app = call.app().await?;
    if app.id == AppId::default() && call.target.tenant == TenantId::default() {
        Ok(app)
    } else {
        Err(ErrorResponse::forbidden(refusal))
    }
}
