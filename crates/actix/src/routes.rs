//! The built-in routes by themselves.

use actix_web::guard::fn_guard;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use supersession::{RequestSessions, Route, Sessions};

use crate::convert::{Head, View, for_request, response_of};

/// The built-in routes for `App::configure`: refresh, sign-out, key set, OpenID discovery.
///
/// For an application that verifies sessions elsewhere.
/// [`SessionMiddleware`](crate::SessionMiddleware) answers these routes by itself; without it,
/// guards and extractors do not work.
///
/// Routes that are registered before and match the same path win.
pub fn routes(sessions: Sessions) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        // Core knows the paths; what it does not claim, the router offers to the next service.
        let known = sessions.clone();
        let is_built_in = fn_guard(move |context| {
            let sessions = for_request(&known, context.head());
            sessions.route().is_some()
        });
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

/// Answers a built-in route of a request that has been read.
pub(crate) async fn serve(sessions: &RequestSessions, route: Route) -> HttpResponse {
    let mut response = response_of(sessions.serve(route).await);
    sessions.finish(&mut Head(response.headers_mut()));
    response
}
