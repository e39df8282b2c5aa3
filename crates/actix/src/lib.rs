//! Supersession for [actix-web]: one middleware, a guard, and a verified session in the handler.
//!
//! [actix-web]: https://docs.rs/actix-web
//!
//! ```
//! use actix_web::{App, HttpServer, web};
//! use serde_json::{Map, Value, json};
//! use supersession_actix::core::Sessions;
//! use supersession_actix::core::store::MemoryStore;
//! use supersession_actix::{
//!     OptionalSession, RequestSessions, SessionMiddleware, SessionRejection, verify_session,
//! };
//!
//! async fn login(sessions: RequestSessions) -> Result<&'static str, SessionRejection> {
//!     // After checking whatever your sign-in checks:
//!     sessions.create("alice").data(json!({"cart": []})).await?;
//!     Ok("welcome")
//! }
//!
//! async fn update_info(session: verify_session) -> Result<web::Json<Value>, SessionRejection> {
//!     let mut data: Map<String, Value> = session.get_session_data().await?;
//!     data.insert("newKey".into(), "newValue".into());
//!     session.update_session_data(&data).await?;
//!     Ok(web::Json(json!({"message": "successfully updated session data"})))
//! }
//!
//! async fn feed(session: OptionalSession) -> String {
//!     match session.into_session() {
//!         Some(session) => format!("hello, {}", session.user_id()),
//!         None => "hello, guest".to_owned(),
//!     }
//! }
//!
//! # actix_web::rt::System::new().block_on(async {
//! let sessions = Sessions::builder(MemoryStore::new())
//!     .api_domain("http://localhost:3000")
//!     .website_domain("http://localhost:3000")
//!     .build()
//!     .await?;
//! let server = HttpServer::new(move || {
//!     App::new()
//!         .route("/updateinfo", web::post().to(update_info).wrap(verify_session().check_database(true)))
//!         .route("/login", web::post().to(login))
//!         .route("/feed", web::get().to(feed))
//!         .wrap(SessionMiddleware::new(sessions.clone()))
//! });
//! # drop(server);
//! # Ok::<(), supersession::BuildError>(())
//! # }).unwrap();
//! ```
//!
//! | you want | use |
//! | --- | --- |
//! | the built-in routes, and tokens on responses | [`SessionMiddleware`], once, as the last `wrap` of the `App` |
//! | to let only signed-in users to a route | [`verify_session()`] with `wrap`, or [`session: verify_session`](type@verify_session) in the handler; [`Session`] is the same type |
//! | a session if there is one | [`OptionalSession`]; never `Option<Session>`, which swallows errors |
//! | a claim, a fresh login, a database check | [`verify_session()`] with options, or [`Require`] |
//! | to create a session | [`RequestSessions`] |
//! | errors as responses | [`SessionRejection`], with `?` |
//! | the built-in routes only | [`routes`] |
//!
//! The extractors of one handler run side by side, and the first error answers. Where a request
//! without a session must not get as far as having its body parsed, use the guard.
//!
//! This crate decides nothing: it shows requests to [`core`], and applies its answers. Bodies pass
//! through it untouched.

mod answer;
mod convert;
mod doctor;
mod extract;
mod guard;
mod middleware;
mod reject;
mod routes;

pub use answer::original_error;
pub use doctor::doctor;
pub use extract::{OptionalSession, RequestSessions, Require, Session, verify_session};
pub use guard::{VerifySession, VerifySessionService, verify_session};
pub use middleware::{ResponseFuture, SessionMiddleware, SessionService};
pub use reject::SessionRejection;
pub use routes::routes;

/// The framework-free core, so that one dependency is enough.
pub use supersession as core;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide-actix.md")]
struct GuideDoctests;
