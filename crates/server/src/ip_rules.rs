//! IP address rules: regular expressions that must match the whole address. A deny rule takes
//! precedence.

use std::net::IpAddr;

use regex_lite::Regex;

use crate::config_error::ConfigError;

/// The address rules of a tenant.
#[derive(Debug, Default)]
pub(crate) struct IpRules {
    allow: Option<Regex>,
    deny: Option<Regex>,
}

impl IpRules {
    pub(crate) fn new(allow: Option<&str>, deny: Option<&str>) -> Result<Self, ConfigError> {
        Ok(Self {
            allow: compiled("ip_allow_regex", allow)?,
            deny: compiled("ip_deny_regex", deny)?,
        })
    }

    /// Returns `true` if a client with this address may call the server.
    pub(crate) fn admit(&self, peer: IpAddr) -> bool {
        if self.allow.is_none() && self.deny.is_none() {
            return true;
        }
        // An IPv4 client of a dual-stack socket is matched by its IPv4 address.
        let peer = peer.to_canonical().to_string();
        let denied = self.deny.as_ref().is_some_and(|deny| deny.is_match(&peer));
        let allowed = self
            .allow
            .as_ref()
            .is_none_or(|allow| allow.is_match(&peer));
        allowed && !denied
    }
}

fn compiled(name: &str, expression: Option<&str>) -> Result<Option<Regex>, ConfigError> {
    expression
        .map(|expression| {
            Regex::new(&format!("^(?:{expression})$")).map_err(|_| {
                ConfigError::new(format!(
                    "Provided regular expression is invalid for {name} config"
                ))
            })
        })
        .transpose()
}
