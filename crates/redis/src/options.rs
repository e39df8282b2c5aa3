//! Options for opening a store.

use std::fmt;
use std::time::Duration;

use crate::error::{OpenError, OpenErrorKind};

/// Options for opening a store; see [`RedisStore::options`](crate::RedisStore::options).
#[derive(Clone)]
#[must_use = "options do nothing until `open` is called"]
pub struct RedisOptions {
    pub(crate) servers: Servers,
    pub(crate) prefix: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) expiry_margin: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) allow_eviction: bool,
    pub(crate) confirmations: Option<(u32, Duration)>,
}

/// URLs, which may contain passwords.
#[derive(Clone)]
pub(crate) enum Servers {
    None,
    One(String),
    Cluster(Vec<String>),
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            servers: Servers::None,
            prefix: "supersession".to_owned(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(2),
            expiry_margin: Duration::from_secs(24 * 3_600),
            heartbeat: Duration::from_secs(5),
            allow_eviction: false,
            confirmations: None,
        }
    }
}

impl RedisOptions {
    /// Uses this server: `redis://user:password@host:port/database`, with `rediss` for TLS.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.servers = Servers::One(url.into());
        self
    }

    /// Uses the cluster that these nodes belong to. The store discovers the other nodes. Give
    /// several nodes, in case one is down.
    pub fn cluster<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>) -> Self {
        self.servers = Servers::Cluster(urls.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the prefix of all keys and channels. Defaults to `supersession`. Stores with different
    /// prefixes share nothing.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the maximum time to wait for a connection, from a millisecond to a day. Defaults to 2
    /// seconds, because a request waits.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the maximum time to wait for each answer of the server, from a millisecond to a day.
    /// Defaults to 2 seconds, because a request waits, and a flush of a slow disk takes tenths of a
    /// second.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Sets the time after its expiry at which the server itself deletes a session that no clean-up
    /// has deleted, at most 36,500 days. Defaults to a day, because a jump of the server's clock
    /// must not delete live sessions.
    pub fn expiry_margin(mut self, margin: Duration) -> Self {
        self.expiry_margin = margin;
        self
    }

    /// Sets the interval of the heartbeats of a revocation feed, from a millisecond to a day.
    /// Defaults to 5 seconds. A silently lost connection is detected within this interval and the
    /// response timeout.
    pub fn feed_heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// Accepts a server that evicts keys when its memory is full. By default such a server is
    /// rejected: users would be logged out at random, and all of them if a signing key is evicted.
    pub fn allow_eviction(mut self) -> Self {
        self.allow_eviction = true;
        self
    }

    /// Acknowledges a revocation only after that many replicas have it (`WAIT`), so that a failover
    /// to one of them does not bring the session back. By default no replica has to confirm. If the
    /// replicas do not confirm in time, the verb fails with `Unavailable`, although the session is
    /// deleted from the master. This costs one more connection, and a round trip to the replicas
    /// for each revocation. Replicas confirm the content of their memory, not of their disk. Not
    /// available for clusters. 1 to 1,000 replicas, and a millisecond to a day.
    pub fn confirm_revocations(mut self, replicas: u32, within: Duration) -> Self {
        self.confirmations = Some((replicas, within));
        self
    }

    pub(crate) fn check_ranges(&self) -> Result<(), OpenError> {
        const SHORTEST: Duration = Duration::from_millis(1);
        const DAY: Duration = Duration::from_secs(86_400);
        let out_of_range =
            |option: String| Err(OpenError::new(OpenErrorKind::OutOfRange).with_source(option));
        let within = self
            .confirmations
            .map(|(_, within)| ("confirm_revocations", within));
        let spans = [
            ("connect_timeout", self.connect_timeout),
            ("response_timeout", self.response_timeout),
            ("feed_heartbeat", self.heartbeat),
        ];
        for (name, span) in spans.into_iter().chain(within) {
            if !(SHORTEST..=DAY).contains(&span) {
                return out_of_range(format!(
                    "`{name}` is {span:?}; choose a millisecond to a day"
                ));
            }
        }
        if self.expiry_margin > DAY * 36_500 {
            let margin = self.expiry_margin;
            return out_of_range(format!(
                "`expiry_margin` is {margin:?}; choose at most 36,500 days"
            ));
        }
        match self.confirmations {
            Some((replicas, _)) if !(1..=1_000).contains(&replicas) => out_of_range(format!(
                "`confirm_revocations` is for {replicas} replicas; choose 1 to 1,000"
            )),
            _ => Ok(()),
        }
    }
}

/// Omits the URLs, which may contain passwords.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("expiry_margin", &self.expiry_margin)
            .field("heartbeat", &self.heartbeat)
            .field("allow_eviction", &self.allow_eviction)
            .field("confirmations", &self.confirmations)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_out_of_range_is_refused_by_name() {
        type Set = fn(RedisOptions, Duration) -> RedisOptions;
        let setters: [(&str, Set); 4] = [
            ("connect_timeout", RedisOptions::connect_timeout),
            ("response_timeout", RedisOptions::response_timeout),
            ("feed_heartbeat", RedisOptions::feed_heartbeat),
            ("confirm_revocations", |options, within| {
                options.confirm_revocations(1, within)
            }),
        ];
        let options = || RedisOptions::default().url("redis://localhost");
        let refused = async |options: RedisOptions, name: &str| {
            let error = options.open().await.unwrap_err();
            assert_eq!(error.kind(), OpenErrorKind::OutOfRange, "{name}");
            assert!(error.to_string().contains(name), "{error}");
        };
        for (name, set) in setters {
            for span in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
                refused(set(options(), span), name).await;
            }
        }
        refused(options().expiry_margin(Duration::MAX), "expiry_margin").await;
        for replicas in [0, u32::MAX] {
            let options = options().confirm_revocations(replicas, Duration::from_secs(1));
            refused(options, "confirm_revocations").await;
        }
    }
}
