//! Session system for Rust web apps.

mod clock;
mod entropy;
mod ids;
mod json;
mod secret;
pub mod store;
pub mod wire;

pub use clock::{Clock, SystemClock, UnixMillis, UnixSeconds};
pub use entropy::{Entropy, EntropyError, SystemEntropy};
pub use ids::{AppId, InvalidScopeId, MAX_USER_ID_LENGTH, SessionHandle, TenantId, UserId};
pub use json::{JsonObject, JsonObjectError};
pub use secret::{AccessToken, AntiCsrfToken, RefreshHash1, RefreshHash2, RefreshToken, SecretText};
pub use store::Store;
