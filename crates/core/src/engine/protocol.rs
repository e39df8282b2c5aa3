//! The rules and the format of access tokens that apply to one call.

use crate::store::KeyKind;
use crate::token::access;
#[cfg(feature = "server")]
use crate::token::server::{self, TokenVersion};

/// Rules for refresh tokens (core specification, 3.2 and 3.3). Both work on the same stored
/// sessions, in any order (core specification, 3.6).
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

/// The rules and the format of access tokens that apply to one call. An application uses the same
/// ones for all calls. A core selects them by the protocol version of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol {
    pub(super) rules: RefreshRules,
    pub(super) format: Format,
}

/// The format of minted access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    /// The format of the application in this process.
    Application,
    /// The format that a backend SDK requests from a core.
    #[cfg(feature = "server")]
    Core(TokenVersion),
}

impl Protocol {
    /// Returns the protocol of an application with these rules.
    pub(crate) fn of_application(rules: RefreshRules) -> Self {
        Self {
            rules,
            format: Format::Application,
        }
    }
}

impl Format {
    /// Returns the kind of key that signs a token of this format.
    pub(super) fn key_kind(self, chosen: KeyKind) -> KeyKind {
        match self {
            // A token of version 1 names no key, so its verifiers only know the rotating keys.
            #[cfg(feature = "server")]
            Self::Core(TokenVersion::V1) => KeyKind::Dynamic,
            _ => chosen,
        }
    }

    /// Joins the signing input with its signature.
    pub(super) fn assemble(self, signing_input: String, signature: &[u8]) -> String {
        match self {
            #[cfg(feature = "server")]
            Self::Core(version) => server::assemble(version, signing_input, signature),
            Self::Application => access::assemble(signing_input, signature),
        }
    }
}
