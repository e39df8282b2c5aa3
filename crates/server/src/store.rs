//! Selects and opens the store that a URL names.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use supersession::Store;
use supersession::store::TenantStore;
use supersession_postgres::PostgresStore;
use supersession_redis::RedisStore;
use supersession_sqlite::SqliteStore;

/// The location of the store.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// A SQLite database, by a name that `SqliteStore::open` accepts.
    Sqlite(PathBuf),
    /// A PostgreSQL server, by its URL.
    Postgres(String),
    /// A Redis or Valkey server, by its URL.
    Redis(String),
}

/// The text is not the URL of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use sqlite:<path>, postgres://user:password@host/database or redis://host:port/database")]
pub struct UnknownStore;

impl FromStr for StoreUrl {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once(':').ok_or(UnknownStore)?;
        match scheme.to_ascii_lowercase().as_str() {
            // The store itself parses the rest.
            "sqlite" | "file" if !rest.trim_start_matches('/').is_empty() => {
                Ok(Self::Sqlite(text.into()))
            }
            // SuperTokens' plugin accepts the second spelling.
            "postgres" | "postgresql" => Ok(Self::Postgres(text.to_owned())),
            "redis" | "rediss" => Ok(Self::Redis(text.to_owned())),
            _ => Err(UnknownStore),
        }
    }
}

/// Omits the URL, which may contain a password.
impl std::fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
            Self::Redis(_) => f.write_str("Redis(..)"),
        }
    }
}

/// An open store of any kind.
#[derive(Clone)]
pub struct AnyStore {
    pub(crate) sessions: Arc<dyn Store>,
    pub(crate) tenants: Arc<dyn TenantStore>,
}

impl AnyStore {
    /// Wraps a store.
    pub fn new<S: Store + TenantStore>(store: S) -> Self {
        let store = Arc::new(store);
        Self::of_two(Arc::clone(&store) as _, store)
    }

    /// Stores apps and tenants in a separate store.
    pub fn of_two(sessions: Arc<dyn Store>, tenants: Arc<dyn TenantStore>) -> Self {
        Self { sessions, tenants }
    }
}

impl std::fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnyStore(..)")
    }
}

/// Options of a server's store, besides its URL.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Schema of the tables in PostgreSQL.
    pub postgres_schema: Option<String>,
    /// Prefix of the table names in PostgreSQL.
    pub postgres_table_prefix: String,
    /// Maximum number of connections to PostgreSQL.
    pub postgres_pool_size: Option<usize>,
    /// Prefix of all keys in Redis.
    pub redis_prefix: Option<String>,
}

/// A store could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct StoreFailure {
    /// The store's error, which names the store and the fix.
    pub error: Box<dyn std::error::Error + Send + Sync>,
    /// If set, another attempt may succeed: the store is unreachable or busy.
    pub is_transient: bool,
}

impl From<supersession_sqlite::OpenError> for StoreFailure {
    fn from(error: supersession_sqlite::OpenError) -> Self {
        use supersession_sqlite::OpenErrorKind;
        Self {
            is_transient: error.kind() == OpenErrorKind::Busy,
            error: error.into(),
        }
    }
}

impl From<supersession_postgres::OpenError> for StoreFailure {
    fn from(error: supersession_postgres::OpenError) -> Self {
        use supersession_postgres::OpenErrorKind;
        let passing = [OpenErrorKind::Unreachable, OpenErrorKind::Busy];
        Self {
            is_transient: passing.contains(&error.kind()),
            error: error.into(),
        }
    }
}

impl From<supersession_redis::OpenError> for StoreFailure {
    fn from(error: supersession_redis::OpenError) -> Self {
        use supersession_redis::OpenErrorKind;
        Self {
            is_transient: error.kind() == OpenErrorKind::Unreachable,
            error: error.into(),
        }
    }
}

impl StoreUrl {
    /// Opens the store.
    ///
    /// # Errors
    /// The store's error, which names the store and the fix.
    pub async fn open(&self, options: &StoreOptions) -> Result<AnyStore, StoreFailure> {
        match self {
            Self::Sqlite(path) => Ok(AnyStore::new(SqliteStore::open(path).await?)),
            Self::Postgres(url) => {
                // This process does not wait for revocations, so it needs no revocation feed.
                let mut postgres = PostgresStore::options().url(url);
                if let Some(schema) = &options.postgres_schema {
                    postgres = postgres.schema(schema);
                }
                if !options.postgres_table_prefix.is_empty() {
                    postgres = postgres.table_prefix(&options.postgres_table_prefix);
                }
                if let Some(size) = options.postgres_pool_size {
                    postgres = postgres.pool_size(size);
                }
                Ok(AnyStore::new(postgres.open().await?))
            }
            Self::Redis(url) => {
                let mut redis = RedisStore::options().url(url);
                if let Some(prefix) = &options.redis_prefix {
                    redis = redis.prefix(prefix);
                }
                Ok(AnyStore::new(redis.open().await?))
            }
        }
    }
}
