//! The page: five static files, shared with the other demos.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::IntoResponse;
use axum::routing::get;

const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

pub(crate) fn routes() -> Router {
    macro_rules! file {
        ($name:literal, $kind:literal) => {
            get(|| async { serve($kind, include_str!(concat!("../../page/", $name))) })
        };
    }
    Router::new()
        .route("/", file!("index.html", "text/html; charset=utf-8"))
        .route("/app.js", file!("app.js", "text/javascript; charset=utf-8"))
        .route("/api.js", file!("api.js", "text/javascript; charset=utf-8"))
        .route("/style.css", file!("style.css", "text/css; charset=utf-8"))
        .route("/favicon.svg", file!("favicon.svg", "image/svg+xml"))
}

fn serve(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text)
}
