//! The client of a request, for device tracking.

use std::net::IpAddr;

use crate::clock::UnixMillis;
use crate::http::RequestView;
use crate::store::Device;

/// Maximum number of characters of a user agent that are stored. Real ones are shorter.
const LONGEST_USER_AGENT: usize = 512;

/// The client of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) user_agent: Option<String>,
    pub(crate) ip: Option<IpAddr>,
}

/// Returns the stored part of a user agent, in a form that every store accepts.
fn kept(user_agent: &str) -> String {
    let characters = user_agent.chars().take(LONGEST_USER_AGENT);
    characters
        .map(|character| match character {
            '\0' => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect()
}

impl Client {
    pub(crate) fn of(view: &dyn RequestView, ip: Option<IpAddr>) -> Self {
        let user_agent = view.header("user-agent");
        Self {
            user_agent: user_agent.as_deref().map(kept),
            ip,
        }
    }

    pub(crate) fn device(&self, now: UnixMillis) -> Device {
        Device {
            user_agent: self.user_agent.clone(),
            ip: self.ip,
            label: None,
            last_seen_at: Some(now),
        }
    }
}
