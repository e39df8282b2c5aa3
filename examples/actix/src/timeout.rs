//! Limits the time that a request may take, its body included.

use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorRequestTimeout;
use actix_web::middleware::Next;

/// Passes the request on. Responds with 408 if no response is ready within `limit`.
pub(crate) async fn within<B: MessageBody>(
    limit: Duration,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    match tokio::time::timeout(limit, next.call(request)).await {
        Ok(answered) => answered,
        Err(_) => Err(ErrorRequestTimeout("request timeout")),
    }
}
