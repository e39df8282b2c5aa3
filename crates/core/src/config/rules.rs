//! The choice between the two sets of refresh rules.

use crate::engine::Mode;

/// Rules for refresh tokens (core specification, 3.2 and 3.3). Both work on the same stored
/// sessions.
///
/// | | ROTATION | LEGACY |
/// | --- | --- | --- |
/// | a refresh | replaces the refresh token | returns a child of it, and stores nothing |
/// | the first request after a refresh | changes nothing | replaces the refresh token by its child, and its response carries one more access token |
/// | a used refresh token | is accepted for the grace period, then revokes the session | is accepted until its child is used, then revokes the session |
/// | an access token of an earlier refresh, with a database check | is rejected | is accepted until it expires |
///
/// SuperTokens' SDKs apply LEGACY rules below CDI 5.6, and ROTATION rules from 5.6 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefreshRules {
    /// A refresh replaces the refresh token.
    #[default]
    Rotation,
    /// The first use of the returned tokens replaces the refresh token.
    Legacy,
}

impl From<RefreshRules> for Mode {
    fn from(rules: RefreshRules) -> Self {
        match rules {
            RefreshRules::Rotation => Self::Rotation,
            RefreshRules::Legacy => Self::Legacy,
        }
    }
}
