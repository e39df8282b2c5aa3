//! Session claims: values in the access token payload that can be fetched anew and checked (session
//! specification, section 9).
//!
//! A claim knows its key in the payload and how to fetch its value. A validator looks at the
//! payload and says yes, or no with a reason that the client gets to read in a 403.
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
pub use validator::{ClaimCheck, ClaimFailure, ClaimValidator, Validate, Verdict};

#[cfg(test)]
mod tests;
