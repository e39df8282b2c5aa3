//! Lets the pages of the website call this API from another origin.

use anyhow::Context as _;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method};
use supersession_axum::core::wire;
use tower_http::cors::CorsLayer;

/// Returns the layer to put around the session layer, so that it sees every response, including
/// those of the built-in routes and errors.
pub(crate) fn layer(website_domain: &str) -> anyhow::Result<CorsLayer> {
    // Only this origin: a page of an allowed origin can act as the user.
    let origin: HeaderValue = website_domain
        .parse()
        .with_context(|| format!("WEBSITE_DOMAIN={website_domain} is no origin"))?;
    let allowed = wire::CORS_ALLOW_HEADERS.map(HeaderName::from_static);
    let exposed = wire::CORS_EXPOSE_HEADERS.map(HeaderName::from_static);
    Ok(CorsLayer::new()
        .allow_origin(origin)
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(
            allowed
                .into_iter()
                .chain([CONTENT_TYPE])
                .collect::<Vec<_>>(),
        )
        .expose_headers(exposed))
}
