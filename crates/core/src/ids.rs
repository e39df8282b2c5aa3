//! Identifiers. Each has its own type, so that they cannot be confused.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use uuid::Uuid;

use crate::wire;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

macro_rules! from_any_text {
    ($name:ident) => {
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&String> for $name {
            fn from(text: &String) -> Self {
                Self(text.as_str().into())
            }
        }
    };
}

text_id! {
    /// Identifies a session for its whole lifetime and stays the same across refreshes. Not a
    /// secret: it grants no access.
    ///
    /// A UUID, followed by `_` and the tenant unless the tenant is `public`. Any text converts into
    /// a handle. A text that identifies no session is not found.
    SessionHandle
}
from_any_text!(SessionHandle);

text_id! {
    /// A user, as identified by the application. At most 128 characters when a session or metadata
    /// is created.
    UserId
}
from_any_text!(UserId);

text_id! {
    /// A tenant: lower-case letters, digits and hyphens, at most 64 characters. Defaults to
    /// `public`.
    TenantId
}

text_id! {
    /// An app: a separate set of sessions, keys and metadata in one store. Defaults to `public`.
    AppId
}

/// Maximum number of characters of a user id: the width of the column in SuperTokens' schema.
pub const MAX_USER_ID_LENGTH: usize = 128;
const MAX_SCOPE_ID_LENGTH: usize = 64;

impl SessionHandle {
    pub(crate) fn compose(id: Uuid, tenant: &TenantId) -> Self {
        if tenant.as_str() == wire::DEFAULT_TENANT_ID {
            Self(id.to_string().into())
        } else {
            Self(format!("{id}_{tenant}").into())
        }
    }

    /// Returns the tenant in the handle (core specification, 1.1): the text between the first and
    /// the second underscore, or `public`.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        match self.0.split('_').nth(1) {
            Some(tenant) => TenantId(tenant.into()),
            None => TenantId::default(),
        }
    }
}

/// The text is not a valid tenant or app id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a valid id: use 1 to {MAX_SCOPE_ID_LENGTH} lower-case letters, digits and hyphens, not starting with `appid-`"
)]
pub struct InvalidScopeId {
    text: String,
}

fn scope_id(text: &str) -> Result<Arc<str>, InvalidScopeId> {
    let id = text.trim().to_ascii_lowercase();
    let valid = (1..=MAX_SCOPE_ID_LENGTH).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !id.starts_with("appid-");
    if valid {
        Ok(id.into())
    } else {
        Err(InvalidScopeId {
            text: text.to_owned(),
        })
    }
}

macro_rules! scope_id_type {
    ($name:ident, $default:expr) => {
        impl $name {
            /// Validates `text` and converts it to lower case.
            ///
            /// # Errors
            /// If it is empty, too long, starts with `appid-`, or contains characters other than
            /// letters, digits and hyphens.
            pub fn new(text: &str) -> Result<Self, InvalidScopeId> {
                scope_id(text).map(Self)
            }

            /// Wraps an id that was validated when it was stored.
            #[must_use]
            pub fn from_stored(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidScopeId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self($default.into())
            }
        }
    };
}

scope_id_type!(TenantId, wire::DEFAULT_TENANT_ID);
scope_id_type!(AppId, wire::DEFAULT_APP_ID);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn tenant_of(handle: &str) -> String {
        SessionHandle::from(handle).tenant_id().to_string()
    }

    #[test]
    fn the_handle_names_its_tenant() {
        assert_eq!(tenant_of("0b8a"), "public");
        assert_eq!(tenant_of("0b8a_t1"), "t1");
        assert_eq!(tenant_of("0b8a_t1_ignored"), "t1");
        let id = Uuid::from_u128(7);
        assert_eq!(
            SessionHandle::compose(id, &TenantId::default()),
            id.to_string().as_str()
        );
        assert_eq!(
            SessionHandle::compose(id, &TenantId::new("t1").unwrap()),
            format!("{id}_t1").as_str()
        );
    }

    #[test]
    fn tenant_ids_are_checked() {
        assert_eq!(TenantId::new(" T1 ").unwrap(), "t1");
        for bad in ["", "appid-x", "a_b", "a b", "ä", &"x".repeat(65)] {
            assert!(TenantId::new(bad).is_err(), "{bad}");
        }
    }
}
