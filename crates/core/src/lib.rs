//! Sessions for Rust web applications, wire-compatible with SuperTokens.
//!
//! A guard turns a request into a [`Session`], and the handler reads and updates the session's
//! data. This crate contains the whole system without a web framework. Web applications use it
//! through an adapter such as `supersession-axum`, which re-exports it as `core`, and keep sessions
//! in a store such as `supersession-sqlite`.
//!
//! ```
//! use std::time::Duration;
//!
//! use serde_json::{Value, json};
//! use supersession::store::MemoryStore;
//! use supersession::{AntiCsrfInput, Sessions, VerifyOptions};
//!
//! # pollster::block_on(async {
//! let sessions = Sessions::builder(MemoryStore::new())
//!     .api_domain("https://api.example.com")
//!     .website_domain("https://example.com")
//!     .access_token_validity(Duration::from_secs(900))
//!     .build()
//!     .await?;
//!
//! // Sign-in, after the application has authenticated the user.
//! let session = sessions.create("alice").payload(json!({"plan": "pro"})).data(json!({"cart": []})).await?;
//! let tokens = session.all_session_tokens_dangerously();
//!
//! // A later request. Verification needs no access to the store.
//! let session = sessions
//!     .verify_access_token(&tokens.access_token, None, &VerifyOptions::new())
//!     .await?
//!     .expect("the session is required, so there is one");
//! assert_eq!(session.user_id(), "alice");
//! session.merge_session_data(json!({"theme": "dark"})).await?;
//! let data: Value = session.session_data().await?;
//! assert_eq!(data, json!({"cart": [], "theme": "dark"}));
//!
//! // A refresh, after the access token has expired.
//! let refresh_token = tokens.refresh_token.expect("a new session has one");
//! sessions.refresh_session(&refresh_token, AntiCsrfInput::Token(None)).await?;
//!
//! // Sign-out of all sessions, with or without a request.
//! sessions.revoke_all_for_user("alice").await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Features of the system
//!
//! * **Tokens.** Access tokens are JWTs, verified in the process. Refresh tokens rotate at every
//!   use, and reuse is detected as theft. Tokens travel in cookies or headers, as the client
//!   requests ([`TokenTransferMethod`]).
//! * **Data.** Session data on the server, a payload inside the access token, and metadata for each
//!   user. Each can be overwritten, merged atomically, or modified without lost updates
//!   ([`Session`], [`Sessions`], [`UserMetadata`]).
//! * **Claims.** Values in the payload that are refetched when they are stale, and guards that
//!   require them ([`claims`]).
//! * **Hooks.** Application code that runs when a session is created, refreshed or revoked
//!   ([`hooks`]).
//! * **Stores.** A contract, and a test suite that every store passes ([`store`]).
//!
//! # Out of scope
//!
//! This crate implements no login methods, opens no socket and needs no async runtime. The clock
//! and the source of randomness can be injected ([`Clock`], [`Entropy`]). A fault is never a
//! verdict on a session: it is answered with 503 or 500 and clears no tokens ([`SessionError`]).
//!
//! # Cargo features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `server` | no | the module `engine`, for programs that replace a SuperTokens core |
//! | `metrics` | no | counters through the `metrics` facade; see [`telemetry`] for their names |

pub mod authority;
mod background;
mod builder;
pub mod claims;
mod client;
mod clock;
mod config;
mod cookies;
mod devices;
pub mod doctor;
mod documents;
#[cfg(feature = "server")]
pub mod engine;
#[cfg(not(feature = "server"))]
#[expect(
    unreachable_pub,
    reason = "the feature `server` makes the module public"
)]
mod engine;
mod entropy;
mod error;
mod findings;
pub mod hooks;
mod housekeeping;
pub mod http;
mod ids;
mod json;
mod keys;
mod limits;
mod refusal;
mod request;
mod secret;
mod session;
mod sessions;
mod sightings;
pub mod store;
pub mod telemetry;
mod token;
mod transfer;
mod transport;
mod verify;
mod watch;
pub mod wire;
mod workers;

pub use authority::SessionInformation;
pub use builder::{BuildError, ConfigProblem, SessionsBuilder};
pub use clock::{Clock, SystemClock, UnixMillis, UnixSeconds};
pub use config::{Pages, RefreshInPlace, Strictness};
pub use engine::RefreshRules;
pub use entropy::{Entropy, EntropyError, SystemEntropy};
pub use error::{
    Fault, FaultKind, PayloadTooLarge, ReuseClass, SessionError, TokenTheft, Unauthorised,
};
pub use hooks::Hooks;
pub use ids::{AppId, InvalidScopeId, MAX_USER_ID_LENGTH, SessionHandle, TenantId, UserId};
pub use json::{JsonObject, JsonObjectError};
pub use keys::{Jwk, JwkSet, SigningAlgorithm};
pub use limits::{MAX_DOCUMENT_BYTES, MAX_JSON_DEPTH};
pub use request::{AntiCsrfInput, CreateSession, Guard, RequestSessions, Route, VerifyOptions};
pub use secret::{
    AccessToken, AntiCsrfToken, FrontToken, RefreshHash1, RefreshHash2, RefreshToken, SecretText,
};
pub use session::{Delivery, Session, SessionTokens};
pub use sessions::{Sessions, UserMetadata};
pub use store::Store;
pub use transport::{
    AntiCsrf, CookiePrefix, InvalidAntiCsrf, InvalidCookiePrefix, InvalidSameSite, SameSite,
    TokenTransferMethod, TransferPurpose,
};
pub use watch::SessionEnd;
