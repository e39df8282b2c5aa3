//! Supersession for [actix-web]: a middleware, a guard, and extractors for verified sessions.
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
//!     let mut data: Map<String, Value> = session.session_data().await?;
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
//! | task | use |
//! | --- | --- |
//! | serve the built-in routes, send tokens with responses | [`SessionMiddleware`], once, as the last `wrap` of the `App` |
//! | restrict a route to signed-in users | [`verify_session()`] with `wrap`, or [`session: verify_session`](type@verify_session) in the handler; [`Session`] is the same type |
//! | get the session, if there is one | [`OptionalSession`]; never `Option<Session>`, which discards errors |
//! | require a claim, a recent sign-in or a database check | [`verify_session()`] with options, or [`Require`] |
//! | create a session | [`RequestSessions`] |
//! | return errors as responses | [`SessionRejection`], with `?` |
//! | serve only the built-in routes | [`routes`] |
//!
//! The extractors of a handler run concurrently, and the first error becomes the response. If the
//! body of a request without a session must not be parsed, use the guard.
//!
//! This crate makes no decisions: it passes requests to [`core`] and applies the results. It does
//! not change bodies.

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

/// The framework-independent core, re-exported so that applications need only one dependency.
pub use supersession as core;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide-actix.md")]
struct GuideDoctests;
