//! The request handlers: each parses its input, calls the engine or the store, and builds the
//! response.

pub(crate) mod health;

mod apps;
mod bodies;
mod document_extension;
mod documents;
mod factors;
mod jwt;
mod lists;
mod metadata;
mod operations;
mod public_keys;
mod sessions;
mod tokens;
mod users;

use http::Method;

use crate::call::Call;
use crate::path::Endpoint;
use crate::response::{ErrorResponse, HttpResponse};

/// Calls the handler of a request.
pub(crate) async fn dispatch(
    call: &Call<'_>,
    method: &Method,
) -> Result<HttpResponse, ErrorResponse> {
    use Endpoint as E;
    match (call.target.endpoint, method.as_str()) {
        (E::Root | E::Hello, "GET" | "POST" | "PUT" | "DELETE") => health::hello(call).await,
        (E::Ready, "GET" | "HEAD") => health::ready(call).await,
        (E::Metrics, "GET") => Ok(health::metrics(call)),
        (E::ApiVersion, "GET") => health::api_version(call).await,
        (E::Config, "GET") => operations::config(call),
        (E::Telemetry, "GET") => operations::telemetry(call).await,
        (E::FeatureFlag, "GET") => operations::feature_flag(call).await,
        (E::License, "GET" | "PUT" | "DELETE") => operations::license(call, method).await,
        (E::UserId, "GET") => users::user(call).await,
        (E::ActiveUsers, "GET") => users::count_active(call).await,
        (E::RequestStats, "GET") => operations::request_stats(call).await,
        (E::UserRemove, "POST") => users::remove(call).await,
        (E::JwksPublic, "GET" | "HEAD") => jwt::public_key_set(call).await,
        (E::Jwks, "GET" | "HEAD") => jwt::key_set(call).await,
        (E::Jwt, "POST") => jwt::sign(call).await,
        (E::Session, "POST") => sessions::create(call).await,
        (E::Session, "GET") => sessions::information(call).await,
        (E::Verify, "POST") => tokens::verify(call).await,
        (E::Refresh, "POST") => tokens::refresh(call).await,
        (E::Regenerate, "POST") => tokens::regenerate(call).await,
        (E::Remove, "POST") => lists::remove(call).await,
        (E::UserSessions, "GET") => lists::handles(call).await,
        (E::SessionData, "GET") => documents::session_data(call).await,
        (E::SessionData, "PUT") => documents::set_session_data(call).await,
        (E::JwtData, "GET") => documents::payload(call).await,
        (E::JwtData, "PUT") => documents::set_payload(call).await,
        (E::Handshake, "POST") => public_keys::handshake(call).await,
        (E::UserMetadata, "GET") => metadata::get(call).await,
        (E::UserMetadata, "PUT") => metadata::update(call).await,
        (E::UserMetadataRemove, "POST") => metadata::remove(call).await,
        (E::UserMetadataBulk, "POST") => metadata::bulk(call).await,
        (E::Document, "GET") => document_extension::describe(call).await,
        (E::Document, "POST") => document_extension::write(call).await,
        (E::App | E::AppV2, "PUT") => apps::put_app(call).await,
        (E::Tenant | E::TenantV2, "PUT") => apps::put_tenant(call).await,
        (E::Domain | E::DomainV2, "PUT") => apps::put_domain(call).await,
        (E::Tenant | E::TenantV2, "GET") => apps::tenant(call).await,
        (E::TenantList | E::TenantListV2, "GET") => apps::tenants(call).await,
        (E::AppList | E::AppListV2, "GET") => apps::apps(call).await,
        (E::DomainList | E::DomainListV2, "GET") => apps::domains(call).await,
        (E::TenantRemove, "POST") => apps::remove_tenant(call).await,
        (E::AppRemove, "POST") => apps::remove_app(call).await,
        (E::DomainRemove, "POST") => apps::remove_domain(call).await,
        _ => Err(ErrorResponse::method_not_supported()),
    }
}
