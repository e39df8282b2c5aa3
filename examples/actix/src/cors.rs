//! Lets the pages of the website call this API from another origin.

use actix_cors::Cors;
use actix_web::http::header::CONTENT_TYPE;
use supersession_actix::core::wire;

/// Returns the middleware to put around the session middleware, so that it sees every response,
/// including those of the built-in routes and errors.
pub(crate) fn middleware(website_domain: &str) -> Cors {
    Cors::default()
        // Only this origin: a page of an allowed origin can act as the user.
        .allowed_origin(website_domain)
        .supports_credentials()
        .allowed_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers(wire::CORS_ALLOW_HEADERS)
        .allowed_header(CONTENT_TYPE)
        .expose_headers(wire::CORS_EXPOSE_HEADERS)
}
