//! Which addresses may ask: expressions that match an address as a whole. A denial wins.

use std::net::IpAddr;

use regex_lite::Regex;

use crate::core_config::BadValue;

/// The rules of a tenant.
#[derive(Debug, Default)]
pub(crate) struct IpRules {
    allow: Option<Regex>,
    deny: Option<Regex>,
}

impl IpRules {
    pub(crate) fn new(allow: Option<&str>, deny: Option<&str>) -> Result<Self, BadValue> {
        Ok(Self {
            allow: compiled("ip_allow_regex", allow)?,
            deny: compiled("ip_deny_regex", deny)?,
        })
    }

    /// Whether a peer of this address may ask.
    pub(crate) fn admit(&self, peer: IpAddr) -> bool {
        if self.allow.is_none() && self.deny.is_none() {
            return true;
        }
        // What comes over IPv4 is IPv4, whatever the socket.
        let peer = peer.to_canonical().to_string();
        let denied = self.deny.as_ref().is_some_and(|deny| deny.is_match(&peer));
        let allowed = self
            .allow
            .as_ref()
            .is_none_or(|allow| allow.is_match(&peer));
        allowed && !denied
    }
}

fn compiled(name: &str, expression: Option<&str>) -> Result<Option<Regex>, BadValue> {
    expression
        .map(|expression| {
            Regex::new(&format!("^(?:{expression})$")).map_err(|_| {
                BadValue(format!(
                    "Provided regular expression is invalid for {name} config"
                ))
            })
        })
        .transpose()
}
