//! Supersession for [axum] and [tower]: a layer, a guard, and extractors for verified sessions.
//!
//! [axum]: https://docs.rs/axum
//! [tower]: https://docs.rs/tower
//!
//! ```
//! use axum::routing::{get, post};
//! use axum::{Json, Router};
//! use serde_json::{Map, Value, json};
//! use supersession_axum::core::Sessions;
//! use supersession_axum::core::store::MemoryStore;
//! use supersession_axum::{RequestSessions, Session, SessionLayer, SessionRejection, verify_session};
//!
//! async fn login(sessions: RequestSessions) -> Result<&'static str, SessionRejection> {
//!     // After checking whatever your sign-in checks:
//!     sessions.create("alice").data(json!({"cart": []})).await?;
//!     Ok("welcome")
//! }
//!
//! async fn update_info(session: verify_session) -> Result<Json<Value>, SessionRejection> {
//!     let mut data: Map<String, Value> = session.session_data().await?;
//!     data.insert("newKey".into(), "newValue".into());
//!     session.update_session_data(&data).await?;
//!     Ok(Json(json!({"message": "successfully updated session data"})))
//! }
//!
//! async fn feed(session: Option<Session>) -> String {
//!     session.map_or("hello, guest".to_owned(), |session| format!("hello, {}", session.user_id()))
//! }
//!
//! # pollster::block_on(async {
//! let sessions = Sessions::builder(MemoryStore::new())
//!     .api_domain("http://localhost:3000")
//!     .website_domain("http://localhost:3000")
//!     .build()
//!     .await?;
//! let app: Router = Router::new()
//!     .route("/updateinfo", post(update_info).route_layer(verify_session().check_database(true)))
//!     .route("/login", post(login))
//!     .route("/feed", get(feed))
//!     .layer(SessionLayer::new(sessions));
//! # Ok::<(), supersession::BuildError>(())
//! # }).unwrap();
//! ```
//!
//! | task | use |
//! | --- | --- |
//! | serve the built-in routes, send tokens with responses | [`SessionLayer`], once, outermost |
//! | restrict a route to signed-in users | [`verify_session()`] as a `route_layer`, or [`session: verify_session`](type@verify_session) in the handler; [`Session`] is the same type |
//! | get the session, if there is one | `Option<Session>` |
//! | require a claim, a recent sign-in or a database check | [`verify_session()`] with options, or [`Require`] |
//! | create a session | [`RequestSessions`] |
//! | return errors as responses | [`SessionRejection`], with `?` |
//! | serve only the built-in routes | [`routes`] |
//!
//! This crate makes no decisions: it passes requests to [`core`] and applies the results. The layer
//! and the guard work with every tower service with a response body of [`Bytes`](bytes::Bytes),
//! with or without axum. Their responses have axum's [`Body`](axum_core::body::Body).

mod convert;
mod doctor;
mod extract;
mod guard;
mod layer;
mod reject;
mod routes;

pub use convert::PeerIp;
pub use doctor::doctor;
pub use extract::{RequestSessions, Require, Session, verify_session};
pub use guard::{VerifySession, VerifySessionService, verify_session};
pub use layer::{ResponseFuture, SessionLayer, SessionService};
pub use reject::SessionRejection;
pub use routes::{Routes, routes};

/// The framework-independent core, re-exported so that applications need only one dependency.
pub use supersession as core;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide.md")]
struct GuideDoctests;
