//! What can be chosen when a database is opened.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::Pool;

use crate::error::{OpenError, OpenErrorKind};
use crate::names::{is_prefix, is_schema};
use crate::open;
use crate::store::PostgresStore;

/// Options for opening a database; see [`PostgresStore::options`].
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
    pub(crate) tells_endings: bool,
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
            tells_endings: true,
            feed_check_interval: Duration::from_secs(10),
            root_certificates: None,
        }
    }
}

impl PostgresOptions {
    /// The database, as `postgres://user:password@host:5432/database?sslmode=require` or as
    /// `host=... user=...`. A Unix socket is `postgres:///database?host=/var/run/postgresql`.
    /// Several hosts may be given, `host1,host2`, with `target_session_attrs=read-write` to find
    /// the one that can be written.
    ///
    /// What `sslmode` and `sslrootcert` mean stands in the [crate documentation](crate#encryption).
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Takes the connections from a pool of the application's own. Its timeouts and its TLS count,
    /// not the ones given here; only [`verb_timeout`](Self::verb_timeout) does.
    ///
    /// The [feed of endings](supersession::Store::endings) needs a connection of its own, which a
    /// pool cannot give: without a [`url`](Self::url) beside the pool there is no feed.
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The schema that holds the tables; made if it is missing. Defaults to the first of the
    /// connection's search path, which is `public` on most servers.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// What the names of the tables begin with, before an underscore: `st` for `st_session_info`.
    /// The same as SuperTokens' `postgresql_table_names_prefix`. Defaults to nothing.
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.table_prefix = prefix.into();
        self
    }

    /// How many connections there may be, 1 to 10,000, the one of the feed aside. Defaults to 16,
    /// because that many keep a PostgreSQL server of some cores busy, and a few nodes of them stay
    /// below its default of 100 connections.
    pub fn pool_size(mut self, size: usize) -> Self {
        self.pool_size = size;
        self
    }

    /// How long to wait for a new connection, or for one to come free. Defaults to 5 seconds; a
    /// millisecond to a day.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a verb may take, waiting and second tries included. After it the caller is told
    /// that the store is unavailable, and the connection is given up; the server is told the same
    /// limit for each statement. Defaults to 10 seconds; a millisecond to a day.
    pub fn verb_timeout(mut self, timeout: Duration) -> Self {
        self.verb_timeout = timeout;
        self
    }

    /// Whether deletions are told to other nodes, and [`endings`](supersession::Store::endings)
    /// gives a feed. Defaults to true. All nodes that share the tables must agree on it.
    ///
    /// Behind a pooler that lends connections by the transaction there can be no feed.
    pub fn endings(mut self, tell: bool) -> Self {
        self.tells_endings = tell;
        self
    }

    /// How often the connection of the feed is tested, so that a peer that has gone without a word
    /// is noticed within twice that time. Defaults to 10 seconds; a millisecond to a day.
    pub fn feed_check_interval(mut self, interval: Duration) -> Self {
        self.feed_check_interval = interval;
        self
    }

    /// The certificates of the authorities that may vouch for the server, in PEM, instead of the
    /// system's and of those that the URL names. With them the server is verified wherever it is
    /// encrypted, also under `sslmode=prefer`.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    /// Opens the database, creating or migrating the tables as needed.
    ///
    /// The verbs run in the tokio runtime in which this is called, and may themselves be called
    /// anywhere. That runtime needs I/O and time, and must last as long as the store is used.
    ///
    /// # Errors
    /// When there is no usable database at that place; the text names it and what to do.
    pub async fn open(self) -> Result<PostgresStore, OpenError> {
        open::open(self).await.inspect_err(|error| {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the session database could not be opened"
            );
        })
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

/// Without the URL, which holds a password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("schema", &self.schema)
            .field("table_prefix", &self.table_prefix)
            .field("pool_size", &self.pool_size)
            .field("connect_timeout", &self.connect_timeout)
            .field("verb_timeout", &self.verb_timeout)
            .field("endings", &self.tells_endings)
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
