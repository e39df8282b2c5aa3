//! The built-in routes without the middleware.

use actix_web::guard::fn_guard;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use supersession::{RequestSessions, Route, Sessions};

use crate::convert::{Head, View, for_request, response_of};

/// Registers the built-in routes with `App::configure`: refresh, sign-out, key set, OpenID
/// discovery.
///
/// Use it in an application whose sessions are verified by another service.
/// [`SessionMiddleware`](crate::SessionMiddleware) already serves these routes. Without it, guards
/// and extractors do not work.
///
/// Earlier routes that match the same path take precedence.
pub fn routes(sessions: Sessions) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        // Core decides if the path is a built-in route. Other requests go to the next service.
        let known = sessions.clone();
        let is_built_in =
            fn_guard(move |context| for_request(&known, context.head()).route().is_some());
        let handle = move |request: HttpRequest| {
            let sessions = for_request(&sessions, request.head());
            sessions.read(&View(request.head()));
            async move {
                match sessions.route() {
                    Some(route) => serve(&sessions, route).await,
                    None => HttpResponse::NotFound().finish(),
                }
            }
        };
        config.service(web::resource("{path:.*}").guard(is_built_in).to(handle));
    }
}

/// Answers a request for a built-in route. The request must have been read.
pub(crate) async fn serve(sessions: &RequestSessions, route: Route) -> HttpResponse {
    let mut response = response_of(sessions.serve(route).await);
    sessions.finish(&mut Head(response.headers_mut()));
    response
}
