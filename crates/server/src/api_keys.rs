//! API keys.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::{Choice, ConstantTimeEq as _};
use supersession::SecretText;

use crate::config_error::ConfigError;

const HEADER: &str = "api-key";
const SHORTEST: usize = 20;

/// The keys of an app. Without keys, every client is admitted.
#[derive(Default)]
pub(crate) struct ApiKeys(Vec<SecretText>);

/// Parses a comma-separated list of keys.
pub(crate) fn parse(list: Option<&str>) -> Result<ApiKeys, ConfigError> {
    let Some(list) = list else {
        return Ok(ApiKeys::default());
    };
    let list: String = list.chars().filter(|c| !c.is_whitespace()).collect();
    let keys = list.split(',').map(|key| {
        if key.len() < SHORTEST {
            return Err(ConfigError::new(format!(
                "One of the API keys is too short. Please use at least {SHORTEST} characters"
            )));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '=' || c == '-';
        if !key.chars().all(allowed) {
            return Err(ConfigError::new(
                "Invalid characters in API key. Please only use '=', '-' and alpha-numeric (including capitals)"
                    .to_owned(),
            ));
        }
        Ok(SecretText::new(key))
    });
    keys.collect::<Result<_, _>>().map(ApiKeys)
}

impl ApiKeys {
    pub(crate) fn are_needed(&self) -> bool {
        !self.0.is_empty()
    }

    /// Returns `true` if the request contains one of the keys. The duration does not depend on
    /// which key matches, or if any does.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Some(sent) = sent(headers) else {
            return false;
        };
        let matches = self.0.iter().fold(Choice::from(0), |found, key| {
            found | key.expose().as_bytes().ct_eq(sent)
        });
        matches.into()
    }
}

fn sent(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get(HEADER) {
        return Some(key.as_bytes().trim_ascii());
    }
    let value = headers.get(AUTHORIZATION)?.as_bytes().trim_ascii();
    let (scheme, rest) = value.split_at_checked(7).unwrap_or((b"", value));
    if scheme.eq_ignore_ascii_case(b"bearer ") {
        Some(rest.trim_ascii())
    } else {
        Some(value)
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys")
            .field("count", &self.0.len())
            .finish()
    }
}
