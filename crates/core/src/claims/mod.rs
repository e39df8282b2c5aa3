//! Session claims: values in the access token payload that can be refetched and validated (sessions
//! 9).
//!
//! A claim defines its key in the payload and how its value is fetched. A validator checks the
//! payload. If it rejects, it can give a reason, which the client receives in the 403 response.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//! use supersession::claims::{PrimitiveArrayClaim, ClaimContext};
//!
//! // Usually a `static` behind a `LazyLock`, so that guards anywhere can name it.
//! let role = PrimitiveArrayClaim::new("st-role", |user: ClaimContext| async move {
//!     let roles = if user.user_id == "admin" { vec!["admin".to_owned()] } else { Vec::new() };
//!     Ok::<_, std::io::Error>(Some(roles))
//! });
//! let is_admin = role.includes("admin").max_age(Duration::from_secs(300));
//! # let _ = is_admin;
//! ```

mod array;
mod claim;
mod evaluate;
mod primitive;
mod validator;

pub use array::PrimitiveArrayClaim;
pub(crate) use claim::{AnyClaim, fetch_fault};
pub use claim::{Claim, ClaimContext, ClaimFetchError};
pub(crate) use evaluate::{failures, refetch};
pub use primitive::{BooleanClaim, PrimitiveClaim};
pub use validator::{ClaimCheck, ClaimValidator, Validate, Verdict};

pub use crate::error::ClaimFailure;

#[cfg(test)]
mod tests;
