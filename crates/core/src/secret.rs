//! Secrets: redacted in `Debug`, wiped on drop, compared in constant time, readable only through
//! `expose`.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Wraps the secret's text.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(Zeroizing::new(text.into()))
            }

            /// Returns the secret itself. Never log it or put it into an error.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// Compares in constant time: the duration does not reveal where the two differ. It
            /// does reveal a difference in length.
            #[must_use]
            pub fn ct_eq(&self, other: &str) -> bool {
                self.0.as_bytes().ct_eq(other.as_bytes()).into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

secret! {
    /// A signed access token (a JWT). Its bearer can act as the user until it expires.
    AccessToken
}
secret! {
    /// A refresh token. Its bearer can keep the session alive. Every refresh replaces it.
    RefreshToken
}
secret! {
    /// The token that a page sends to prove that the request comes from that page and not from
    /// another site.
    AntiCsrfToken
}
secret! {
    /// Describes an access token, including its whole payload, to the browser SDK. Scripts of the
    /// page can read it. Do not log it.
    FrontToken
}
secret! {
    /// Text that is visible only to the engine and its store: private keys and the master key of
    /// the refresh tokens.
    SecretText
}

/// `H1`: lower-case hex SHA-256 of a refresh token. The access token that was minted with that
/// refresh token contains it (core 1.6).
#[derive(Clone)]
pub struct RefreshHash1 {
    hex: String,
    /// The hash of this hash, computed on first access.
    second: OnceLock<RefreshHash2>,
}

/// `H2`: lower-case hex SHA-256 of the *text* of [`RefreshHash1`]. The only form of a refresh token
/// that is stored.
#[derive(Clone)]
pub struct RefreshHash2(String);

impl RefreshHash1 {
    /// Hashes a refresh token.
    #[must_use]
    pub fn of(token: &RefreshToken) -> Self {
        Self::from_hex(sha256_hex(token.expose().as_bytes()))
    }

    /// Creates a hash from its text in a token.
    #[must_use]
    pub fn from_hex(hex: impl Into<String>) -> Self {
        Self {
            hex: hex.into(),
            second: OnceLock::new(),
        }
    }

    /// Returns the 64 hex characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.hex
    }

    /// Returns the stored form.
    #[must_use]
    pub fn second(&self) -> &RefreshHash2 {
        self.second
            .get_or_init(|| RefreshHash2(sha256_hex(self.hex.as_bytes())))
    }
}

impl RefreshHash2 {
    /// Hashes a refresh token twice.
    #[must_use]
    pub fn of(token: &RefreshToken) -> Self {
        RefreshHash1::of(token).second().clone()
    }

    /// Creates a hash from its stored text.
    #[must_use]
    pub fn from_hex(hex: impl Into<String>) -> Self {
        Self(hex.into())
    }

    /// Returns the 64 hex characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for RefreshHash2 {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for RefreshHash2 {}

impl fmt::Debug for RefreshHash1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshHash1(..)")
    }
}

impl fmt::Debug for RefreshHash2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshHash2(..)")
    }
}

/// Returns the SHA-256 as 64 lower-case hex characters.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Encodes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_hash_runs_over_the_hex_text_of_the_first() {
        let token = RefreshToken::new("abc");
        let h1 = RefreshHash1::of(&token);
        assert_eq!(
            h1.as_str(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(h1.second().as_str(), sha256_hex(h1.as_str().as_bytes()));
        assert!(*h1.second() == RefreshHash2::of(&token));
        assert!(*h1.second() != RefreshHash2::of(&RefreshToken::new("abd")));
    }

    #[test]
    fn secrets_do_not_print() {
        for text in [
            format!("{:?}", AccessToken::new("hunter2")),
            format!("{:?}", RefreshToken::new("hunter2")),
            format!("{:?}", AntiCsrfToken::new("hunter2")),
            format!("{:?}", SecretText::new("hunter2")),
            format!("{:?}", RefreshHash1::from_hex("hunter2")),
            format!("{:?}", RefreshHash2::from_hex("hunter2")),
        ] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn secrets_compare_by_content() {
        let token = AntiCsrfToken::new("one");
        assert!(token.ct_eq("one"));
        assert!(!token.ct_eq("two"));
        assert!(!token.ct_eq("ones"));
    }
}
