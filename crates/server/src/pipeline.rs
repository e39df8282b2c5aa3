//! Processes a request in this order, on which SDKs rely: path, address, key, version, body,
//! handler.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use supersession::{AppId, Fault, TenantId};

use crate::call::Call;
use crate::cdi::{CdiVersion, CdiVersionError};
use crate::handlers;
use crate::input::Query;
use crate::path::{self, Endpoint, Target};
use crate::registry::App;
use crate::response::{ErrorResponse, HttpResponse};
use crate::service::Service;

const VERSION_HEADER: &str = "cdi-version";

impl Service {
    /// Answers a request from a client at this address.
    pub async fn answer<B>(&self, request: Request<B>, peer: IpAddr) -> HttpResponse
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let started = Instant::now();
        let target = path::parse(&self.base_path, request.uri().path());
        let endpoint = target.as_ref().map(|target| target.endpoint);
        let scope = target
            .as_ref()
            .map(|target| (target.app.clone(), target.tenant.clone()));
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let answer = match target {
            Some(target) => self.answer_target(request, &target, peer).await,
            None => Err(not_found(&self.base_path, &path)),
        };
        let (answer, cause) = match answer {
            Ok(answer) => (answer, None),
            Err(mut refusal) => {
                let cause = refusal.cause.take();
                (HttpResponse::from(refusal), cause)
            }
        };
        let (status, took) = (answer.status(), started.elapsed());
        self.metrics.record_response(endpoint, status, took);
        if let Some((app, _)) = &scope
            && let Some(app) = self.registry.all().get(app)
        {
            app.requests.count(self.clock.now());
        }
        if status.is_client_error() || status.is_server_error() {
            failed(&method, &path, scope.as_ref(), status, cause.as_ref());
        }
        tracing::debug!(
            %method, endpoint = endpoint.map_or("unknown", Endpoint::name), status = status.as_u16(),
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "answered"
        );
        answer
    }

    async fn answer_target<B>(
        &self,
        request: Request<B>,
        target: &Target,
        peer: IpAddr,
    ) -> Result<HttpResponse, ErrorResponse>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let endpoint = target.endpoint;
        // A liveness check must not depend on the store.
        if matches!(endpoint, Endpoint::Live) {
            return handlers::health::live(&head.method);
        }
        // An unknown app has no rules and no keys. Its handler reports that the app does not exist.
        let app = self.registry.app(&target.app).await?;
        let mut cdi = CdiVersion::NEWEST;
        if let Some(app) = &app {
            if !app.ip_rules(&target.tenant).admit(peer) {
                return Err(ErrorResponse::forbidden("Forbidden"));
            }
            if endpoint.needs_api_key() && !app.config.api_keys.admit(&head.headers) {
                return Err(ErrorResponse::new(
                    StatusCode::UNAUTHORIZED,
                    "Invalid API key",
                ));
            }
            cdi = app.config.max_cdi;
        }
        if !endpoint.is_operational() {
            let sent = head.headers.get(VERSION_HEADER);
            let sent = sent.map(|value| value.to_str().unwrap_or_default());
            cdi = version(sent, app.as_deref(), cdi, endpoint)?;
            if endpoint.needs_version()
                && !cdi.supports_tenants()
                && target.tenant != TenantId::default()
            {
                return Err(ErrorResponse::not_found());
            }
        }
        let body = if matches!(head.method, Method::GET | Method::HEAD) {
            Bytes::new()
        } else {
            self.read(body).await?
        };
        let call = Call {
            service: self,
            target,
            cdi,
            query: Query::parse(head.uri.query()),
            body,
        };
        handlers::dispatch(&call, &head.method).await
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, ErrorResponse>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let whole = Limited::new(body, self.max_body_bytes).collect();
        match tokio::time::timeout(self.body_timeout, whole).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ErrorResponse::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "The body is longer than {} bytes, which is the limit of this server",
                    self.max_body_bytes
                ),
            )),
            Ok(Err(_)) => Err(ErrorResponse::bad_request("The body cannot be read")),
            Err(_) => Err(ErrorResponse::new(
                StatusCode::REQUEST_TIMEOUT,
                "The body was not received in time",
            )),
        }
    }
}

/// Builds the error for an unknown path. The message says if the path is out of scope.
fn not_found(base_path: &str, path: &str) -> ErrorResponse {
    if path::is_out_of_scope(base_path, path) {
        ErrorResponse::new(
            StatusCode::NOT_FOUND,
            "Not found: this server supports sessions, JWTs and user metadata only; users, login methods, roles and dashboards are out of its scope and require SuperTokens' core",
        )
    } else {
        ErrorResponse::not_found()
    }
}

/// Logs a failed request, without its query, its headers and its body.
fn failed(
    method: &Method,
    path: &str,
    scope: Option<&(AppId, TenantId)>,
    status: StatusCode,
    cause: Option<&Fault>,
) {
    let path = path::for_log(path);
    let (app, tenant) = scope.map_or(("", ""), |(app, tenant)| (app, tenant));
    let status = status.as_u16();
    if let Some(fault) = cause {
        let (kind, error) = (fault.kind(), fault.report());
        tracing::error!(%method, path, app, tenant, status, ?kind, error, "a request failed");
    } else if status >= 500 {
        tracing::error!(%method, path, app, tenant, status, "a request failed");
    } else {
        tracing::warn!(%method, path, app, tenant, status, "a request failed");
    }
}

/// Returns the CDI version of the request, if this server and this app support it.
fn version(
    sent: Option<&str>,
    app: Option<&App>,
    max: CdiVersion,
    endpoint: Endpoint,
) -> Result<CdiVersion, ErrorResponse> {
    let Some(sent) = sent else {
        return Ok(max);
    };
    let shown: String = sent.chars().take(32).collect();
    let unsupported = || ErrorResponse::bad_request(format!("cdi-version {shown} not supported"));
    let too_low = |min: CdiVersion| {
        ErrorResponse::bad_request(format!(
            "cdi-version {shown} is lower than the minimum allowed version {min}"
        ))
    };
    let min = app.and_then(|app| app.config.min_cdi);
    match CdiVersion::parse(sent) {
        Err(CdiVersionError::Malformed) => {
            Err(ErrorResponse::bad_request("cdi-version header is invalid"))
        }
        Err(CdiVersionError::Unsupported(Ordering::Greater)) => Err(unsupported()),
        Err(CdiVersionError::Unsupported(_)) if endpoint.needs_version() => Err(unsupported()),
        Err(CdiVersionError::Unsupported(_)) => Ok(max),
        Ok(version) if version > max => Err(unsupported()),
        Ok(version) => match min {
            Some(min) if version < min => Err(too_low(min)),
            _ => Ok(version),
        },
    }
}
