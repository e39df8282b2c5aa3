//! Environment variables of SuperTokens' core: which ones count as unset, and which ones this
//! server does not support.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use crate::config_error::ConfigError;

/// Prefixes of variables for databases that this server does not support.
const FOREIGN_STORES: [&str; 3] = ["MYSQL_", "MONGODB_", "OAUTH_"];

/// Variables of the reference that change its behavior and therefore must not be ignored.
const UNSUPPORTED: [&str; 15] = [
    "POSTGRESQL_KEY_VALUE_TABLE_NAME",
    "POSTGRESQL_SESSION_INFO_TABLE_NAME",
    "POSTGRESQL_EMAILPASSWORD_USERS_TABLE_NAME",
    "POSTGRESQL_EMAILPASSWORD_PSWD_RESET_TOKENS_TABLE_NAME",
    "POSTGRESQL_EMAILVERIFICATION_TOKENS_TABLE_NAME",
    "POSTGRESQL_EMAILVERIFICATION_VERIFIED_EMAILS_TABLE_NAME",
    "POSTGRESQL_THIRDPARTY_USERS_TABLE_NAME",
    "SUPERTOKENS_SAAS_SECRET",
    "SUPERTOKENS_SAAS_LOAD_ONLY_CUD",
    "SUPERTOKENS_DEFAULT_CDI_VERSION",
    "SUPERTOKENS_LICENSE_KEY",
    "INFO_LOG_PATH",
    "ERROR_LOG_PATH",
    "WEBSERVER_HTTPS_ENABLED",
    "MIGRATION_MODE",
];

/// Returns `true` if a variable with this value counts as unset. Such values are the empty string
/// and the address that Kubernetes puts into variables such as `POSTGRESQL_PORT` for a service of
/// that name.
fn is_unset(value: &OsStr) -> bool {
    value.is_empty()
        || value
            .to_str()
            .is_some_and(|value| value.starts_with("tcp://"))
}

/// Removes the environment variable from each option for which it counts as unset.
pub(super) fn without_unset_variables(command: Command) -> Command {
    command.mut_args(|arg: Arg| {
        let unset = arg
            .get_env()
            .and_then(std::env::var_os)
            .is_some_and(|value| is_unset(&value));
        if unset {
            arg.env(None::<&'static str>)
        } else {
            arg
        }
    })
}

/// Rejects variables that SuperTokens' core supports and this server does not.
///
/// # Errors
/// The message lists all of them.
pub(super) fn check(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), ConfigError> {
    let mut found: Vec<String> = variables
        .into_iter()
        .filter(|(_, value)| !is_unset(value))
        .filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            is_unsupported(&name, &value).then_some(name)
        })
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    found.sort();
    Err(ConfigError::new(format!(
        "the environment has variables of SuperTokens' core that this server does not support: {}; unset them (stores are SQLite, PostgreSQL and Redis, see --store; logs go to standard error)",
        found.join(", ")
    )))
}

fn is_unsupported(name: &str, value: &OsStr) -> bool {
    // Kubernetes describes the services of a namespace in such variables.
    let is_service_link = name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_TCP")
        || name.contains("_UDP");
    let is_foreign = FOREIGN_STORES
        .iter()
        .any(|beginning| name.starts_with(beginning));
    // The reference uses this value to disable log files.
    let is_no_log = name.ends_with("_LOG_PATH") && value == "null";
    let is_off = value.eq_ignore_ascii_case("false");
    (is_foreign && !is_service_link) || (UNSUPPORTED.contains(&name) && !is_no_log && !is_off)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str, value: &str) -> Result<(), ConfigError> {
        check([(name.into(), value.into())])
    }

    #[test]
    fn unsupported_variables_are_named() {
        for name in [
            "MYSQL_HOST",
            "MYSQL_CONNECTION_URI",
            "MYSQL_PASSWORD_FILE",
            "MONGODB_CONNECTION_URI",
            "POSTGRESQL_SESSION_INFO_TABLE_NAME",
            "SUPERTOKENS_SAAS_SECRET",
            "OAUTH_PROVIDER_PUBLIC_SERVICE_URL",
            "INFO_LOG_PATH",
        ] {
            let refused = checked(name, "secret-value");
            let text = refused
                .map_err(|error| error.to_string())
                .err()
                .unwrap_or_default();
            assert!(text.contains(name), "{name}: {text}");
            assert!(!text.contains("secret-value"), "{text}");
            assert!(checked(name, "").is_ok(), "{name}");
        }
        for (name, value) in [
            ("MYSQL_SERVICE_HOST", "10.0.0.1"),
            ("MYSQL_PORT", "tcp://10.0.0.1:3306"),
            ("MYSQL_PORT_3306_TCP_ADDR", "10.0.0.1"),
            ("INFO_LOG_PATH", "null"),
            ("WEBSERVER_HTTPS_ENABLED", "false"),
            ("PASSWORD_RESET_TOKEN_LIFETIME", "3600000"),
            ("POSTGRESQL_HOST", "db"),
        ] {
            assert!(checked(name, value).is_ok(), "{name}");
        }
    }
}
