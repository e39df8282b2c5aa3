//! The core driver interface (CDI): its versions and their differences.
//!
//! Only the handlers depend on versions. The code below them sees the [`Protocol`] of a version.

use std::cmp::Ordering;
use std::fmt;

use supersession::engine::{Protocol, RefreshRules, TokenVersion};

/// A version of the core driver interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CdiVersion {
    major: u16,
    minor: u16,
}

const fn version(major: u16, minor: u16) -> CdiVersion {
    CdiVersion { major, minor }
}

/// All supported versions, oldest first.
pub(crate) const SUPPORTED: [CdiVersion; 25] = [
    version(2, 7),
    version(2, 8),
    version(2, 9),
    version(2, 10),
    version(2, 11),
    version(2, 12),
    version(2, 13),
    version(2, 14),
    version(2, 15),
    version(2, 16),
    version(2, 17),
    version(2, 18),
    version(2, 19),
    version(2, 20),
    version(2, 21),
    version(3, 0),
    version(3, 1),
    version(4, 0),
    version(5, 0),
    version(5, 1),
    version(5, 2),
    version(5, 3),
    version(5, 4),
    version(5, 5),
    version(5, 6),
];

/// Why a text is not a supported version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CdiVersionError {
    /// The text is not a dotted number.
    Malformed,
    /// The version is not supported. The order compares it with the newest supported version.
    Unsupported(Ordering),
}

impl CdiVersion {
    /// The newest supported version.
    pub(crate) const NEWEST: Self = version(5, 6);

    /// Parses a supported version.
    ///
    /// # Errors
    /// If the version is malformed or not supported. In the latter case, the order shows if it is
    /// newer than the newest supported version.
    pub(crate) fn parse(text: &str) -> Result<Self, CdiVersionError> {
        let numbers: Option<Vec<u64>> = text
            .split('.')
            .map(|part| {
                let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| part.parse().unwrap_or(u64::MAX))
            })
            .collect();
        let mut numbers = numbers.ok_or(CdiVersionError::Malformed)?;
        while numbers.len() > 2 && numbers.last() == Some(&0) {
            numbers.pop();
        }
        numbers.resize(numbers.len().max(2), 0);
        let newest = [u64::from(Self::NEWEST.major), u64::from(Self::NEWEST.minor)];
        let listed = SUPPORTED
            .into_iter()
            .find(|known| numbers == [u64::from(known.major), u64::from(known.minor)]);
        listed.ok_or_else(|| CdiVersionError::Unsupported(numbers.as_slice().cmp(&newest)))
    }

    /// Returns the rules and the format of access tokens for this version.
    #[must_use]
    pub(crate) fn protocol(self) -> Protocol {
        Protocol::of_core(self.rules(), self.token_version())
    }

    /// Returns the format of new access tokens.
    #[must_use]
    pub(crate) fn token_version(self) -> TokenVersion {
        if self < version(2, 21) {
            TokenVersion::V2
        } else if self < version(3, 0) {
            TokenVersion::V3
        } else if self < version(4, 0) {
            TokenVersion::V4
        } else {
            TokenVersion::V5
        }
    }

    /// Returns the rules for refresh tokens.
    #[must_use]
    pub(crate) fn rules(self) -> RefreshRules {
        if self.is_rotation() {
            RefreshRules::Rotation
        } else {
            RefreshRules::Legacy
        }
    }

    fn is_rotation(self) -> bool {
        self >= version(5, 6)
    }

    /// Returns `true` if verification is stateless. It is then limited to the public tenant, and
    /// responses contain a flag where LEGACY returns a token.
    #[must_use]
    pub(crate) fn verifies_on_public_tenant_only(self) -> bool {
        self.is_rotation()
    }

    /// Returns `true` if a request may shorten the validity of an access token.
    #[must_use]
    pub(crate) fn supports_access_token_validity(self) -> bool {
        self.is_rotation()
    }

    /// Returns `true` if SDKs of this version get public keys in responses instead of key sets.
    #[must_use]
    pub(crate) fn is_before_key_sets(self) -> bool {
        self < version(2, 21)
    }

    /// Returns `true` if responses contain all public keys, not only one.
    #[must_use]
    pub(crate) fn lists_public_keys(self) -> bool {
        self >= version(2, 9)
    }

    /// Returns `true` if paths and responses may contain a tenant.
    #[must_use]
    pub(crate) fn supports_tenants(self) -> bool {
        self >= version(3, 0)
    }

    /// Returns `true` if responses contain the login method of a user.
    #[must_use]
    pub(crate) fn supports_recipe_users(self) -> bool {
        self >= version(4, 0)
    }

    /// Returns how a refresh request specifies the kind of key.
    #[must_use]
    pub(crate) fn refresh_key_choice(self) -> KeyChoice {
        if self >= version(5, 0) {
            KeyChoice::Mandatory
        } else if self >= version(3, 0) {
            KeyChoice::Optional
        } else {
            KeyChoice::Ignored
        }
    }

    /// Returns `true` if requests that concern a whole app are limited to the public tenant.
    #[must_use]
    pub(crate) fn separates_apps_from_tenants(self) -> bool {
        self >= version(5, 0)
    }
}

/// The treatment of the request field that selects the kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyChoice {
    /// The field is ignored.
    Ignored,
    /// The field is used if present.
    Optional,
    /// The field is required.
    Mandatory,
}

impl fmt::Display for CdiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(CdiVersion::parse("2.21"), Ok(version(2, 21)));
        assert_eq!(CdiVersion::parse("5.0.0"), Ok(version(5, 0)));
        assert_eq!(CdiVersion::parse("4"), Ok(version(4, 0)));
        for bad in ["", "abc", "2.x", ".", "5.", "-1.0", "5.4 ", "+5.4"] {
            assert_eq!(
                CdiVersion::parse(bad),
                Err(CdiVersionError::Malformed),
                "{bad}"
            );
        }
        for (text, order) in [
            ("99.0", Ordering::Greater),
            ("5.6.1", Ordering::Greater),
            ("99999999999999999999.1", Ordering::Greater),
            ("4.7", Ordering::Less),
            ("1.0", Ordering::Less),
        ] {
            assert_eq!(
                CdiVersion::parse(text),
                Err(CdiVersionError::Unsupported(order)),
                "{text}"
            );
        }
        assert!(SUPPORTED.is_sorted());
        assert_eq!(SUPPORTED.last(), Some(&CdiVersion::NEWEST));
    }
}
