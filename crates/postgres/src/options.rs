//! Options for opening a database.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::Pool;

use crate::error::{OpenError, OpenErrorKind};
use crate::names::{is_prefix, is_schema};

/// Options for opening a database; see
/// [`PostgresStore::options`](crate::PostgresStore::options).
#[derive(Clone)]
#[must_use = "options do nothing until `open` is called"]
pub struct PostgresOptions {
    pub(crate) url: Option<String>,
    pub(crate) pool: Option<Pool>,
    pub(crate) schema: Option<String>,
    pub(crate) table_prefix: String,
    pub(crate) pool_size: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) verb_timeout: Duration,
    pub(crate) publishes_revocations: bool,
    pub(crate) feed_check_interval: Duration,
    pub(crate) root_certificates: Option<Vec<u8>>,
}

const MAX_POOL_SIZE: usize = 10_000;
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(86_400);

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            url: None,
            pool: None,
            schema: None,
            table_prefix: String::new(),
            pool_size: 16,
            connect_timeout: Duration::from_secs(5),
            verb_timeout: Duration::from_secs(10),
            publishes_revocations: true,
            feed_check_interval: Duration::from_secs(10),
            root_certificates: None,
        }
    }
}

impl PostgresOptions {
    /// Sets the database, as `postgres://user:password@host:5432/database?sslmode=require` or as
    /// `host=... user=...`. A Unix socket is `postgres:///database?host=/var/run/postgresql`.
    /// Several hosts may be given, `host1,host2`, with `target_session_attrs=read-write` to find
    /// the writable one.
    ///
    /// The [crate documentation](crate#encryption) describes `sslmode` and `sslrootcert`.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Takes the connections from the application's own pool. The pool's timeouts and TLS settings
    /// apply instead of those given here; only [`verb_timeout`](Self::verb_timeout) still applies.
    ///
    /// The [revocation feed](supersession::Store::revocation_feed) needs its own connection, outside the
    /// pool. Set a [`url`](Self::url) in addition to the pool to have the feed.
    #[cfg(feature = "pool")]
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Sets the schema that contains the tables. It is created if it is missing. Defaults to the
    /// first schema of the connection's search path, which is `public` on most servers.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Sets the prefix of the table names, before an underscore: `st` for `st_session_info`.
    /// Equivalent to SuperTokens' `postgresql_table_names_prefix`. Defaults to no prefix.
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.table_prefix = prefix.into();
        self
    }

    /// Sets the maximum number of connections, 1 to 10,000, without the one of the feed. Defaults
    /// to 16: this is enough to use a PostgreSQL server of some cores fully, and a few nodes stay
    /// below the server's default limit of 100 connections.
    pub fn pool_size(mut self, size: usize) -> Self {
        self.pool_size = size;
        self
    }

    /// Sets the maximum time to wait for a new or an idle connection, from a millisecond to a day.
    /// Defaults to 5 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the time limit of a verb, including waiting and retries, from a millisecond to a day.
    /// Defaults to 10 seconds. After it, the caller gets `Unavailable`, and the connection is
    /// closed. The server applies the same limit to each statement.
    pub fn verb_timeout(mut self, timeout: Duration) -> Self {
        self.verb_timeout = timeout;
        self
    }

    /// If set, deletions notify other nodes, and
    /// [`Store::revocation_feed`](supersession::Store::revocation_feed) returns
    /// a feed. Defaults to true. All nodes that share the tables must use the same value.
    ///
    /// Behind a pooler in transaction mode, the feed cannot work.
    pub fn revocation_feed(mut self, publish: bool) -> Self {
        self.publishes_revocations = publish;
        self
    }

    /// Sets the interval at which the connection of the feed is tested, from a millisecond to a
    /// day. Defaults to 10 seconds. A lost peer is detected within twice the interval.
    pub fn feed_check_interval(mut self, interval: Duration) -> Self {
        self.feed_check_interval = interval;
        self
    }

    /// Sets the certificates of the authorities trusted to vouch for the server, in PEM, instead of
    /// the system's and of those that the URL names. With them, the server is verified whenever the
    /// connection is encrypted, also under `sslmode=prefer`.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    pub(crate) fn check_ranges(&self) -> Result<(), OpenError> {
        let out_of_range = |option: String| {
            Err(OpenError::new(None, OpenErrorKind::OutOfRange).with_source(option))
        };
        if !(1..=MAX_POOL_SIZE).contains(&self.pool_size) {
            let size = self.pool_size;
            return out_of_range(format!(
                "`pool_size` is {size}; choose 1 to {MAX_POOL_SIZE}"
            ));
        }
        for (name, span) in [
            ("connect_timeout", self.connect_timeout),
            ("verb_timeout", self.verb_timeout),
            ("feed_check_interval", self.feed_check_interval),
        ] {
            if !(SHORTEST..=LONGEST).contains(&span) {
                return out_of_range(format!(
                    "`{name}` is {span:?}; choose a millisecond to a day"
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn check_names(&self) -> Result<(), OpenError> {
        let schema_is_fine = self.schema.as_deref().is_none_or(is_schema);
        let prefix_is_fine = self.table_prefix.is_empty() || is_prefix(&self.table_prefix);
        if schema_is_fine && prefix_is_fine {
            Ok(())
        } else {
            Err(OpenError::new(None, OpenErrorKind::InvalidName))
        }
    }
}

/// Omits the URL, which contains a password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("schema", &self.schema)
            .field("table_prefix", &self.table_prefix)
            .field("pool_size", &self.pool_size)
            .field("connect_timeout", &self.connect_timeout)
            .field("verb_timeout", &self.verb_timeout)
            .field("revocation_feed", &self.publishes_revocations)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_out_of_range_is_refused_by_name() {
        type Set = fn(PostgresOptions, Duration) -> PostgresOptions;
        let setters: [(&str, Set); 3] = [
            ("connect_timeout", PostgresOptions::connect_timeout),
            ("verb_timeout", PostgresOptions::verb_timeout),
            ("feed_check_interval", PostgresOptions::feed_check_interval),
        ];
        let options = || PostgresOptions::default().url("postgres://localhost/none");
        let refused = async |options: PostgresOptions, name: &str| {
            let error = options.open().await.unwrap_err();
            assert_eq!(error.kind(), OpenErrorKind::OutOfRange, "{name}");
            assert!(error.to_string().contains(name), "{error}");
        };
        for (name, set) in setters {
            for span in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
                refused(set(options(), span), name).await;
            }
        }
        for size in [0, usize::MAX] {
            refused(options().pool_size(size), "pool_size").await;
        }
    }
}
