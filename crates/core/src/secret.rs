//! Secrets: redacted in `Debug`, wiped on drop, compared in constant time, read only through
//! `expose`.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use aws_lc_rs::digest;
use subtle::ConstantTimeEq;
use zeroize::optimization_barrier;

/// Text that is wiped when it is dropped, its spare room included.
#[derive(Clone)]
pub(crate) struct Wiped(String);

impl From<String> for Wiped {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Deref for Wiped {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(std::mem::take(&mut self.0).into_bytes());
    }
}

/// Tokens are kilobytes on every request, so they are wiped by the block, where `zeroize` alone
/// goes byte by byte.
fn wipe(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.clear();
    bytes.resize(bytes.capacity(), 0);
    optimization_barrier(bytes.as_slice());
    bytes
}

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Wiped);

        impl $name {
            /// Takes the secret's text.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(Wiped(text.into()))
            }

            /// The secret itself. Never log it, never put it into an error.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// Compares without revealing by its timing where the two differ. The length is not
            /// hidden.
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
    /// A signed access token (a JWT). Whoever has it acts as the user until it expires.
    AccessToken
}
secret! {
    /// A refresh token. Whoever has it can keep the session; exchanged at every refresh.
    RefreshToken
}
secret! {
    /// The token that a page must send along to prove that it, and not another site, makes the
    /// request.
    AntiCsrfToken
}
secret! {
    /// Describes an access token to the browser SDK, whole payload included. Scripts of the page
    /// may read it, logs should not.
    FrontToken
}
secret! {
    /// Text that only the engine and its store may see: private keys and the key of the refresh
    /// tokens.
    SecretText
}

/// `H1`: lower-case hex SHA-256 of a refresh token. Stands in the access token that pairs with it.
#[derive(Clone)]
pub struct RefreshHash1 {
    hex: String,
    /// Its own hash, once somebody has asked for it.
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

    /// Takes a hash as it stands in a token.
    #[must_use]
    pub fn from_hex(hex: impl Into<String>) -> Self {
        Self {
            hex: hex.into(),
            second: OnceLock::new(),
        }
    }

    /// The 64 hex characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.hex
    }

    /// The stored form.
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

    /// Takes a hash as it was stored.
    #[must_use]
    pub fn from_hex(hex: impl Into<String>) -> Self {
        Self(hex.into())
    }

    /// The 64 hex characters.
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

/// SHA-256 as 64 lower-case hex characters.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Lower-case hex.
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
    fn what_is_wiped_is_zero_to_the_end_of_its_room() {
        let mut text = String::with_capacity(64);
        text.push_str("hunter2");
        assert_eq!(wipe(text.into_bytes()), [0; 64]);
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
