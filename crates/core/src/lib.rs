//! Session system for Rust web apps.

mod authority;
pub mod claims;
mod clock;
mod config;
mod documents;
mod engine;
mod entropy;
mod error;
pub mod hooks;
mod housekeeping;
pub mod http;
mod ids;
mod json;
mod keys;
mod request;
mod secret;
mod session;
mod sessions;
pub mod store;
pub mod telemetry;
mod token;
mod transfer;
mod verify;
pub mod wire;
mod workers;

pub use authority::SessionInformation;
pub use clock::{Clock, SystemClock, UnixMillis, UnixSeconds};
pub use config::{BuildError, ConfigProblem, SessionsBuilder};
pub use entropy::{Entropy, EntropyError, SystemEntropy};
pub use error::{Fault, FaultKind, ReuseClass, SessionError, TokenTheft, Unauthorised};
pub use hooks::Hooks;
pub use ids::{AppId, InvalidScopeId, MAX_USER_ID_LENGTH, SessionHandle, TenantId, UserId};
pub use json::{JsonObject, JsonObjectError};
pub use keys::{Jwk, JwkSet};
pub use request::{Guard, RequestSessions, Route, VerifyOptions};
pub use secret::{
    AccessToken, AntiCsrfToken, RefreshHash1, RefreshHash2, RefreshToken, SecretText,
};
pub use session::{Delivery, Session, SessionTokens};
pub use sessions::{AntiCsrfInput, CreateSession, Sessions, UserMetadata};
pub use store::Store;
pub use transfer::{AntiCsrf, InvalidAntiCsrf, InvalidSameSite, SameSite, TokenTransferMethod};
