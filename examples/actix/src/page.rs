//! The page: five static files, shared with the other demos.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, guard};

const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

pub(crate) fn routes(config: &mut ServiceConfig) {
    macro_rules! file {
        ($path:literal, $name:literal, $kind:literal) => {
            let route = web::route()
                .guard(guard::Any(guard::Get()).or(guard::Head()))
                .to(|| async { serve($kind, include_str!(concat!("../../page/", $name))) });
            config.service(web::resource($path).route(route));
        };
    }
    file!("/", "index.html", "text/html; charset=utf-8");
    file!("/app.js", "app.js", "text/javascript; charset=utf-8");
    file!("/api.js", "api.js", "text/javascript; charset=utf-8");
    file!("/style.css", "style.css", "text/css; charset=utf-8");
    file!("/favicon.svg", "favicon.svg", "image/svg+xml");
}

fn serve(kind: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text)
}
