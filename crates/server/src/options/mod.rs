//! The command line and the environment. Options of SuperTokens' core keep their names.

mod environment;
mod postgres_url;
mod probe;
mod secrets;
mod settings;

use std::fmt;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use tracing::level_filters::LevelFilter;

use crate::config_error::ConfigError;

/// Returns a parser for a number within bounds. Its errors name the option and the bounds.
fn between(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}

/// A day: the longest wait that can be configured.
const LONGEST_WAIT: u64 = 86_400;

/// A session core for SuperTokens backend SDKs.
///
/// Set the `connectionURI` of the Node, Python or Go SDK to this server. By default, it listens on
/// localhost:3567 and stores everything in ./supersession.db.
#[derive(Clone, Parser)]
#[command(name = "supersession", version, max_term_width = 100)]
#[non_exhaustive]
pub struct Options {
    /// The name or address to listen on
    #[arg(
        long,
        env = "SUPERTOKENS_HOST",
        default_value = "localhost",
        help_heading = "Listening"
    )]
    pub host: String,

    /// The port to listen on; 0 for any free port
    #[arg(
        long,
        env = "SUPERTOKENS_PORT",
        default_value_t = 3567,
        help_heading = "Listening"
    )]
    pub port: u16,

    /// Prefix of all paths, such as /sessions
    #[arg(
        long,
        env = "BASE_PATH",
        default_value = "",
        hide_default_value = true,
        help_heading = "Listening"
    )]
    pub base_path: String,

    /// Listen on all addresses without an API key: every client that reaches them can use every session
    #[arg(
        long,
        env = "SUPERSESSION_ALLOW_NO_API_KEY",
        help_heading = "Listening"
    )]
    pub allow_no_api_key: bool,

    /// Check if the server at this address is ready, and exit with 0 if it is
    #[arg(long, help_heading = "Listening")]
    pub probe: bool,

    /// Maximum size of a request body, in bytes: 1 KiB to 1 GiB
    #[arg(long, env = "SUPERSESSION_MAX_BODY_BYTES", default_value_t = 1 << 20, value_parser = between(1 << 10, 1 << 30), help_heading = "Listening")]
    pub max_body_bytes: usize,

    /// Maximum time for requests to finish after SIGTERM or SIGINT, in seconds
    #[arg(
        long,
        env = "SUPERSESSION_DRAIN_SECONDS",
        default_value_t = 25,
        value_parser = clap::value_parser!(u64).range(..=LONGEST_WAIT),
        help_heading = "Listening"
    )]
    pub drain_seconds: u64,

    /// Number of threads that handle requests, and of threads that sign [default: one per CPU core]
    #[arg(long, env = "MAX_SERVER_POOL_SIZE", value_parser = between(1, 1_024), help_heading = "Listening")]
    pub max_server_pool_size: Option<usize>,

    /// The store: sqlite:PATH, postgres://..., redis://... or rediss://...
    #[arg(
        long,
        env = "SUPERSESSION_STORE",
        hide_env_values = true,
        help_heading = "Storage"
    )]
    pub store: Option<String>,

    /// A file with the value of --store
    #[arg(
        long,
        env = "SUPERSESSION_STORE_FILE",
        conflicts_with = "store",
        help_heading = "Storage"
    )]
    pub store_file: Option<PathBuf>,

    /// Maximum time to wait for an unreachable store at startup, in seconds; 0 to fail immediately
    #[arg(
        long,
        env = "SUPERSESSION_STORE_WAIT_SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(..=LONGEST_WAIT),
        help_heading = "Storage"
    )]
    pub store_wait_seconds: u64,

    /// The URI of a PostgreSQL database, as for SuperTokens' core; the other --postgresql options
    /// provide the parts that the URI omits
    #[arg(
        long,
        env = "POSTGRESQL_CONNECTION_URI",
        hide_env_values = true,
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_connection_uri: Option<String>,

    /// A file with the value of --postgresql-connection-uri
    #[arg(
        long,
        env = "POSTGRESQL_CONNECTION_URI_FILE",
        conflicts_with_all = ["store", "store_file", "postgresql_connection_uri"],
        help_heading = "Storage"
    )]
    pub postgresql_connection_uri_file: Option<PathBuf>,

    /// The host of PostgreSQL [default: localhost]
    #[arg(
        long,
        env = "POSTGRESQL_HOST",
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_host: Option<String>,

    /// The port of PostgreSQL [default: 5432]
    #[arg(
        long,
        env = "POSTGRESQL_PORT",
        conflicts_with_all = ["store", "store_file"],
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Storage"
    )]
    pub postgresql_port: Option<u16>,

    /// The user of PostgreSQL
    #[arg(
        long,
        env = "POSTGRESQL_USER",
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_user: Option<String>,

    /// The password of that user
    #[arg(
        long,
        env = "POSTGRESQL_PASSWORD",
        hide_env_values = true,
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_password: Option<String>,

    /// A file with the value of --postgresql-password
    #[arg(
        long,
        env = "POSTGRESQL_PASSWORD_FILE",
        conflicts_with_all = ["store", "store_file", "postgresql_password"],
        help_heading = "Storage"
    )]
    pub postgresql_password_file: Option<PathBuf>,

    /// The database in PostgreSQL [default: supertokens]
    #[arg(
        long,
        env = "POSTGRESQL_DATABASE_NAME",
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_database_name: Option<String>,

    /// The schema of the tables in PostgreSQL
    #[arg(long, env = "POSTGRESQL_TABLE_SCHEMA", help_heading = "Storage")]
    pub postgresql_table_schema: Option<String>,

    /// Prefix of the names of the tables in PostgreSQL, before an underscore
    #[arg(
        long,
        env = "POSTGRESQL_TABLE_NAMES_PREFIX",
        default_value = "",
        hide_default_value = true,
        help_heading = "Storage"
    )]
    pub postgresql_table_names_prefix: String,

    /// Maximum number of connections to PostgreSQL
    #[arg(
        long,
        env = "POSTGRESQL_CONNECTION_POOL_SIZE",
        value_parser = between(1, 10_000),
        help_heading = "Storage"
    )]
    pub postgresql_connection_pool_size: Option<usize>,

    /// Prefix of all keys in Redis
    #[arg(long, env = "SUPERSESSION_REDIS_PREFIX", help_heading = "Storage")]
    pub redis_prefix: Option<String>,

    /// API keys, separated by commas, of at least 20 characters each; every request must contain one
    #[arg(
        long,
        env = "API_KEYS",
        hide_env_values = true,
        help_heading = "Security"
    )]
    pub api_keys: Option<String>,

    /// A file with the value of --api-keys; keys can also be on separate lines
    #[arg(
        long,
        env = "API_KEYS_FILE",
        conflicts_with = "api_keys",
        help_heading = "Security"
    )]
    pub api_keys_file: Option<PathBuf>,

    /// Refuse to sign JWTs with the members of a session token, and to verify such JWTs as sessions
    #[arg(
        long,
        env = "SUPERSESSION_REFUSE_SESSION_JWTS",
        help_heading = "Security"
    )]
    pub refuse_session_jwts: bool,

    /// Client addresses to accept, as a regular expression that matches the whole address
    #[arg(long, env = "IP_ALLOW_REGEX", help_heading = "Security")]
    pub ip_allow_regex: Option<String>,

    /// Client addresses to reject, as a regular expression that matches the whole address
    #[arg(long, env = "IP_DENY_REGEX", help_heading = "Security")]
    pub ip_deny_regex: Option<String>,

    /// Validity of an access token, in seconds [default: 3600]
    #[arg(long, env = "ACCESS_TOKEN_VALIDITY", help_heading = "Sessions")]
    pub access_token_validity: Option<String>,

    /// Maximum share by which the validity of an access token is shortened at random [default: 0.05]
    #[arg(long, env = "ACCESS_TOKEN_VALIDITY_JITTER", help_heading = "Sessions")]
    pub access_token_validity_jitter: Option<String>,

    /// Lifetime of a session after its last refresh, in minutes [default: 144000]
    #[arg(long, env = "REFRESH_TOKEN_VALIDITY", help_heading = "Sessions")]
    pub refresh_token_validity: Option<String>,

    /// Grace period for reusing a rotated refresh token, in seconds [default: 30]
    #[arg(
        long,
        env = "REFRESH_TOKEN_ROTATION_GRACE_PERIOD",
        help_heading = "Sessions"
    )]
    pub refresh_token_rotation_grace_period: Option<String>,

    /// Time after a rotation in which a client that never received the response gets the same tokens
    /// again, in seconds, beyond the grace period [default: the grace period alone]
    #[arg(
        long,
        env = "REFRESH_TOKEN_LOST_RESPONSE_WINDOW",
        help_heading = "Sessions"
    )]
    pub refresh_token_lost_response_window: Option<String>,

    /// Report of late reuse of the previous refresh token: TOKEN_THEFT or UNAUTHORISED
    /// [default: TOKEN_THEFT]
    #[arg(long, env = "RECENT_TOKEN_REUSE_BEHAVIOUR", help_heading = "Sessions")]
    pub recent_token_reuse_behaviour: Option<String>,

    /// Interval of signing key rotation, in hours [default: 168]
    #[arg(
        long,
        env = "ACCESS_TOKEN_DYNAMIC_SIGNING_KEY_UPDATE_INTERVAL",
        help_heading = "Sessions"
    )]
    pub access_token_dynamic_signing_key_update_interval: Option<String>,

    /// For SDKs before CDI 2.21: check the database when a session is verified
    #[arg(long, env = "ACCESS_TOKEN_BLACKLISTING", help_heading = "Older SDKs")]
    pub access_token_blacklisting: Option<String>,

    /// For SDKs before CDI 2.21: sign with the rotating key [default: true]
    #[arg(
        long,
        env = "ACCESS_TOKEN_SIGNING_KEY_DYNAMIC",
        help_heading = "Older SDKs"
    )]
    pub access_token_signing_key_dynamic: Option<String>,

    /// The newest supported version of the interface, also used for requests without a version
    #[arg(long, env = "SUPERTOKENS_MAX_CDI_VERSION", help_heading = "Older SDKs")]
    pub supertokens_max_cdi_version: Option<String>,

    /// The oldest supported version of the interface
    #[arg(long, env = "SUPERTOKENS_MIN_CDI_VERSION", help_heading = "Older SDKs")]
    pub supertokens_min_cdi_version: Option<String>,

    /// Accept lifetimes that only test suites need, such as signing keys that live for seconds
    #[arg(long, env = "SUPERSESSION_LIFT_LIMITS", help_heading = "Older SDKs")]
    pub lift_limits: bool,

    /// Log level: NONE, ERROR, WARN, INFO or DEBUG
    #[arg(
        long,
        env = "LOG_LEVEL",
        default_value = "INFO",
        ignore_case = true,
        help_heading = "Logging"
    )]
    pub log_level: LogLevel,

    /// Log format
    #[arg(
        long,
        env = "SUPERSESSION_LOG_FORMAT",
        default_value = "text",
        help_heading = "Logging"
    )]
    pub log_format: LogFormat,
}

/// The log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum LogLevel {
    /// No events.
    None,
    /// Failures.
    Error,
    /// Failures and suspicious events.
    Warn,
    /// The above, and events of the process.
    Info,
    /// The above, and events of each request.
    Debug,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::None => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

/// The log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum LogFormat {
    /// One line of text per event.
    Text,
    /// One JSON object per line.
    Json,
}

/// Omits keys and URLs, because they are or may contain secrets.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Parses the command line and the environment. An empty variable counts as unset. If parsing
    /// fails, prints a message to standard error and exits.
    #[must_use]
    pub fn read() -> Self {
        let command = environment::without_unset_variables(Self::command());
        let matches = command.get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Rejects variables of SuperTokens' core that this server does not support.
    ///
    /// # Errors
    /// If there are any. The message names them.
    pub fn check_environment(&self) -> Result<(), ConfigError> {
        environment::check(std::env::vars_os())
    }
}
